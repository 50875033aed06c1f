package legacy

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// saturated fills eth0 and drops frames for half a minute before the first fault.
func saturated(r *rig) *rig {
	r.run(70).carry(0, 9.8, 1)
	r.nics[0].drops = 5000
	return r.run(30)
}

func windows(r *rig) { r.addVM("win1", "windows") }

// Each mechanism is named when the evidence separates it from its rivals, and
// none is when it does not.
func TestStormCause(t *testing.T) {
	for name, c := range map[string]struct {
		before   func(*rig)
		storm    func(*rig)
		cause    string // in the summary; empty: none is named
		fors     []string
		againsts []string
	}{
		"saturation": {
			func(r *rig) { saturated(r) }, func(r *rig) { r.crcLoop(8, 15) },
			"saturation came first", []string{saturation}, []string{saturation, buffers, sparseState, oneOSD, wire},
		},
		"saturation, and the OSDs close": {
			func(r *rig) { saturated(r) }, func(r *rig) {
				for range 15 {
					r.log(kmsg.ClosedOpen, "osd1", 1).log(kmsg.ClosedOpen, "osd2", 1).run(1)
				}
			}, "saturation came first", []string{saturation}, []string{buffers, sparseState, oneOSD, wire},
		},
		"saturation with exposed Windows guests": {
			func(r *rig) { windows(r); saturated(r) }, func(r *rig) { r.crcLoop(8, 15) },
			"", []string{saturation, "rxbounce"}, []string{saturation, sparseState, oneOSD, wire},
		},
		"Windows on calm links": {
			func(r *rig) { windows(r); r.run(100) }, func(r *rig) { r.crcLoop(8, 15) },
			"points to guests that change pages", []string{buffers}, []string{saturation, sparseState, oneOSD, wire},
		},
		"Windows, but headers are damaged": {
			func(r *rig) { windows(r); r.run(100) }, func(r *rig) {
				for range 5 {
					r.add(kmsg.Count{Class: kmsg.CRC, Peer: "osd9", Detail: "front", N: 2}).crcLoop(8, 1)
				}
			}, "", nil, []string{saturation, buffers, sparseState, oneOSD, wire},
		},
		"no Windows on calm links": {
			func(r *rig) { r.run(100) }, func(r *rig) { r.crcLoop(8, 15) },
			"", nil, []string{saturation, buffers, sparseState, oneOSD, wire},
		},
		"options not readable": {
			func(r *rig) { r.mapped[0].Options = nil; saturated(r) }, func(r *rig) { r.crcLoop(8, 15) },
			"", []string{saturation}, []string{saturation, sparseState, oneOSD, wire},
		},
		"a guest's system is not known": {
			func(r *rig) { r.addVM("x", ""); saturated(r) }, func(r *rig) { r.crcLoop(8, 15) },
			"", []string{saturation}, []string{saturation, sparseState, oneOSD, wire},
		},
		"the sparse-read loop, whatever else": {
			func(r *rig) { r.host.Release, r.host.Version = "6.12.43", ""; saturated(r) }, func(r *rig) {
				for range 5 {
					r.log(kmsg.SparseRead, "osd3", 3).run(1)
				}
			}, "the kernel is in its sparse-read loop", []string{saturation, sparseState}, []string{buffers, wire},
		},
		"one OSD": {
			func(r *rig) { r.log(kmsg.OSDUp, "osd7", 1).run(100) }, func(r *rig) { r.crcLoop(1, 15) },
			"only one OSD", []string{oneOSD}, []string{saturation, buffers, sparseState, wire},
		},
		"one OSD, with exposed Windows guests": {
			func(r *rig) { windows(r); r.log(kmsg.OSDUp, "osd7", 1).run(100) }, func(r *rig) { r.crcLoop(1, 15) },
			"only one OSD", []string{oneOSD}, []string{saturation, buffers, sparseState, wire},
		},
		"one OSD, too early to tell": {
			func(r *rig) { r.log(kmsg.OSDUp, "osd7", 1).run(100) }, func(r *rig) { r.crcLoop(1, 6) },
			"", nil, []string{saturation, buffers, sparseState, wire},
		},
		"one OSD, few faults": {
			func(r *rig) { r.log(kmsg.OSDUp, "osd7", 1).run(100) }, func(r *rig) {
				for range 9 {
					r.crcLoop(1, 1).run(3)
				}
			}, "", nil, []string{saturation, buffers, sparseState, wire},
		},
		"one OSD, many faults in a moment": {
			func(r *rig) { r.log(kmsg.OSDUp, "osd7", 1).run(100) }, func(r *rig) { r.run(3).log(kmsg.CRC, "osd1", 40).run(1) },
			"", nil, []string{saturation, buffers, sparseState, wire},
		},
		"one bad frame": {
			func(r *rig) { r.run(70); r.nics[1].crc = 1; r.run(1); r.nics[1].crc = 0; r.run(29) }, func(r *rig) { r.crcLoop(8, 15) },
			"", nil, []string{saturation, buffers, sparseState, oneOSD, wire},
		},
		"saturation and the wire": {
			func(r *rig) { r.nics[1].crc = 7; saturated(r) }, func(r *rig) { r.crcLoop(8, 15) },
			"", []string{saturation, wire}, []string{saturation, buffers, sparseState, oneOSD},
		},
		"a few sparse-read lines in a CRC loop": {
			func(r *rig) { r.run(100) }, func(r *rig) { r.log(kmsg.SparseRead, "", 3).crcLoop(8, 6) },
			"", nil, []string{saturation, buffers, oneOSD, wire},
		},
		"the only OSD that is known": {
			func(r *rig) { r.run(100) }, func(r *rig) { r.crcLoop(1, 15) },
			"", nil, []string{saturation, buffers, sparseState, wire},
		},
		"the only OSD that is known, and other disks go on": {
			func(r *rig) {
				for range 6 {
					r.addVM("x", "linux")
				}
				r.run(100)
			}, func(r *rig) { r.flow().stall(0).crcLoop(1, 15) },
			"only one OSD", []string{oneOSD}, []string{saturation, buffers, sparseState, wire},
		},
		"OSDs of the only host that is known": {
			func(r *rig) { r.run(100) }, func(r *rig) {
				for range 15 {
					r.log(kmsg.CRC, "osd4", 1).log(kmsg.CRC, "osd8", 1).run(1)
				}
			}, "", nil, []string{saturation, buffers, sparseState, wire},
		},
		"the OSDs of one host": {
			func(r *rig) { r.log(kmsg.Closed, "osd2", 1).run(100) }, func(r *rig) {
				for range 15 {
					r.log(kmsg.CRC, "osd4", 1).log(kmsg.CRC, "osd8", 1).run(1)
				}
			}, "only one OSD or the path to it", []string{oneOSD}, []string{saturation, buffers, sparseState, wire},
		},
		"the wire": {
			func(r *rig) { r.run(70); r.nics[1].crc = 7; r.run(30) }, func(r *rig) { r.crcLoop(8, 15) },
			"the wire damages frames", []string{wire}, []string{saturation, buffers, sparseState, oneOSD},
		},
		"links not watched before": {
			func(r *rig) { r.run(10) }, func(r *rig) { r.crcLoop(8, 15) },
			"", []string{inTime}, []string{buffers, sparseState, oneOSD, wire},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 4)
			c.before(r)
			r.stall()
			c.storm(r)
			f := r.want(stormID, "", report.Critical, report.MajorOutage)
			if c.cause != "" && !strings.Contains(f.Summary, c.cause) {
				t.Errorf("summary does not name %q: %s", c.cause, f.Summary)
			}
			for _, other := range causes {
				if other.says != c.cause && (c.cause == "" || !strings.HasPrefix(other.says, c.cause)) && strings.Contains(f.Summary, other.says) {
					t.Errorf("summary names %q: %s", other.says, f.Summary)
				}
			}
			wantSubjects(t, "for", f.Evidence, c.fors)
			wantSubjects(t, "against", f.Against, c.againsts)
		})
	}
}

