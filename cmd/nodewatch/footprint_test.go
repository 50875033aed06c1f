package main

import (
	"flag"
	"io"
	"net/http"
	"testing"
	"time"
)

var (
	footprintTime   = flag.Duration("footprint", time.Minute, "how long BenchmarkFootprint watches the daemon, at each size")
	footprintBinary = flag.String("nodewatch", "",
		"the nodewatch that BenchmarkFootprint and BenchmarkFlood run; default: one that they build")
)

// Prometheus scrapes every 15 s, and the page is requested now and then.
const (
	footprintScrape = 15 * time.Second
	footprintLook   = 25 * time.Second
)

// BenchmarkFootprint measures the cost of the daemon: the static binary runs as a
// child on a simulated hypervisor with I/O on its disks, and its metrics and page are
// requested. It reports the CPU time from the first verdict on, in percent of one
// core, and the resident memory, of the daemon and of its probe. They share the pages
// of their binary with the two launchers; MiB-all counts these pages once.
func BenchmarkFootprint(b *testing.B) {
	for _, h := range []hypervisor{
		{name: "incident", disks: 78, guests: 65, bonds: 1, sessions: 182},
		{name: "incident-storm", disks: 78, guests: 65, bonds: 1, sessions: 182, storm: true, lines: 300},
		{name: "tenfold", disks: 780, guests: 650, bonds: 4, sessions: 1820},
	} {
		b.Run(h.name, func(b *testing.B) {
			for b.Loop() {
				footprint(b, h)
			}
		})
	}
}

func footprint(b *testing.B, h hypervisor) {
	h.build(b)
	n := newNamespace(b)
	h.links(b, n)
	h.open(b)
	d := startDaemon(b, buildDaemon(b), n, "NODEWATCH_TEST_ROOT="+h.root, "NODEWATCH_TEST_ANY_FACILITY=1", "RUNTIME_DIRECTORY="+b.TempDir())
	started := d.spent(b)
	probe := d.probe(b)
	began, before, probeBefore := time.Now(), started, probe.spent(b)
	d.watch(b, &h)
	wall := time.Since(began)
	percent := func(cpu time.Duration) float64 { return 100 * cpu.Seconds() / wall.Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1000*started.Seconds(), "ms-to-start")
	b.ReportMetric(percent(d.spent(b)-before), "%core")
	b.ReportMetric(percent(probe.spent(b)-probeBefore), "%core-probe")
	b.ReportMetric(d.memory(b, "status", "VmRSS"), "MiB")
	b.ReportMetric(d.memory(b, "status", "VmHWM"), "MiB-peak")
	b.ReportMetric(probe.memory(b, "status", "VmRSS"), "MiB-probe")
	all := d.memory(b, "smaps_rollup", "Pss")
	for p := range d.descendants() {
		all += p.memory(b, "smaps_rollup", "Pss")
	}
	b.ReportMetric(all, "MiB-all")
}

// watch updates the hypervisor's counters each second and sends the daemon the usual
// requests, for the time set by the flag.
func (d *child) watch(b *testing.B, h *hypervisor) {
	second := time.NewTicker(time.Second)
	scrape := time.NewTicker(footprintScrape)
	look := time.NewTicker(footprintLook)
	defer second.Stop()
	defer scrape.Stop()
	defer look.Stop()
	end := time.After(*footprintTime)
	for {
		select {
		case <-second.C:
			h.move(b)
		case <-scrape.C:
			d.get(b, "/metrics")
		case <-look.C:
			d.get(b, "/")
			d.get(b, "/api/v1/report")
		case <-end:
			return
		}
	}
}

// get requests a path of the daemon, and fails without a non-empty response.
func (d *child) get(b testing.TB, path string) []byte {
	b.Helper()
	resp, err := d.client.Get(d.url + path)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || len(body) == 0 {
		b.Fatalf("%s: %s, %d bytes, %v", path, resp.Status, len(body), err)
	}
	return body
}
