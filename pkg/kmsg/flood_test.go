package kmsg

import (
	"bytes"
	"testing"
	"time"
)

// The number of records of the storm in the incident: 56,477 in three seconds.
const floodSize = 56_477

// TestFlood: the kernel overruns the reader repeatedly. Read records are counted
// exactly by class and OSD, and the others exactly as lost.
func TestFlood(t *testing.T) {
	g := newRing()
	g.capacity, g.mono = 1200, 1000*second // a ring of 128 KiB
	r := g.open(Position{})
	next(t, r, 0)

	lines := floodLines(floodSize)
	for i, line := range lines {
		g.later = append(g.later, event{at: 1000*second + time.Duration(i)*53*time.Microsecond, record: line})
	}
	reads := 0
	g.onRead = func(g *ring) {
		reads++
		g.mono += 20 * time.Microsecond
		if reads%4999 == 0 { // the reader is not scheduled for a while
			g.mono += 200 * time.Millisecond
		}
	}
	var records, lost, faults, batches uint64
	byOSD := make(map[string]uint64)
	for len(g.later) > 0 || g.pos < g.end() {
		b := next(t, r, 100*time.Millisecond)
		batches++
		records, lost = records+b.Records, lost+b.Lost
		for _, c := range b.Counts {
			if c.Class != CRC {
				t.Fatalf("got %+v, want CRC faults", c)
			}
			faults += c.N
			byOSD[c.Peer] += c.N
		}
		if b.Overflowed+b.Malformed+b.Foreign != 0 || b.History {
			t.Fatalf("got %+v", b)
		}
	}
	if records+lost != floodSize || lost == 0 || records != uint64(len(g.handed)) {
		t.Errorf("got %d records and %d lost, handed out %d of %d", records, lost, len(g.handed), floodSize)
	}
	want := make(map[string]uint64)
	var all uint64
	for _, seq := range g.handed {
		fault, found := bytes.CutSuffix(lines[seq], []byte(" bad crc/signature\n"))
		if _, named, _ := bytes.Cut(fault, []byte("libceph: ")); found {
			osd, _, _ := bytes.Cut(named, []byte(" "))
			want[string(osd)]++
			all++
		}
	}
	if faults != all || len(byOSD) != 182 {
		t.Errorf("got %d faults of %d OSDs, want %d of 182", faults, len(byOSD), all)
	}
	for osd, n := range want {
		if byOSD[osd] != n {
			t.Errorf("%s: got %d faults, want %d", osd, byOSD[osd], n)
		}
	}
	t.Logf("%d records read and %d lost in %d batches", records, lost, batches)
}

// TestFloodWithoutLoss: with a large enough ring no record is lost, and a few Batches
// hold all of them.
func TestFloodWithoutLoss(t *testing.T) {
	g := newRing()
	g.mono = 1000 * second
	r := g.open(Position{})
	next(t, r, 0)
	for _, line := range floodLines(floodSize) {
		g.put(line)
	}
	b := next(t, r, second)
	var faults uint64
	for _, c := range b.Counts {
		faults += c.N
		if c.Detail != "data" {
			t.Fatalf("got %+v, want its reason", c)
		}
	}
	if b.Records != floodSize || b.Lost != 0 || faults != floodSize/2 {
		t.Errorf("got %d records, %d lost, %d faults; want %d, 0, %d", b.Records, b.Lost, faults, floodSize, floodSize/2)
	}
}
