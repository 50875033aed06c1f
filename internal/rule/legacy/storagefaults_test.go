package legacy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// Lines of several classes about one OSD count together, each in its window; the
// five OSDs with the most come first, in order.
func TestTally(t *testing.T) {
	r := newRig(t, 1).run(2)
	for i, n := range map[int]uint64{1: 3, 3: 1, 10: 2, 9: 2, 12: 9} {
		r.log(kmsg.CRC, fmt.Sprintf("osd%d", i), n)
	}
	r.add(kmsg.Count{Class: kmsg.CRC, Peer: "osd3", Detail: "front", N: 2})
	r.log(kmsg.ClosedOpen, "osd2", 1).log(kmsg.ClosedOpen, "osd3", 4).log(kmsg.SocketError, "osd3", 1).log(kmsg.SocketError, "osd50", 7).log(kmsg.SocketError, "mon0", 9)
	r.run(12).log(kmsg.CRC, "osd2", 1).log(kmsg.ClosedOpen, "osd12", 1).add(kmsg.Count{Class: kmsg.CRC, Peer: "osd1", Detail: "front", N: 1}).run(1)
	in := Input{Snapshot: r.view.Snapshot}
	tally := tally{crc: []kmsg.Class{kmsg.CRC}, crcWindow: 20 * time.Second, others: []kmsg.Class{kmsg.ClosedOpen, kmsg.SocketError}, window: time.Minute}
	list := tally.count(in)
	got := ""
	for i, f := range list {
		if i < 5 {
			got += fmt.Sprintf("%s %d+%d/%d ", f.osd, f.crc, f.others, f.damage)
		}
	}
	if want := "osd12 9+1/0 osd3 3+5/2 osd50 0+7/0 osd1 4+0/1 osd2 1+1/0 "; got != want || len(list) != 7 {
		t.Errorf("%d: %s\nwant %s", len(list), got, want)
	}
	if list[4].line.Class != kmsg.CRC || list[0].line.Class != kmsg.ClosedOpen || list[3].line.Detail != "front" {
		t.Errorf("the latest lines of osd2, osd12 and osd1 are %s, %s and %q", list[4].line.Class, list[0].line.Class, list[3].line.Detail)
	}
	tally.crcWindow = 5 * time.Second
	if list := tally.count(in); len(list) != 5 || list[2].osd != "osd2" || list[2].crc != 1 {
		t.Errorf("in 5 s: %+v", list)
	}
}

// Evidence tells of five OSDs and names the rest.
func TestFaultEvidence(t *testing.T) {
	r := newRig(t, 1).run(2)
	for i := range 20 {
		r.log(kmsg.CRC, fmt.Sprintf("osd%d", i), uint64(30-i))
	}
	r.run(1)
	tally := tally{crc: []kmsg.Class{kmsg.CRC}, crcWindow: 10 * time.Second}
	list := faultEvidence(tally.count(Input{Snapshot: r.view.Snapshot}), tally)
	if len(list) != 6 || list[0].Fact != "osd0 at 192.0.2.30:6801: 30 CRC faults in the last 10 s; the latest: crc-fault osd0" || !strings.HasPrefix(list[4].Fact, "osd4 ") || !strings.HasSuffix(list[5].Fact, " and 7 more") {
		t.Errorf("%+v", list)
	}
}

// The first five stand in order, whatever the list; none is lost.
func TestForemost(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		list := make([]int, rnd.IntN(12))
		for i := range list {
			list[i] = rnd.IntN(8)
		}
		sorted := slices.Sorted(slices.Values(list))
		foremost(list, func(a, b *int) bool { return *a < *b })
		if n := min(5, len(list)); !slices.Equal(list[:n], sorted[:n]) || !slices.Equal(slices.Sorted(slices.Values(list)), sorted) {
			t.Fatalf("%v, of %v", list, sorted)
		}
	}
}
