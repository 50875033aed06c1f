package legacy

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

const ioErrorID = "krbd-io-error"

// Which lines are which kind of damage, on which device.
func TestKrbdIOErrorKinds(t *testing.T) {
	for name, c := range map[string]struct {
		class   kmsg.Class
		device  string
		errno   int
		subject string // empty: none
		want    report.Severity
		impact  report.Impact
	}{
		"a failed write":            {kmsg.RBDResult, "rbd1", -5, ioFailed, report.Critical, report.PartialOutage},
		"a timeout":                 {kmsg.RBDResult, "rbd1", -110, ioFailed, report.Critical, report.PartialOutage},
		"a block error":             {kmsg.BlockError, "rbd1", 0, ioFailed, report.Critical, report.PartialOutage},
		"on a partition":            {kmsg.BlockError, "rbd2p1", 0, ioFailed, report.Critical, report.PartialOutage},
		"on a logical volume":       {kmsg.BlockError, "dm-3", 0, ioFailed, report.Critical, report.PartialOutage},
		"blocklisted":               {kmsg.RBDWatch, "rbd1", -108, blocklisted, report.Critical, report.PartialOutage},
		"I/O of a blocklisted one":  {kmsg.RBDResult, "rbd1", -108, blocklisted, report.Critical, report.PartialOutage},
		"a lost watch":              {kmsg.RBDWatch, "rbd1", -107, watchLost, report.Warning, report.Operational},
		"a filesystem":              {kmsg.FSReadOnly, "dm-3", 0, filesystem, report.Critical, report.PartialOutage},
		"a filesystem's error":      {kmsg.FSError, "rbd1", 0, filesystem, report.Critical, report.PartialOutage},
		"a disk that is not rbd":    {kmsg.BlockError, "sda", 0, "", "", ""},
		"a filesystem that is not":  {kmsg.FSReadOnly, "dm-0", 0, "", "", ""},
		"an rbd that is not mapped": {kmsg.RBDResult, "rbd77", -5, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 4)
			r.mapped[2].Holders = []rbd.Holder{{Device: "rbd2p1", Kind: "partition"}, {Device: "dm-3", Kind: "lvm"}}
			r.run(10).disk(c.class, c.device, c.errno).run(1)
			for _, subject := range []string{blocklisted, filesystem, ioFailed, watchLost} {
				if subject == c.subject {
					r.want(ioErrorID, subject, c.want, c.impact)
				} else {
					r.wantNone(ioErrorID, subject)
				}
			}
			if c.device == "dm-3" || c.device == "rbd2p1" {
				if f, _ := r.find(ioErrorID, c.subject); !strings.Contains(f.Summary, "rbd2 (rbd/vm-103-disk-0, vm103)") {
					t.Errorf("summary: %s", f.Summary)
				}
			}
		})
	}
}

// Damage stays until it is undone: by an unmap, a new mapping, a mount, a reboot.
func TestKrbdIOErrorLatches(t *testing.T) {
	damaged := func() *rig {
		r := newRig(t, 4).run(10).disk(kmsg.RBDResult, "rbd1", -5).disk(kmsg.FSReadOnly, "rbd1", 0).disk(kmsg.RBDWatch, "rbd3", -107).run(1)
		r.want(ioErrorID, ioFailed, report.Critical, report.PartialOutage)
		r.want(ioErrorID, filesystem, report.Critical, report.PartialOutage)
		r.want(ioErrorID, watchLost, report.Warning, report.Operational)
		return r
	}
	r := damaged().run(1000)
	r.want(ioErrorID, ioFailed, report.Warning, report.DegradedPerformance)
	r.want(ioErrorID, filesystem, report.Critical, report.PartialOutage)
	r.want(ioErrorID, watchLost, report.Info, report.Operational)

	r.disk(kmsg.FSMounted, "rbd0", 0).run(1).want(ioErrorID, filesystem, report.Critical, report.PartialOutage)
	r.disk(kmsg.FSMounted, "rbd1", 0).run(1).wantNone(ioErrorID, filesystem)
	r.want(ioErrorID, ioFailed, report.Warning, report.DegradedPerformance)
	r.disk(kmsg.FSReadOnly, "rbd1", 0).run(1).want(ioErrorID, filesystem, report.Critical, report.PartialOutage)

	r = damaged()
	gone := r.mapped[1]
	r.mapped = append(r.mapped[:1:1], r.mapped[2:]...)
	r.run(1).wantNone(ioErrorID, ioFailed)
	r.wantNone(ioErrorID, filesystem)
	r.run(30).want(ioErrorID, watchLost, report.Warning, report.Operational)
	gone.Image = "vm-500-disk-0"
	r.mapped = append(r.mapped, gone)
	r.run(60).wantNone(ioErrorID, ioFailed)
	r.disk(kmsg.RBDResult, "rbd1", -5).run(1).want(ioErrorID, ioFailed, report.Critical, report.PartialOutage)

	r = damaged().disk(kmsg.RBDMapped, "rbd1", 0).run(1) // between two looks, by the same client
	r.wantNone(ioErrorID, ioFailed)
	r.wantNone(ioErrorID, filesystem)

	r = damaged()
	r.host.Boot = r.now.Add(time.Second)
	r.run(1).wantNone(ioErrorID, ioFailed)
}

