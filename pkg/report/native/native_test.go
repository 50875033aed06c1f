package native_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const token = "nwt_f00dcafe"

// calm returns a report of a healthy node, at that time after reporttest.Noon.
func calm(after time.Duration) report.Report {
	r := report.Report{
		Node: "node2", Site: "rl1", Boot: "0b9d2b5e-8f0c-4f7e-9a51-6d1e5f8b7c2a", Version: "1.2.3",
		Started: reporttest.Noon.Add(-time.Hour), At: reporttest.Noon.Add(after), Status: report.Operational,
	}
	for _, name := range []report.ComponentName{"cluster", "guests", "host", "network", "nodewatch", "storage"} {
		r.Components = append(r.Components, report.Component{Name: name, Status: report.Operational, State: report.Seen, Since: r.Started})
	}
	return r
}

// withTransitions adds transitions with the given numbers.
func withTransitions(r report.Report, from, to uint64) report.Report {
	for n := from; n <= to; n++ {
		r.Transitions = append(r.Transitions, report.Transition{
			N: n, At: r.Started.Add(time.Duration(n) * time.Second), Rule: "nic-drops", Subject: "eno1", Component: "network",
			From: "clear", To: "warning", Impact: report.Operational, State: report.Seen, Summary: fmt.Sprintf("change %d", n),
		})
	}
	return r
}

