package guests

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

func TestVMPaused(t *testing.T) {
	for what, c := range map[string]struct {
		guests []rbd.Guest
		want   string
	}{
		"none":                {nodetest.VMs(8, 0, ""), ""},
		"by an administrator": {nodetest.VMs(8, 2, "user"), ""},
		"by a migration":      {nodetest.VMs(8, 2, "migration"), ""},
		"by a snapshot":       {nodetest.VMs(8, 2, "snapshot"), ""},
		"for no known reason": {nodetest.VMs(8, 2, "unknown"), ""},
		"shut off after one":  {[]rbd.Guest{{Name: "vm101", State: "shutoff", Reason: "ioerror"}}, ""},
		"one":                 {nodetest.VMs(8, 1, "ioerror"), "critical/operational: 1 of 8 VMs paused by I/O errors: vm101"},
		"three of three": {nodetest.VMs(3, 3, "ioerror"),
			"critical/operational: all 3 VMs paused by I/O errors: vm101, vm102 and vm103"},
		"fewer than half": {nodetest.VMs(9, 4, "ioerror"),
			"critical/operational: 4 of 9 VMs paused by I/O errors: vm101, vm102, vm103 and vm104"},
		"half": {nodetest.VMs(8, 4, "ioerror"),
			"critical/operational: 4 of 8 VMs paused by I/O errors: vm101, vm102, vm103 and vm104"},
		"all of many": {nodetest.VMs(65, 65, "ioerror"),
			"critical/operational: all 65 VMs paused by I/O errors: vm101, vm102, vm103, vm104, vm105 and 60 more"},
	} {
		t.Run(what, func(t *testing.T) {
			if got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over()).SeeGuests(c.guests...),
				vmPaused())); ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
		})
	}
}

// Without libvirt the reason is unknown: a warning, for guests on RBD that are not
// waiting for their migration. Guests with a known reason are reported first.
func TestVMStandsStill(t *testing.T) {
	disk := []rbd.Disk{{Target: "scsi0", Client: rbd.KRBD, Pool: "rbd", Image: "vm-101-disk-0"}}
	still := rbd.Guest{Name: "web", ID: "101", Kind: "vm", State: "paused", Disks: disk}
	coming, local := still, still
	coming.Reason, local.Disks = "migration", nil
	runs := rbd.Guest{Name: "db", ID: "102", Kind: "vm", State: "running", Disks: disk}
	for what, c := range map[string]struct {
		guests []rbd.Guest
		want   string
	}{
		"one of two":    {[]rbd.Guest{still, runs}, "warning/operational: 1 of 2 VMs not running (paused or crashed): web"},
		"a migration":   {[]rbd.Guest{coming, runs}, ""},
		"no RBD":        {[]rbd.Guest{local, runs}, ""},
		"with a reason": {append(nodetest.VMs(2, 1, "ioerror"), still), "critical/operational: 1 of 3 VMs paused by I/O errors: vm101"},
	} {
		t.Run(what, func(t *testing.T) {
			got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over()).SeeGuests(c.guests...), vmPaused()))
			if ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
			if what == "one of two" && !slices.Contains(ruletest.CommandsOf(got.Advice), "qm status 101 --verbose") {
				t.Errorf("got %q", ruletest.CommandsOf(got.Advice))
			}
		})
	}
}

func TestVMPausedEvidenceIsBounded(t *testing.T) {
	got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over()).SeeGuests(nodetest.VMs(65, 65, "ioerror")...), vmPaused()))
	if n := len(got.Evidence); n != 11 || got.Evidence[10].Fact != "and 55 more" {
		t.Errorf("got %d facts, the last %q", n, got.Evidence[n-1].Fact)
	}
}

func TestVMPausedNamesDisksAndCommands(t *testing.T) {
	g := rbd.Guest{Name: "web 1;reboot", State: "paused", Reason: "ioerror", Disks: []rbd.Disk{
		{Target: "vda", Client: rbd.LibRBD, Pool: "rbd", Image: "vm101"}, {Target: "vdb", Path: "/var/lib/a.qcow2"}, {Target: "sda"},
	}}
	got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over()).SeeGuests(g), vmPaused()))
	if want := "paused, reason ioerror; disks: vda rbd/vm101 by librbd, vdb /var/lib/a.qcow2 and sda"; got.Evidence[0].Fact != want {
		t.Errorf("got  %q\nwant %q", got.Evidence[0].Fact, want)
	}
	if all := ruletest.CommandsOf(got.Advice); !slices.Contains(all, "virsh resume 'web 1;reboot'") {
		t.Errorf("got commands %q, want the name quoted", all)
	}
}

func TestVMPausedDoesNotCountGuestsThatAreOff(t *testing.T) {
	guests := append(nodetest.VMs(4, 4, "ioerror"), rbd.Guest{Name: "zz", State: "shutoff"}, rbd.Guest{Name: "zzz", State: "shutoff"})
	if got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over()).SeeGuests(guests...),
		vmPaused())); !strings.Contains(ruletest.Said(got), ": all 4 VMs paused ") {
		t.Errorf("got %q", ruletest.Said(got))
	}
}