// wantSubjects fails unless the evidence of mechanisms is about exactly these.
func wantSubjects(t *testing.T, what string, list []report.Evidence, want []string) {
	t.Helper()
	for _, m := range []string{saturation, buffers, sparseState, oneOSD, wire, inTime, "rxbounce"} {
		wanted := false
		for _, w := range want {
			wanted = wanted || w == m
		}
		if got := has(list, m); got != wanted {
			t.Errorf("%s: evidence %s %q: %v, want %v", t.Name(), what, m, got, wanted)
		}
	}
}

// What came first is decided when the storm begins and stands, with its time,
// after the readings of that time are long forgotten.
func TestStormOrderStands(t *testing.T) {
	r := saturated(newRig(t, 4)).stall().crcLoop(8, 10)
	first := r.want(stormID, "", report.Critical, report.MajorOutage)
	late := r.crcLoop(8, 25*60).want(stormID, "", report.Critical, report.MajorOutage)
	if a, b := of(first.Evidence, saturation), of(late.Evidence, saturation); a != b || !strings.Contains(a, "30 s before the first session fault at 03:01:40") {
		t.Errorf("then:\n%s\nafter 25 min:\n%s", a, b)
	}
	if !strings.HasSuffix(late.Summary, "; saturation came first") {
		t.Errorf("summary: %s", late.Summary)
	}
	latched := r.run(120).want(stormID, "", report.Critical, report.MajorOutage)
	if of(latched.Evidence, saturation) != of(first.Evidence, saturation) || of(latched.Against, oneOSD) == "" || !strings.HasSuffix(latched.Summary, "; saturation came first") {
		t.Errorf("after the loop has stopped: %s\n%s", latched.Summary, of(latched.Against, oneOSD))
	}
}

