package kmsg

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// bootTime is the wall time of timestamp zero in the tests.
var bootTime = time.Date(2026, 11, 20, 14, 17, 0, 0, time.UTC)

// TestGolden compares the Batch of each whole sample with a golden file.
func TestGolden(t *testing.T) {
	for name, log := range samples(t) {
		got := summary(readBatch(log, bootTime, false))
		path := filepath.Join("testdata/golden", strings.ReplaceAll(name, "/", "_")+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// summary prints a Batch in a few lines: its numbers, then the totals of its Counts.
func summary(b Batch) string {
	sums := make(map[string]uint64)
	for _, c := range b.Counts {
		words := []string{string(c.Class), c.Peer, c.Device, c.Detail}
		if c.Errno != 0 {
			words = append(words, fmt.Sprint(c.Errno))
		}
		sums[strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")] += c.N
	}
	lines := make([]string, 0, len(sums))
	for what, n := range sums {
		lines = append(lines, fmt.Sprintf("%s: %d\n", what, n))
	}
	slices.Sort(lines)
	return fmt.Sprintf("records %d foreign %d lost %d malformed %d suppressed %d unsorted %d seq %d\n",
		b.Records, b.Foreign, b.Lost, b.Malformed, b.Suppressed, b.Overflowed, b.Seq) + strings.Join(lines, "")
}

// TestSamplesByHand compares with figures counted in the samples with grep,
// independently of the classifier.
func TestSamplesByHand(t *testing.T) {
	logs := samples(t)
	for _, want := range []struct {
		sample string
		class  Class
		n      uint64
	}{
		{"kmsg/crc-endless-20s.kmsg", CRC, 696 + 600},
		{"kmsg/crc-msgr1-burst.kmsg", CRC, 4},
		{"kmsg/crc-msgr2-burst.kmsg", CRC, 4},
		{"kmsg/crc-msgr1-header-crc.kmsg", CRC, 1},
		{"kmsg/crc-msgr2-preamble-crc.kmsg", CRC, 1},
		{"kmsg/crc-msgr1-write-data-damaged-on-its-way-to-the-osd.kmsg", CRC, 0},
		{"kmsg/crc-msgr1-write-data-damaged-on-its-way-to-the-osd.kmsg", ClosedOpen, 1},
		{"kmsg/blocklist.kmsg", RBDResult, 29},
		{"kmsg/blocklist.kmsg", RBDWatch, 9},
		{"kmsg/blocklist.kmsg", FSReadOnly, 1},
		{"kmsg/mon-lost.kmsg", MonLost, 2},
		{"kmsg/mon-lost.kmsg", MonFound, 2},
		{"kmsg/osd-kill.kmsg", OSDDown, 2},
		{"kmsg/osd-stopped.kmsg", HungTask, 10},
		{"kmsg/blackhole.kmsg", CRC, 0},
	} {
		var got uint64
		for _, c := range readBatch(logs[want.sample], bootTime, false).Counts {
			if c.Class == want.class {
				got += c.N
			}
		}
		if got != want.n {
			t.Errorf("%s: got %d of %s, want %d", want.sample, got, want.class, want.n)
		}
	}
}

// TestSamplesCRC: every lost session of every sample is one event that names the
// damaged part of the message.
func TestSamplesCRC(t *testing.T) {
	for name, log := range samples(t) {
		want := strings.Count(log, " bad crc/signature\n") + strings.Count(log, " integrity error, bad crc\n")
		got := 0
		for _, c := range readBatch(log, bootTime, false).Counts {
			if c.Class != CRC {
				continue
			}
			got += int(c.N)
			if c.Detail == "" || !strings.Contains(c.Text, " crc") || strings.Contains(c.Text, c.Addr) {
				t.Errorf("%s: got %+v, want the line before the fault", name, c)
			}
		}
		if got != want {
			t.Errorf("%s: got %d CRC faults, want %d", name, got, want)
		}
	}
}

// TestAnyFacility: the lab's marks have facility 1.
func TestAnyFacility(t *testing.T) {
	log := samples(t)["kmsg/crc-endless-20s.kmsg"]
	kernel, all := readBatch(log, bootTime, false), readBatch(log, bootTime, true)
	if kernel.Foreign != 1 || all.Foreign != 0 || all.Records != kernel.Records+1 {
		t.Errorf("got %d and %d foreign, want 1 and 0", kernel.Foreign, all.Foreign)
	}
}
