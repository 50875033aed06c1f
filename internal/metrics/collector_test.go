package metrics

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what there is now (-file +now); make docs rewrites it:\n%s", file, diff)
	}
}

// build is the build information of the tests' Collectors.
var build = buildinfo.Info{Version: "1.2.3", Revision: "0123abc", Date: "2026-11-30T00:00:00Z", Go: "go1.x", OS: "linux", Arch: "amd64"}

// registry returns a registry with a Collector of v.
func registry(t testing.TB, v judge.View, known bool) *prometheus.Registry {
	t.Helper()
	c := New(build, func() (judge.View, bool) { return v, known })
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	return r
}

// scrape returns the response of /metrics.
func scrape(t testing.TB, r prometheus.Gatherer) string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&out, f); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestGoldenMetricsOfAStorm(t *testing.T) {
	golden(t, "testdata/storm.prom", scrape(t, registry(t, storm(small()), true)))
}

func TestMetricsPassTheLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(registry(t, storm(nodetest.InStorm()), true))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestScrapingTwiceGivesTheSameBytes(t *testing.T) {
	r := registry(t, storm(nodetest.InStorm()), true)
	if a, b := scrape(t, r), scrape(t, r); a != b {
		t.Error(cmp.Diff(a, b))
	}
}

// Ten times the incident, with findings about every OSD and every guest.
func TestSeriesAreBoundedInAStormOfTenTimesTheSize(t *testing.T) {
	const bound = 2500
	text := scrape(t, registry(t, storm(nodetest.TenTimes()), true))
	byName, series := map[string]int{}, 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			name, _, _ := strings.Cut(line, "{")
			byName[name]++
			series++
		}
	}
	if series > bound {
		t.Errorf("got %d series, want at most %d: %v", series, bound, byName)
	}
	for name, want := range map[string]int{
		"nodewatch_finding":                   53, // two of other rules, 50 named guests, and the rest
		"nodewatch_finding_guests":            51, // the bond and 50 named guests
		"nodewatch_libceph_events_total":      50 * 2,
		"nodewatch_krbd_device_info":          780,
		"nodewatch_krbd_device_in_flight":     50,
		"nodewatch_nic_receive_bytes_total":   9,
		"nodewatch_krbd_device_stuck_seconds": 50,
	} {
		if byName[name] != want {
			t.Errorf("got %d series of %s, want %d", byName[name], name, want)
		}
	}
	for _, line := range []string{
		`nodewatch_finding{rule="vm-paused",severity="warning",subject="(other)"} 600`,
		`nodewatch_libceph_osds 1820`,
		`nodewatch_libceph_events_total{class="crc-fault",osd="0"} 1824`,
		`nodewatch_krbd_stuck_devices 390`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("there is no line %s", line)
		}
	}
}

func TestDevicesBeyondTheCapAreSaidToBeLeftOut(t *testing.T) {
	v := storm(nodetest.InStorm())
	v.Mapped.Value = nodetest.Hypervisor{Disks: 1234}.Mapped()
	text := scrape(t, registry(t, v, true))
	for _, line := range []string{"nodewatch_krbd_devices 1234\n", "nodewatch_krbd_device_info_truncated 234\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("there is no line %s", line)
		}
	}
	if n := strings.Count(text, "nodewatch_krbd_device_info{"); n != maxDevices {
		t.Errorf("got %d devices, want %d", n, maxDevices)
	}
}

