package legacy

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

const stalledID = "krbd-stalled"

// From 10 s without a completion it counts; the spread makes the severity.
func TestKrbdStalled(t *testing.T) {
	r := newRig(t, 20).run(10).stall(3).run(9)
	r.wantNone(stalledID, "")
	f := r.run(1).want(stalledID, "", report.Warning, report.PartialOutage)
	if want := "no completion for up to 10 s on 1 krbd disk of 1 VM, of 20 busy and 20 in all: rbd3 (rbd/vm-104-disk-0, vm104)"; f.Summary != want {
		t.Errorf("summary:\n%s\nwant:\n%s", f.Summary, want)
	}
	if !containsFact(f.Against, "libceph has logged no lost session in the last 5 min") || !containsFact(f.Evidence, "12 requests in flight, none completed for 10 s") {
		t.Errorf("evidence: %+v\nagainst: %+v", f.Evidence, f.Against)
	}
	r.run(49).want(stalledID, "", report.Warning, report.PartialOutage)
	r.run(1).want(stalledID, "", report.Critical, report.PartialOutage)

	r = newRig(t, 20).run(10).stall(3, 4).run(12)
	r.want(stalledID, "", report.Critical, report.PartialOutage)
	r.stall(5, 6, 7, 8, 9, 10, 11).run(12).want(stalledID, "", report.Critical, report.PartialOutage)
	r.stall(12).run(12).want(stalledID, "", report.Critical, report.MajorOutage)
	r.flow().run(19).want(stalledID, "", report.Critical, report.MajorOutage)
	r.run(2).wantNone(stalledID, "")
}

// One disk is never a spread, however few there are.
func TestKrbdStalledOneOfFew(t *testing.T) {
	r := newRig(t, 3).run(10)
	r.each(nil, func(d *rigDisk) { d.iops = 0 })
	r.stall(1).run(12).want(stalledID, "", report.Warning, report.PartialOutage)
	r.wait(1, 17, 1, "read").run(12) // the same disk, seen twice
	if f := r.want(stalledID, "", report.Warning, report.PartialOutage); !strings.Contains(f.Summary, "on 1 krbd disk of 1 VM, of 1 busy and 3 in all") {
		t.Errorf("summary: %s", f.Summary)
	}
}

func TestKrbdStalledNot(t *testing.T) {
	r := newRig(t, 3).run(10)
	r.each(nil, func(d *rigDisk) { d.iops = 0 }) // idle
	r.run(60).wantNone(stalledID, "")
	r.each(nil, func(d *rigDisk) { d.iops, d.InFlightR = 1, 128 }) // slow, but it goes on
	r.run(60).wantNone(stalledID, "")
	r.blind(node.Failed, node.SourceIO).stall().run(60).wantNone(stalledID, "")
}

// One and the same request for 10 s counts though the disk's other I/O goes on;
// watches wait by design.
func TestKrbdStalledRequest(t *testing.T) {
	r := newRig(t, 20).run(10).wait(5, 17, 1, "read").run(10)
	r.wantNone(stalledID, "")
	f := r.run(1).want(stalledID, "", report.Warning, report.PartialOutage)
	if !strings.Contains(f.Summary, "on 1 krbd disk of 1 VM") || !strings.Contains(f.Summary, "rbd5 (rbd/vm-106-disk-0, vm106); what osdc shows of it all waits for osd17") {
		t.Errorf("summary: %s", f.Summary)
	}
	if !strings.Contains(commands(f), "ceph osd find 17") {
		t.Errorf("commands:\n%s", commands(f))
	}
	r.pending = nil
	r.run(25).wantNone(stalledID, "")
	for _, ops := range []string{"watch-ping", "watch-reconnect", "notify", "call-lock/lock,watch"} {
		r.wait(5, 17, 1, ops).run(40).wantNone(stalledID, "")
	}
	r.wait(5, 17, 1, "read").run(5)
	for tid := range uint64(30) { // ever new ones
		r.pending[0].Requests[0].TID = 100 + tid
		r.run(1)
	}
	r.wantNone(stalledID, "")
	r.wait(5, 17, 1, "read")
	r.pending[0].ClientID = 99 // CephFS's, say
	r.run(40).wantNone(stalledID, "")
	r.wait(5, 17, 1, "read")
	r.pending[0].Requests[0].Object = "rbd_data.parent.0000000000000000" // a clone's parent
	if f := r.run(40).want(stalledID, "", report.Warning, report.PartialOutage); !strings.Contains(f.Summary, "1 request of no mapped image") {
		t.Errorf("summary: %s", f.Summary)
	}
	r.mapped[7].ImageID = "" // could not be read
	r.pending[0].Requests[0].Object = "something"
	if f := r.run(10).want(stalledID, "", report.Warning, report.PartialOutage); !strings.Contains(f.Summary, "1 request of no mapped image") {
		t.Errorf("summary: %s", f.Summary)
	}
}