// CRC first: the link that the re-sends then fill is noted, once.
func TestStormFillsTheLink(t *testing.T) {
	r := newRig(t, 4)
	windows(r)
	r.run(100).stall().crcLoop(8, 40).carry(1, 9.9, 0.5)
	f := r.crcLoop(8, 400).want(stormID, "", report.Critical, report.MajorOutage)
	order := of(f.Evidence, inTime)
	if !strings.Contains(order, "eth1 of bond0 was full (rx, 90 % or more of 10.0 Gbit/s) from 03:02:21, 40 s after the first session fault at 03:01:40") || strings.Count(order, "\n") != 1 {
		t.Errorf("order in time: %s", order)
	}
	if !strings.Contains(f.Summary, "points to guests that change pages") {
		t.Errorf("summary: %s", f.Summary)
	}
}

// of joins the facts about one subject, a line each.
func of(list []report.Evidence, subject string) string {
	text := ""
	for _, e := range list {
		if e.Subject == subject {
			text += e.Fact + "\n"
		}
	}
	return text
}

// The advice fits the cause, names what is on this node, and never harms.
func TestStormAdvice(t *testing.T) {
	r := newRig(t, 2)
	r.addVM("win; reboot", "windows")
	r.mapped[2].Image = "vm 103"
	f := saturated(r).stall().crcLoop(8, 15).want(stormID, "", report.Critical, report.MajorOutage)
	for _, want := range []string{
		"tc qdisc add dev bond0.40 root tbf rate 2000mbit burst 256kb latency 50ms",
		"tc qdisc del dev bond0.40 root",
		"ip link set dev bond0 type bond xmit_hash_policy layer3+4",
		"rbd device map --options rxbounce 'rbd/vm 103'",
		"virsh domblklist --details vm101",
	} {
		if !strings.Contains(commands(f), want) {
			t.Errorf("no command %q in\n%s", want, commands(f))
		}
	}
	for _, harm := range []string{"nocrc", "osd_request_timeout", "--force", "-o force", "reboot", "blocklist rm"} {
		if strings.Contains(commands(f), harm) {
			t.Errorf("harmful command with %q:\n%s", harm, commands(f))
		}
	}
	if fact := of(f.Against, sparseState); !strings.Contains(fact, "kernel 6.1.192 is outside of the ranges of CVE-2026-23136") {
		t.Errorf("against %s: %s", sparseState, fact)
	}
	calm := newRig(t, 2).run(100).stall().crcLoop(8, 15).want(stormID, "", report.Critical, report.MajorOutage)
	if strings.Contains(commands(calm), "tc qdisc") {
		t.Errorf("throttle of a calm link:\n%s", commands(calm))
	}
	old := newRig(t, 1)
	windows(old)
	old.host.Release, old.host.Version = "5.10.0-30-amd64", ""
	f = old.run(100).stall().crcLoop(8, 15).want(stormID, "", report.Critical, report.MajorOutage)
	if strings.Contains(commands(f), "rxbounce") {
		t.Errorf("rxbounce on a kernel without it:\n%s", commands(f))
	}
}

// On a host that only knows QEMU's processes the commands are Proxmox's.
func TestStormAdviceOnProxmox(t *testing.T) {
	r := newRig(t, 1).run(100)
	guests := r.guests
	r.blind(node.Absent, node.SourceLibvirt).run(1)
	r.take(node.SawLibvirt{Reading: node.Reading[rbd.Guests]{Err: r.dark[node.SourceLibvirt]}})
	in := Input{Snapshot: r.view.Snapshot}
	in.QEMU = node.Reading[rbd.Guests]{Value: rbd.Guests{Guests: guests}, At: r.now}
	if got := librbdAdvice(in, []string{"rbd0"})[0].Command; got != "qm config 101" {
		t.Errorf("got %q", got)
	}
	in.Guests = slices.Clone(in.Guests)
	for i := range in.Guests {
		in.Guests[i].ID = "6fbe9dfb-4a35-4d5e-9f0e-000000000101" // of a QEMU that neither Proxmox nor libvirt has started
	}
	if got := librbdAdvice(in, []string{"rbd0"})[0].Command; got != "" {
		t.Errorf("nobody can be asked about a process of its own: %q", got)
	}
}