func TestBeforeTheFirstViewOnlyTheBuildIsShown(t *testing.T) {
	got := scrape(t, registry(t, judge.View{}, false))
	want := `# HELP nodewatch_build_info Always 1; the labels describe nodewatch's build: version, commit and its date, Go version and platform.
# TYPE nodewatch_build_info gauge
nodewatch_build_info{date="2026-11-30T00:00:00Z",goarch="amd64",goos="linux",goversion="go1.x",revision="0123abc",version="1.2.3"} 1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A value that has never been read has no sample, because zero would be wrong.
func TestWhatWasNeverReadIsNotZero(t *testing.T) {
	text := scrape(t, registry(t, judge.View{Report: report.Report{At: start, Status: report.Unknown}}, true))
	for _, name := range []string{"nodewatch_krbd", "nodewatch_osdc", "nodewatch_guest", "nodewatch_cluster", "nodewatch_kmsg",
		"nodewatch_libceph", "nodewatch_host"} {
		if strings.Contains(text, name) {
			t.Errorf("there are metrics of %s: %s", name, text)
		}
	}
}

func TestSourcesThatAreNotOnThisMachineAreNotDown(t *testing.T) {
	text := scrape(t, registry(t, storm(nodetest.InStorm()), true))
	for line, want := range map[string]bool{
		`nodewatch_source_up{source="ovs"} `:                            false,
		`nodewatch_source_absent{source="ovs"} 1`:                       true,
		`nodewatch_source_up{source="qemu"} 0`:                          true,
		`nodewatch_source_up{source="kmsg"} 1`:                          true,
		`nodewatch_source_stalled{source="bond"}`:                       true,
		`nodewatch_source_blind_since_timestamp_seconds{source="qemu"}`: true,
		`nodewatch_source_blind_since_timestamp_seconds{source="ovs"}`:  false,
	} {
		if strings.Contains(text, line) != want {
			t.Errorf("a line that begins with %s: got %v, want %v", line, !want, want)
		}
	}
}

// An OSD is shown while the kernel logs errors about it, with only those classes of
// errors.
func TestOSDsAreForgottenAfterTenMinutes(t *testing.T) {
	v := storm(small())
	later := v.Now.Add(11 * time.Minute)
	crc := kmsg.Count{Class: kmsg.CRC, Peer: "osd1", N: 2, First: later, Last: later}
	v.Snapshot = v.Take(node.Entry{At: later, Obs: node.SawKernel{Reading: nodetest.Reading(later, time.Second,
		kmsg.Batch{Counts: []kmsg.Count{crc}})}})
	var got []string
	for line := range strings.Lines(scrape(t, registry(t, v, true))) {
		if strings.HasPrefix(line, "nodewatch_libceph") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{`nodewatch_libceph_events_total{class="crc-fault",osd="1"} 7`, `nodewatch_libceph_osds 1`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// External names may contain anything: two that become equal must not break the
// scrape.
func TestStrangeNamesDoNotSpoilTheScrape(t *testing.T) {
	v := storm(nodetest.InStorm())
	long := strings.Repeat("é", 200)
	v.Mapped.Value = []rbd.Mapped{{Device: "rbd0", Image: long + "1"}, {Device: "rbd0", Image: long + "2"},
		{Device: "rbd1", Image: "a\xff\n\"}"}}
	v.Report.Findings = []report.Finding{{Rule: "r", Subject: long + "1"}, {Rule: "r", Subject: long + "2"}}
	text := scrape(t, registry(t, v, true))
	if !strings.Contains(text, `severity="",subject="`+strings.Repeat("é", 64)+`"} 2`) {
		t.Error("two findings with the same shown name are not counted as two")
	}
	if !strings.Contains(text, `image="a`+"\uFFFD"+`\n\"}"`) {
		t.Error("the image's name is not shown")
	}
}

func TestMetricsOfAView(t *testing.T) {
	text := scrape(t, registry(t, storm(nodetest.InStorm()), true))
	for _, line := range []string{
		`nodewatch_nic_utilization_ratio{bond="bond0",device="eth0",direction="receive",nic="eth0"} 0.98`,
		`nodewatch_bond_slave_share_ratio{bond="bond0",device="eth1",direction="transmit",nic="eth1"} 0.9991586032814472`,
		`nodewatch_osdc_attempts_max 576`,
		`nodewatch_osdc_oldest_request_seconds 40`,
		`nodewatch_krbd_latency_seconds 0.003`,
		`nodewatch_guests{client="krbd"} 65`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("there is no line %s", line)
		}
	}
}

// BenchmarkGatherTenTimesTheIncident measures one scrape. cpu-ms is its CPU time over
// all threads, including garbage collection.
func BenchmarkGatherTenTimesTheIncident(b *testing.B) {
	r := registry(b, storm(nodetest.TenTimes()), true)
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	b.ReportAllocs()
	began := spent()
	for b.Loop() {
		scrape(b, r)
	}
	b.ReportMetric(float64((spent()-began).Microseconds())/1000/float64(b.N), "cpu-ms")
}

// A disk counts as stalled from the same threshold as in krbd-stalled.
func TestStalledIsWhatTheRuleSays(t *testing.T) {
	v := storm(small())
	v.Rules = all.Default()
	if got := len(survey(v).stalled); got != 1 {
		t.Errorf("by default: got %d", got)
	}
	r, _ := v.Rules.Rule("krbd-stalled")
	if err := rule.SetLimit(&r, "stalled", "10m"); err != nil {
		t.Fatal(err)
	}
	if got := len(survey(v).stalled); got != 0 {
		t.Errorf("from 10 min on: got %d", got)
	}
}
