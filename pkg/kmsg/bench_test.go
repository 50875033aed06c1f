package kmsg

import (
	"fmt"
	"testing"
	"time"
)

// perRecord reports how many records per second one core processes.
func perRecord(b *testing.B, records int) {
	b.ReportMetric(float64(b.N)*float64(records)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIgnored: lines of a boot that are of no interest.
func BenchmarkIgnored(b *testing.B) {
	var lines [][]byte
	for _, text := range texts(b, samples(b)["kmsg/boot-bond-krbd-map.kmsg"]) {
		if lineOf(text).Class == Other {
			lines = append(lines, encode(record{Level: 6, Text: text}))
		}
	}
	benchmarkTally(b, lines)
}

// BenchmarkFlood: the lines of a storm of 182 OSDs.
func BenchmarkFlood(b *testing.B) {
	benchmarkTally(b, floodLines(2000))
}

// BenchmarkForms: one of each known line.
func BenchmarkForms(b *testing.B) {
	var lines [][]byte
	for _, s := range allForms() {
		lines = append(lines, encode(record{Level: 4, Text: s.text}))
	}
	benchmarkTally(b, lines)
}

func benchmarkTally(b *testing.B, lines [][]byte) {
	var t Aggregator
	b.ReportAllocs()
	for b.Loop() {
		for _, line := range lines {
			t.Add(line)
		}
	}
	b.StopTimer()
	perRecord(b, len(lines))
}

// BenchmarkClassify: classification only, without the record format.
func BenchmarkClassify(b *testing.B) {
	for _, text := range []string{
		"libceph: osd112 (1)192.0.2.5:6801 bad crc/signature",
		"libceph: read_partial_message 000000001aeb2407 data crc 3731484987 != exp. 744955593",
		"RSP: 002b:00007ffc6a0daac8 EFLAGS: 00000202 ORIG_RAX: 000000000000004a",
	} {
		b.Run(text[:20], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				lineOf(text)
			}
		})
	}
}

// floodLines returns n records of the storm, with the reason and the fault
// alternating.
func floodLines(n int) [][]byte {
	lines := make([][]byte, n)
	for i := range lines {
		osd, stamp := i/2%182, 1000*time.Second+time.Duration(i)*53*time.Microsecond
		r := record{Level: 3, Seq: uint64(i), Stamp: stamp,
			Text: fmt.Sprintf("libceph: read_partial_message 000000001aeb%04x data crc %d != exp. 744955593", osd, i)}
		if i%2 == 1 {
			r.Level, r.Text = 4, fmt.Sprintf("libceph: osd%d (1)192.0.2.%d:%d bad crc/signature", osd, osd/10+1, 6800+osd%10)
		}
		lines[i] = encode(r)
	}
	return lines
}
