package node

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// entriesOf returns n observations of all kinds in random order, some of them as
// decoded from a tape, with ticks between them, over a few seconds.
func entriesOf(r *rand.Rand, n int) []Entry {
	var list []Entry
	for i := range n {
		second := 66 + 5*i/n
		all := samples(second)
		names := sortedKeys(all)
		name := names[r.IntN(len(names))]
		e := Entry{At: after(float64(second)), Obs: all[name]}
		switch o := e.Obs.(type) {
		case SawKernel:
			e.Obs = &o
		case SawQEMU:
			e.Obs = &o
		case Started:
			if r.IntN(4) > 0 { // most lists continue with previous values
				e.Obs = nil
			}
		}
		list = append(list, e)
	}
	return list
}

// Applying entries together has the same result as applying them one by one, and does
// not change the previous snapshot. The Judge may therefore apply its queue in groups
// of any size: the maximum length of the queue affects the cost of a second but not the
// reports.
func TestTakeAllIsTakeOfEach(t *testing.T) {
	base, untouched := lived(), lived()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		list := entriesOf(r, 1+r.IntN(40))
		each := base
		for _, e := range list {
			each = each.Take(e)
		}
		at := r.IntN(len(list) + 1)
		first := base.TakeAll(list[:at])
		kept := base.TakeAll(list[:at])
		if diff := cmp.Diff(each, first.TakeAll(list[at:]), whole); diff != "" {
			t.Fatalf("seed %d (-each +all):\n%s", seed, diff)
		}
		if diff := cmp.Diff(kept, first, whole); diff != "" {
			t.Fatalf("seed %d: what came after changed the snapshot (-before +after):\n%s", seed, diff)
		}
	}
	if diff := cmp.Diff(untouched, base, whole); diff != "" {
		t.Fatalf("it changed the snapshot it was applied to (-before +after):\n%s", diff)
	}
}

// The place stored for an OSD's number is only used if the series there is the right
// one: an OSD may have several details or a different spelling of its name, and a
// name may not be that of an OSD.
func TestSeriesOfOneNumberAreDistinguished(t *testing.T) {
	counts := []kmsg.Count{
		{Class: kmsg.CRC, Peer: "osd7", Detail: "data"}, {Class: kmsg.CRC, Peer: "osd7", Detail: "front"},
		{Class: kmsg.CRC, Peer: "osd007"},
		{Class: kmsg.CRC, Peer: "osd7", Device: "rbd1"}, {Class: kmsg.CRC, Peer: "osd7", Errno: -5}, {Class: kmsg.CRC, Peer: "osd99999"},
		{Class: kmsg.CRC, Peer: "osd16383"}, {Class: kmsg.CRC, Peer: "osd16384"}, {Class: kmsg.CRC, Peer: "osd"},
		{Class: kmsg.CRC, Peer: "osd-1"},
		{Class: kmsg.CRC, Peer: "mon7"}, {Class: kmsg.ClosedOpen, Peer: "osd7"}, {Class: kmsg.BondSlaveDown, Device: "bond0/eth0"},
	}
	s := Snapshot{}
	for n := range 3 {
		s = lines(s, float64(n), counts...)
		// a new series that moves the places of the others
		s = lines(s, float64(n), kmsg.Count{Class: kmsg.AuthFault, Peer: peers(kmsg.AuthFault, n, 1)[0].Peer})
	}
	for _, c := range counts {
		at := s.Kernel.places[Key{c.Class, c.Peer, c.Device, c.Errno, c.Detail}]
		if got := s.Kernel.Series[at]; !got.is(&c) || got.Total != 3 {
			t.Errorf("%+v: got %d lines of %+v, want 3", c, got.Total, got.Key)
		}
	}
	if want := len(counts) + 3; len(s.Kernel.Series) != want {
		t.Errorf("got %d series, want %d", len(s.Kernel.Series), want)
	}
}

// FuzzRun: applying lines in many batches of one run has the same result as applying
// them one by one, and does not change the previous log.
func FuzzRun(f *testing.F) {
	f.Add([]byte{40, 41, 42, 250, 0, 1}, uint8(3))
	f.Add([]byte{33, 18, 18, 0, 33}, uint8(2)) // a series moves to the place of one that the run has copied
	f.Fuzz(func(t *testing.T, what []byte, cut uint8) {
		batches := func(what []byte) (list []Entry) {
			for _, b := range what {
				at := after(float64(b) / 4)
				c := kmsg.Count{Class: []kmsg.Class{kmsg.CRC, kmsg.ClosedOpen, kmsg.HungTask}[b%3], Peer: fmt.Sprint("osd", b%16),
					N: uint64(b) + 1, First: at, Last: at}
				list = append(list, Entry{At: after(70), Obs: SawKernel{read(70, kmsg.Batch{Counts: []kmsg.Count{c}, Records: 1})}})
			}
			return list
		}
		at := min(int(cut), len(what))
		before, untouched := Snapshot{}.TakeAll(batches(what[:at])), Snapshot{}.TakeAll(batches(what[:at]))
		each := before
		for _, e := range batches(what[at:]) {
			each = each.Take(e)
		}
		if diff := cmp.Diff(each, before.TakeAll(batches(what[at:])), whole); diff != "" {
			t.Fatalf("one by one and in a run (-each +run):\n%s", diff)
		}
		if diff := cmp.Diff(untouched, before, whole); diff != "" {
			t.Fatalf("the log before was changed (-before +after):\n%s", diff)
		}
	})
}