// Requests that wait for several OSDs, or for none, are no OSD's fault.
func TestKrbdStalledAtSeveralOSDs(t *testing.T) {
	for _, osd := range []int{3, -1} {
		r := newRig(t, 4).run(10).wait(0, osd, 1, "read")
		two := r.pending
		r.wait(1, 17, 1, "write")
		r.pending[0].Requests = append(r.pending[0].Requests, two[0].Requests[0])
		r.pending[0].Requests[1].TID = 3
		if f := r.run(15).want(stalledID, "", report.Critical, report.MajorOutage); strings.Contains(f.Summary, "what osdc shows") {
			t.Errorf("summary: %s", f.Summary)
		}
		r.pending = two
		f := r.run(45).want(stalledID, "", report.Warning, report.PartialOutage)
		if one := strings.Contains(f.Summary, "what osdc shows"); one != (osd == 3) {
			t.Errorf("osd %d: %s", osd, f.Summary)
		}
	}
}

// A request that osdc shows of one disk says nothing of the others.
func TestKrbdStalledNamesNoOSDForMany(t *testing.T) {
	f := newRig(t, 20).run(10).stall().wait(0, 1, 1, "read").run(15).want(stalledID, "", report.Critical, report.MajorOutage)
	if strings.Contains(f.Summary, "osd1") || strings.Contains(commands(f), "osd find") {
		t.Errorf("summary: %s", f.Summary)
	}
}

func TestKrbdStalledReasons(t *testing.T) {
	r := newRig(t, 4).run(10).log(kmsg.Full, "", 1).stall().run(12)
	r.blind(node.Absent, node.SourceOSDC).run(1)
	f := r.want(stalledID, "", report.Critical, report.MajorOutage)
	if !strings.HasSuffix(f.Summary, "the cluster or a pool is full") || !containsFact(f.Against, "osdc cannot be read") {
		t.Errorf("summary: %s\nagainst: %+v", f.Summary, f.Against)
	}
}

func TestKrbdStalledStaysWhileBlind(t *testing.T) {
	r := newRig(t, 4).run(10).stall().run(15).blind(node.Failed, node.SourceIO).run(120)
	if f := r.want(stalledID, "", report.Critical, report.MajorOutage); f.State != report.Blind {
		t.Errorf("state %q", f.State)
	}
	r.blind("", node.SourceIO).flow().run(30).wantNone(stalledID, "")
}

// What is called stuck is what the rule goes by.
func TestStuckIsWhatTheRuleSays(t *testing.T) {
	b := defaults()
	if got := StuckAfter(b); got != 10*time.Second {
		t.Errorf("got %s by default", got)
	}
	r, _ := b.Rule(stalledID)
	if err := rule.SetLimit(&r, "stalled", "45s"); err != nil {
		t.Fatal(err)
	}
	if got := StuckAfter(b); got != 45*time.Second {
		t.Errorf("got %s, want the 45 s that are set", got)
	}
	set, err := b.Settings()
	if err != nil {
		t.Fatal(err)
	}
	if got := StuckAfter(defaults().With(set)); got != 45*time.Second {
		t.Errorf("got %s from a tape", got)
	}
	if got := StuckAfter(b.Without(stalledID)); got != 10*time.Second {
		t.Errorf("got %s with the rule off, want its default", got)
	}
}
