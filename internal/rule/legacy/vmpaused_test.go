package legacy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// guestsSeen has libvirt's guests read.
func (sc *scene) guestsSeen(guests ...rbd.Guest) *scene {
	sc.see(node.SawLibvirt{Reading: node.Reading[rbd.Guests]{Value: rbd.Guests{Guests: guests}, At: sc.at}})
	return sc
}

// vms are guests that run, the first of them paused for the reason.
func vms(n, paused int, reason string) []rbd.Guest {
	var list []rbd.Guest
	for i := range n {
		g := rbd.Guest{Name: fmt.Sprintf("vm%d", 101+i), ID: fmt.Sprint(i), Kind: "vm", State: "running"}
		if i < paused {
			g.State, g.Reason = "paused", reason
		}
		list = append(list, g)
	}
	return list
}

func TestVMPaused(t *testing.T) {
	for what, c := range map[string]struct {
		guests []rbd.Guest
		want   string
	}{
		"none":                {vms(8, 0, ""), ""},
		"by an administrator": {vms(8, 2, "user"), ""},
		"by a migration":      {vms(8, 2, "migration"), ""},
		"by a snapshot":       {vms(8, 2, "snapshot"), ""},
		"for no known reason": {vms(8, 2, "unknown"), ""},
		"shut off after one":  {[]rbd.Guest{{Name: "vm101", State: "shutoff", Reason: "ioerror"}}, ""},
		"one":                 {vms(8, 1, "ioerror"), "critical/partial_outage: 1 VM of 8 paused by I/O errors: vm101"},
		"three of three":      {vms(3, 3, "ioerror"), "critical/partial_outage: 3 VMs of 3 paused by I/O errors: vm101, vm102 and vm103"},
		"fewer than half":     {vms(9, 4, "ioerror"), "critical/partial_outage: 4 VMs of 9 paused by I/O errors: vm101, vm102, vm103 and vm104"},
		"half":                {vms(8, 4, "ioerror"), "critical/major_outage: 4 VMs of 8 paused by I/O errors: vm101, vm102, vm103 and vm104"},
		"all of many":         {vms(65, 65, "ioerror"), "critical/major_outage: 65 VMs of 65 paused by I/O errors: vm101, vm102, vm103, vm104, vm105 and 60 more"},
	} {
		t.Run(what, func(t *testing.T) {
			if got := onlyOne(t, newScene(over()).guestsSeen(c.guests...).check(vmPaused())); said(got) != c.want {
				t.Errorf("got  %q\nwant %q", said(got), c.want)
			}
		})
	}
}

func TestVMPausedEvidenceIsBounded(t *testing.T) {
	got := onlyOne(t, newScene(over()).guestsSeen(vms(65, 65, "ioerror")...).check(vmPaused()))
	if n := len(got.Evidence); n != 11 || got.Evidence[10].Fact != "and 55 more" {
		t.Errorf("got %d facts, the last %q", n, got.Evidence[n-1].Fact)
	}
}

func TestVMPausedNamesDisksAndCommands(t *testing.T) {
	g := rbd.Guest{Name: "web 1;reboot", State: "paused", Reason: "ioerror", Disks: []rbd.Disk{
		{Target: "vda", Client: rbd.LibRBD, Pool: "rbd", Image: "vm101"}, {Target: "vdb", Path: "/var/lib/a.qcow2"}, {Target: "sda"},
	}}
	got := onlyOne(t, newScene(over()).guestsSeen(g).check(vmPaused()))
	if want := "paused, reason ioerror; disks: vda rbd/vm101 by librbd, vdb /var/lib/a.qcow2 and sda"; got.Evidence[0].Fact != want {
		t.Errorf("got  %q\nwant %q", got.Evidence[0].Fact, want)
	}
	if all := commandsOf(got.Advice); !slices.Contains(all, "virsh resume 'web 1;reboot'") {
		t.Errorf("got commands %q, want the name quoted", all)
	}
}

func TestVMPausedBlind(t *testing.T) {
	sc := newScene(over()).guestsSeen(vms(8, 1, "ioerror")...)
	sc.blind(node.SourceLibvirt)
	if got := sc.check(vmPaused()); len(got) != 0 {
		t.Errorf("got %q from a libvirt that does not answer, want nothing", said(&got[0]))
	}
}

func TestVMPausedDoesNotCountGuestsThatAreOff(t *testing.T) {
	guests := append(vms(4, 4, "ioerror"), rbd.Guest{Name: "zz", State: "shutoff"}, rbd.Guest{Name: "zzz", State: "shutoff"})
	if got := onlyOne(t, newScene(over()).guestsSeen(guests...).check(vmPaused())); !strings.Contains(said(got), "major_outage: 4 VMs of 4 ") {
		t.Errorf("got %q", said(got))
	}
}
