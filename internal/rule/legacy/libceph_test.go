package legacy

import (
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A single fault is worth a warning, many are felt; it ends with its window.
func TestLibcephCRC(t *testing.T) {
	const id = "libceph-crc"
	r := newRig(t, 4).run(10)
	r.log(kmsg.CRC, "mds0", 5).log(kmsg.ClosedOpen, "osd2", 9).run(1).wantNone(id, "")
	f := r.log(kmsg.CRC, "osd2", 1).run(1).want(id, "", report.Warning, report.Operational)
	if want := "1 CRC fault in the last 5 min lost sessions with osd2, the latest at 03:00:11"; !strings.Contains(f.Summary, want) {
		t.Errorf("summary: %s", f.Summary)
	}
	if !containsFact(f.Against, "krbd I/O goes on") || !containsFact(f.Against, "no Windows guest") || !has(f.Against, wire) {
		t.Errorf("against: %+v", f.Against)
	}
	r.log(kmsg.CRC, "osd2", 8).run(1).want(id, "", report.Warning, report.Operational)
	f = r.log(kmsg.Integrity, "osd3", 1).run(1).want(id, "", report.Warning, report.DegradedPerformance)
	if !strings.Contains(f.Summary, "10 CRC faults in the last 5 min lost sessions with 2 OSDs") {
		t.Errorf("summary: %s", f.Summary)
	}
	if f, _ := r.stall(1).run(5).flow().find("libceph-crc", ""); containsFact(f.Against, "krbd I/O goes on") {
		t.Errorf("against: %+v", f.Against)
	}
	r.run(280).want(id, "", report.Warning, report.DegradedPerformance)
	r.run(25).wantNone(id, "")
}

// What may be the reason is among the evidence, and in the advice.
func TestLibcephCRCContext(t *testing.T) {
	r := newRig(t, 2)
	windows(r)
	r.nics[1].crc = 3
	f := r.run(70).log(kmsg.CRC, "osd2", 1).run(1).want("libceph-crc", "", report.Warning, report.Operational)
	if !has(f.Evidence, buffers) || !has(f.Evidence, wire) || has(f.Against, wire) {
		t.Errorf("evidence: %+v\nagainst: %+v", f.Evidence, f.Against)
	}
	for _, want := range []string{"rbd device map --options rxbounce rbd/vm-103-disk-0", "ethtool -S eth1 | grep -i crc"} {
		if !strings.Contains(commands(f), want) {
			t.Errorf("no command %q in\n%s", want, commands(f))
		}
	}
}

func TestLibcephCRCStaysWhileBlind(t *testing.T) {
	r := newRig(t, 2).run(10).log(kmsg.CRC, "osd2", 1).run(1).blind(node.Denied, node.SourceKmsg).run(900)
	if f := r.want("libceph-crc", "", report.Warning, report.Operational); f.State != report.Blind {
		t.Errorf("state %q", f.State)
	}
	r.blind("", node.SourceKmsg).run(2).wantNone("libceph-crc", "")
}

// The write side of a storm shows as nothing but closed sessions.
func TestLibcephSessionLoop(t *testing.T) {
	const id = "libceph-session-loop"
	for name, c := range map[string]struct {
		do   func(*rig)
		want bool
	}{
		"5 closed in 60 s": {func(r *rig) {
			for range 5 {
				r.log(kmsg.ClosedOpen, "osd3", 1).run(11)
			}
		}, true},
		"4 closed":                      {func(r *rig) { r.log(kmsg.ClosedOpen, "osd3", 4).run(1) }, false},
		"closed and broken":             {func(r *rig) { r.log(kmsg.ClosedOpen, "osd3", 2).log(kmsg.SocketError, "osd3", 3).run(1) }, true},
		"5 in more than 60 s":           {func(r *rig) { r.log(kmsg.ClosedOpen, "osd3", 4).run(60).log(kmsg.ClosedOpen, "osd3", 1).run(1) }, false},
		"over two OSDs":                 {func(r *rig) { r.log(kmsg.ClosedOpen, "osd3", 4).log(kmsg.ClosedOpen, "osd4", 4).run(1) }, false},
		"of a monitor":                  {func(r *rig) { r.log(kmsg.ClosedOpen, "mon0", 9).run(1) }, false},
		"before the session was opened": {func(r *rig) { r.log(kmsg.Closed, "osd3", 9).run(1) }, false},
		"the OSD is down":               {func(r *rig) { r.log(kmsg.ClosedOpen, "osd3", 9).log(kmsg.OSDDown, "osd3", 1).run(1) }, false},
		"by many clients as the OSD goes down": {func(r *rig) {
			r.log(kmsg.ClosedOpen, "osd3", 9).log(kmsg.OSDDown, "osd3", 1).run(8).log(kmsg.ClosedOpen, "osd3", 9).run(20)
		}, false},
		"again after the OSD was down": {func(r *rig) {
			r.log(kmsg.ClosedOpen, "osd3", 9).log(kmsg.OSDDown, "osd3", 1).run(13).log(kmsg.ClosedOpen, "osd3", 5).run(1)
		}, true},
		"4 after the OSD was down": {func(r *rig) {
			r.log(kmsg.ClosedOpen, "osd3", 9).log(kmsg.OSDDown, "osd3", 1).run(13).log(kmsg.ClosedOpen, "osd3", 4).run(1)
		}, false},
		"the cluster is full": {func(r *rig) { r.log(kmsg.ClosedOpen, "osd3", 9).log(kmsg.Full, "", 1).run(1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2).run(10)
			c.do(r)
			if c.want {
				f := r.want(id, "", report.Warning, report.DegradedPerformance)
				if !strings.Contains(commands(f), "ceph osd find 3\nping -M do -c 3 -s 8972 192.0.2.33") {
					t.Errorf("commands:\n%s", commands(f))
				}
				r.run(95).wantNone(id, "")
			} else {
				r.wantNone(id, "")
			}
		})
	}
}