// Severity falls with time where the damage itself may be over.
func TestKrbdIOErrorFresh(t *testing.T) {
	r := newRig(t, 4).run(10).disk(kmsg.RBDResult, "rbd1", -5).run(15 * 60)
	r.want(ioErrorID, ioFailed, report.Critical, report.PartialOutage)
	r.run(1).want(ioErrorID, ioFailed, report.Warning, report.DegradedPerformance)
	r.disk(kmsg.RBDResult, "rbd0", -5).disk(kmsg.RBDResult, "rbd2", -5).run(1).want(ioErrorID, ioFailed, report.Critical, report.MajorOutage)
}

// What the log held before the start is found, with its time; and a device mapped
// anew after it is not blamed.
func TestKrbdIOErrorFromHistory(t *testing.T) {
	r := newRig(t, 4)
	old := func(class kmsg.Class, device string, errno int, ago time.Duration) kmsg.Count {
		at := r.start.Add(-ago)
		return kmsg.Count{Class: class, Device: device, Errno: errno, N: 3, First: at, Last: at, Text: "old line"}
	}
	r.history = []kmsg.Count{
		old(kmsg.RBDMapped, "rbd0", 0, 9*time.Hour), old(kmsg.FSReadOnly, "rbd0", 0, 8*time.Hour),
		old(kmsg.RBDResult, "rbd1", -5, 8*time.Hour), old(kmsg.RBDMapped, "rbd1", 0, 7*time.Hour),
		old(kmsg.FSReadOnly, "rbd2", 0, 8*time.Hour), old(kmsg.FSMounted, "rbd2", 0, 7*time.Hour),
	}
	f := r.run(1).want(ioErrorID, filesystem, report.Critical, report.PartialOutage)
	if !strings.Contains(f.Summary, "1 krbd disk of 1 VM, the latest at 19:00:00: rbd0") || !f.Since.Equal(r.start.Add(-8*time.Hour)) || !containsFact(f.Evidence, "3 lines, the latest: old line") {
		t.Errorf("since %s: %s %+v", f.Since, f.Summary, f.Evidence)
	}
	r.wantNone(ioErrorID, ioFailed)
}

// What was said of an earlier mapping of the same name is not this one's.
func TestKrbdIOErrorOfThisMappingOnly(t *testing.T) {
	r := newRig(t, 2)
	mapped := r.start.Add(-2 * time.Hour)
	r.history = []kmsg.Count{
		{Class: kmsg.RBDWatch, Device: "rbd1", Errno: -107, N: 3, First: r.start.Add(-9 * time.Hour), Last: r.start.Add(-time.Hour), Text: "watch error"},
		{Class: kmsg.RBDMapped, Device: "rbd1", N: 2, First: r.start.Add(-10 * time.Hour), Last: mapped, Text: "capacity"},
	}
	f := r.run(1).want(ioErrorID, watchLost, report.Info, report.Operational)
	if !f.Since.Equal(mapped) || !containsFact(f.Evidence, "the latest line: watch error") || containsFact(f.Evidence, "3 lines") {
		t.Errorf("since %s: %+v", f.Since, f.Evidence)
	}
}

// A mapping that a reading found may be older than that reading: an error between
// the two is the new mapping's.
func TestKrbdIOErrorRightAfterMapping(t *testing.T) {
	r := newRig(t, 2).run(10)
	r.disk(kmsg.RBDResult, "rbd2", -5).run(3)
	r.addVM("vm3", "linux")
	r.run(1).want(ioErrorID, ioFailed, report.Critical, report.PartialOutage)
}