// reporter returns a reporter to the backend at the address; change may change its
// configuration.
func reporter(t testing.TB, url string, kept statefile.File) *native.Reporter {
	t.Helper()
	c := native.Default()
	c.URL, c.Token = url, reporttest.Secret(t, token)
	x, err := native.New(c, reporttest.Client(t, httpclient.Options{Agent: "nodewatch/1.2.3"}), kept)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// backend starts a Receiver behind a recorder, with a clock two seconds ahead of the
// report's; in front, if given, may respond in its place.
func backend(t *testing.T, c receiver.Config, inFront func(w http.ResponseWriter, q *http.Request) bool) (string, *receiver.Receiver,
	*reporttest.Recorder) {
	t.Helper()
	c.Tokens = map[string]string{token: "rl1/node2"}
	if c.Now == nil {
		c.Now = func() time.Time { return reporttest.Noon.Add(2 * time.Second) }
	}
	r, err := receiver.New(c)
	if err != nil {
		t.Fatal(err)
	}
	url, rec := reporttest.Record(t, func(w http.ResponseWriter, q *http.Request) {
		if inFront == nil || !inFront(w, q) {
			r.ServeHTTP(w, q)
		}
	})
	return url, r, rec
}

// plain returns the decompressed body of a request.
func plain(t testing.TB, q reporttest.Request) []byte {
	t.Helper()
	if q.Header.Get("Content-Encoding") != "gzip" {
		return q.Body
	}
	raw, err := unzip(q.Body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func unzip(raw []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// troubled returns a report in which every field is set.
func troubled() report.Report {
	r := withTransitions(calm(0), 1, 2)
	r.Labels = report.Labels{"rack": "7", "switch": "sw1"}
	seen := func(fact string) []report.Evidence {
		return []report.Evidence{{Source: "nic", Subject: "eno1", Fact: fact, At: reporttest.Noon.Add(-time.Second)}}
	}
	r.Findings = []report.Finding{{
		Rule: "libceph-crc-storm", Component: "storage", Severity: report.Critical, Impact: report.MajorOutage, State: report.Seen,
		Since: reporttest.Noon.Add(-2 * time.Minute), LevelSince: reporttest.Noon.Add(-time.Minute), LastSeen: reporttest.Noon,
		Summary:  "78 disks on 182 sessions in a CRC storm <eno1>",
		Evidence: seen("1204 bad CRCs in 60 s"), Against: seen("no CRC errors of the NIC"),
		Advice:  []report.Advice{{Do: "throttle the link", Command: "tc qdisc add dev eno1 root tbf rate 2gbit burst 1mb latency 50ms"}},
		Runbook: "https://hub.example.org/rules.md#libceph-crc-storm", Flapping: true,
	}, {
		Rule: "bond-hash-layer2", Subject: "bond0", Component: "network", Severity: report.Warning, Impact: report.Operational,
		State: report.Blind,
		Since: reporttest.Noon.Add(-time.Hour), LevelSince: reporttest.Noon.Add(-time.Hour), LastSeen: reporttest.Noon.Add(-time.Minute),
		Summary:  "bond0 hashes by layer2",
		Evidence: seen("xmit_hash_policy layer2"), Runbook: "https://hub.example.org/rules.md#bond-hash-layer2",
		Accepted: &report.Accepted{At: reporttest.Noon.Add(-30 * time.Minute), Until: reporttest.Noon.Add(24 * time.Hour), By: "kim",
			Reason: "until the window"},
	}}
	r.Status = report.MajorOutage
	r.Components[5] = report.Component{Name: "storage", Status: report.MajorOutage, State: report.Seen,
		Since: reporttest.Noon.Add(-2 * time.Minute), Summary: r.Findings[0].Summary}
	r.Components[0] = report.Component{Name: "cluster", Status: report.Unknown, State: report.Blind, Since: reporttest.Noon.Add(-time.Hour),
		Summary: "nobody has given nodewatch a key"}
	r.Components[1].Status = report.UnderMaintenance
	r.Maintenance = &report.Maintenance{Since: reporttest.Noon.Add(-time.Minute), Until: reporttest.Noon.Add(time.Hour), By: "kim",
		Reason: "new cable"}
	r.Final = "nodewatch stops"
	return r
}

func TestTheBodyIsAsTheGoldenOne(t *testing.T) {
	url, _, rec := backend(t, receiver.Config{}, nil)
	c := native.Default()
	c.URL, c.Token, c.Digest = url+"/", reporttest.Secret(t, token), "sha256:6b86b273"
	x, err := native.New(c, reporttest.Client(t, httpclient.Options{Agent: "nodewatch/1.2.3"}), statefile.File{})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Report(t.Context(), troubled()); err != nil {
		t.Fatal(err)
	}
	got := rec.Drain()
	if len(got) != 1 {
		t.Fatalf("%d requests", len(got))
	}
	head := fmt.Sprintf("%s %s\n", got[0].Method, got[0].URL)
	for _, name := range []string{"Accept", "Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key", "User-Agent"} {
		head += fmt.Sprintf("%s: %s\n", name, got[0].Header.Get(name))
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, plain(t, got[0]), "", "  "); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, *update, "troubled.txt", head+"\n"+pretty.String())
}

// The line for customers contains no internal names, whatever is raised.
func TestTheSummaryIsFitForCustomers(t *testing.T) {
	url, rc, _ := backend(t, receiver.Config{}, nil)
	r := troubled()
	r.Components[2].Status = report.Unknown
	r.Findings = append(r.Findings, report.Finding{Rule: "source-blind", Component: "host", Severity: report.Info,
		Impact: report.Operational, State: report.Seen})
	if err := reporter(t, url, statefile.File{}).Report(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range rc.Node("rl1/node2").Latest().Components {
		got[c.ID] = c.Summary + "|" + c.Reason
	}
	want := map[string]string{
		"cluster": "cluster: not known|not_seen", "guests": "guests: under maintenance|maintenance", "host": "host: not known|source-blind",
		"network": "network: operational|bond-hash-layer2", "nodewatch": "nodewatch: operational|",
		"storage": "storage: major outage|libceph-crc-storm",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestALargeBodyIsCompressed(t *testing.T) {
	url, _, rec := backend(t, receiver.Config{}, nil)
	x := reporter(t, url, statefile.File{})
	for n, want := range map[uint64]string{1: "", 40: "gzip"} {
		if err := x.Report(t.Context(), withTransitions(calm(time.Duration(n)*time.Second), 1, n)); err != nil {
			t.Fatal(err)
		}
		for _, q := range rec.Drain() {
			raw := plain(t, q)
			if got := q.Header.Get("Content-Encoding"); len(raw) >= 4096 && got != "gzip" || len(raw) < 4096 && got != "" {
				t.Errorf("%d transitions, %d bytes: encoding %q, want %q", n, len(raw), got, want)
			}
		}
	}
}

func TestCheckNamesTheField(t *testing.T) {
	for _, c := range []struct{ url, id, field string }{
		{"https://192.0.2.10/status", "", ""}, {"http://192.0.2.10", "rl1/node2", ""},
		{"", "", "url"}, {"192.0.2.10", "", "url"}, {"https://me:" + token + "@192.0.2.10", "", "url"},
		{"https://192.0.2.10", "two words", "id"}, {"https://192.0.2.10", strings.Repeat("x", 257), "id"},
		{"https://192.0.2.10", "nöd", "id"},
	} {
		err := native.Config{URL: c.url, ID: c.id}.Check()
		switch wrong, ok := errors.AsType[*report.FieldError](err); {
		case c.field == "" && err != nil, c.field != "" && (!ok || wrong.Field != c.field), err != nil &&
			strings.Contains(err.Error(), token):
			t.Errorf("%q %q: %v", c.url, c.id, err)
		}
	}
}

// A test shows that everything is correct, is marked as a test, and leaves no trace.
func TestATestLeavesNoTrace(t *testing.T) {
	url, rc, rec := backend(t, receiver.Config{}, nil)
	x := reporter(t, url, statefile.File{})
	if err := x.Report(t.Context(), withTransitions(calm(0), 1, 1)); err != nil {
		t.Fatal(err)
	}
	rec.Drain()
	r := troubled()
	r.Test = true
	line, err := x.Test(t.Context(), r)
	if want := "acknowledged; the backend's clock is 2s ahead"; err != nil || line != want {
		t.Errorf("%q, %v, want %q", line, err, want)
	}
	var b native.Body
	if err := json.Unmarshal(plain(t, rec.Drain()[0]), &b); err != nil {
		t.Fatal(err)
	}
	if b.Test != "TEST from nodewatch on node2: please ignore" || len(b.Findings)+len(b.Transitions) != 0 || b.Final != nil {
		t.Errorf("%+v", b)
	}
	if got := rc.Node("rl1/node2"); got.Tests != 1 || len(got.Bodies) != 1 || len(got.Transitions) != 1 {
		t.Errorf("%d tests, %d bodies", got.Tests, len(got.Bodies))
	}
}

func TestAMissingTokenIsSaid(t *testing.T) {
	c := native.Config{URL: "http://192.0.2.1", Token: "/nowhere/token"}
	x, err := native.New(c, reporttest.Client(t, httpclient.Options{Agent: "nodewatch/1.2.3"}), statefile.File{})
	if err != nil {
		t.Fatal(err)
	}
	_, tested := x.Test(t.Context(), calm(0))
	for _, err := range []error{x.Report(t.Context(), calm(0)), tested} {
		if f := report.FailureOf(err); f == nil || f.Kind != report.Misconfigured || !strings.Contains(f.Error(), "/nowhere/token") {
			t.Errorf("%v", err)
		}
	}
}
