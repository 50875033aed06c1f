package node

import (
	"fmt"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// BenchmarkSawKernel measures a quarter of a second of a storm in which each of 1,820
// sessions is lost seven times.
func BenchmarkSawKernel(b *testing.B) {
	var counts []kmsg.Count
	for i := range 1820 {
		counts = append(counts, kmsg.Count{Class: kmsg.CRC, Peer: fmt.Sprintf("osd%d", i), Addr: fmt.Sprintf("192.0.2.%d:6800", i%250),
			N: 7, Text: "libceph: osd (1) bad crc/signature"})
	}
	s, at := Snapshot{}, 0.0
	b.ReportAllocs()
	for b.Loop() {
		at += 0.25
		for i := range counts {
			counts[i].First, counts[i].Last = after(at), after(at)
		}
		s = took(s, at, SawKernel{read(at, kmsg.Batch{Counts: counts, Records: 25480})})
	}
}