// A blocklisted client's failed I/O and lost watches are not told again; the
// cluster's own list counts as well.
func TestKrbdIOErrorBlocklisted(t *testing.T) {
	r := newRig(t, 4).run(10)
	for _, d := range []string{"rbd0", "rbd1"} {
		r.disk(kmsg.RBDWatch, d, -107).disk(kmsg.RBDResult, d, -108).disk(kmsg.BlockError, d, 0).disk(kmsg.FSReadOnly, d, 0)
	}
	f := r.run(1).want(ioErrorID, blocklisted, report.Critical, report.MajorOutage)
	if !strings.Contains(f.Summary, "2 krbd disks of 2 VMs") || strings.Contains(commands(f), "blocklist rm") || !strings.Contains(commands(f), "ceph osd blocklist ls") {
		t.Errorf("summary: %s\n%s", f.Summary, commands(f))
	}
	r.wantNone(ioErrorID, ioFailed)
	r.wantNone(ioErrorID, watchLost)
	r.want(ioErrorID, filesystem, report.Critical, report.MajorOutage)

	r = newRig(t, 2)
	r.cluster = &ceph.Cluster{Blocklist: []ceph.Entry{{Addr: "192.0.2.12:0/3141592653", Until: r.start.Add(10 * time.Second)}}}
	f = r.run(5).want(ioErrorID, blocklisted, report.Critical, report.MajorOutage)
	if !containsFact(f.Evidence, "192.0.2.12:0/3141592653 is on the cluster's blocklist until 2026-03-01 03:00:10") {
		t.Errorf("evidence: %+v", f.Evidence)
	}
	r.run(6).wantNone(ioErrorID, blocklisted)
}

// Several lines about one device are one piece of damage: since the first, and
// told by the latest.
func TestKrbdIOErrorJoinsLines(t *testing.T) {
	r := newRig(t, 2).run(10)
	r.disk(kmsg.RBDResult, "rbd1", -5).run(5).disk(kmsg.BlockError, "rbd1", 0).run(5)
	f := r.want(ioErrorID, ioFailed, report.Critical, report.PartialOutage)
	if !containsFact(f.Evidence, "2 lines, the latest: block-error rbd1") || len(f.Evidence) != 1 || !f.Since.Equal(r.start.Add(10*time.Second+900*time.Millisecond)) {
		t.Errorf("since %s: %+v", f.Since, f.Evidence)
	}
	f = r.disk(kmsg.RBDResult, "rbd1", -110).run(1).want(ioErrorID, ioFailed, report.Critical, report.PartialOutage)
	if !containsFact(f.Evidence, "3 lines, the latest: rbd-result rbd1") || !strings.Contains(f.Summary, "the latest at 03:00:20") {
		t.Errorf("%s %+v", f.Summary, f.Evidence)
	}
}

func TestKrbdIOErrorSinceTheFirst(t *testing.T) {
	r := newRig(t, 2)
	for class, ago := range map[kmsg.Class]time.Duration{kmsg.BlockError: time.Hour, kmsg.RBDResult: 2 * time.Hour} {
		at := r.start.Add(-ago)
		r.history = append(r.history, kmsg.Count{Class: class, Device: "rbd1", N: 1, First: at, Last: at, Text: "old"})
	}
	if f := r.run(1).want(ioErrorID, ioFailed, report.Warning, report.DegradedPerformance); !f.Since.Equal(r.start.Add(-2 * time.Hour)) {
		t.Errorf("since %s", f.Since)
	}
}

// Where krbd's devices could never be read, the kernel's own word for one is taken.
func TestKrbdIOErrorWithoutSysfs(t *testing.T) {
	r := newRig(t, 2).blind(node.Denied, node.SourceKrbd).run(20)
	r.disk(kmsg.RBDResult, "rbd1", -5).disk(kmsg.BlockError, "sda", 0).run(1)
	if f := r.want(ioErrorID, ioFailed, report.Critical, report.PartialOutage); !strings.HasSuffix(f.Summary, ": rbd1") {
		t.Errorf("summary: %s", f.Summary)
	}
}

func TestKrbdIOErrorStaysWhileBlind(t *testing.T) {
	r := newRig(t, 2).run(10).disk(kmsg.FSReadOnly, "rbd1", 0).run(1).blind(node.Stalled, node.SourceKrbd, node.SourceKmsg).run(300)
	if f := r.want(ioErrorID, filesystem, report.Critical, report.PartialOutage); f.State != report.Blind {
		t.Errorf("state %q", f.State)
	}
}
