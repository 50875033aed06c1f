package bond

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkDecode decodes the full dump of a host with 3,000 links, which is read
// every 30 s.
func BenchmarkDecode(b *testing.B) {
	messages := crowd(3000)
	b.ReportAllocs()
	for b.Loop() {
		linksOf(messages, nil, nil)
	}
}

// BenchmarkFollowTap applies one event of a starting guest.
func BenchmarkFollowTap(b *testing.B) {
	f := follower{graph: graph{map[int]link{}, link.hardware}}
	f.graph.add(crowd(3000))
	tap := message(5000, "tap900i0", kind("tun"), master(4))
	b.ReportAllocs()
	for b.Loop() {
		f.apply(unix.RTM_NEWLINK, tap)
	}
}

// BenchmarkFollowBridge applies one event of a link that may matter.
func BenchmarkFollowBridge(b *testing.B) {
	f := follower{graph: graph{map[int]link{}, link.hardware}}
	f.graph.add(crowd(3000))
	bridge := event(unix.RTM_NEWLINK, message(5000, "fwbr900i0", kind(kindBridge)))
	b.ReportAllocs()
	for b.Loop() {
		f.take([]syscall.NetlinkMessage{bridge})
	}
}

// BenchmarkCounters reads the counters of one link from this machine's sysfs, as is
// done every second.
func BenchmarkCounters(b *testing.B) {
	r := &Reader{sys: os.DirFS("/sys"), meters: map[int]*meter{}}
	defer r.Close()
	r.remember(Links{NICs: []NIC{{Name: "lo", Index: 1}}})
	if got, err := r.Counters(b.Context(), []int{1}); err != nil || len(got) != 1 {
		b.Skipf("skipped: lo is not link 1 of /sys here: %v", err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Counters(b.Context(), []int{1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead makes a full dump of this machine.
func BenchmarkRead(b *testing.B) {
	r, err := NewReader(os.DirFS("/sys"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
