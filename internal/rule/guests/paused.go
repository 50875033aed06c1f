package guests

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func vmPaused() rule.Rule {
	return rule.Rule{
		ID:        "vm-paused",
		Title:     "VMs are paused by I/O errors",
		Component: report.ComponentGuests,
		Severity:  "critical, warning",
		Impact:    "partial_outage: these customers' VMs are stopped; major_outage when it is at least half of the node's",
		Needs:     []string{node.SourceLibvirt},
		About: "QEMU has paused a VM because a disk returned an I/O error or is full; an administrator has to resume it. libvirt gives the reason ioerror; VMs paused by an administrator, a migration, a snapshot or a dump do not count. " +
			"A krbd stall does not pause VMs because krbd returns no error; krbd-stalled reports it. A VM stays paused after the storage has recovered. " +
			"Where libvirt does not report it, as on Proxmox, a VM with a disk on RBD whose virtual CPUs have not run for a minute is a warning: it is paused for an unknown reason, or its operating system has crashed. " +
			"This requires named threads (-name debug-threads=on). A VM that is waiting for an incoming migration does not count.",
		Do: []string{
			"See which disk failed: `virsh domblkerror VM`.",
			"Repair the storage first: a VM that is resumed too early stops again, or its filesystem turns read-only.",
			"Then resume it: `virsh resume VM`. The pause itself loses no data in the guest.",
			"Without libvirt, ask the platform why it is paused: on Proxmox `qm status VMID --verbose` (qmpstatus io-error), then `qm resume VMID`.",
		},
		Check: func(in rule.Input) []rule.Result {
			if paused := pausedByIO(in.Guests); len(paused) > 0 {
				return []rule.Result{pausedResult(in, paused)}
			}
			if still := vcpusStopped(in.Guests); len(still) > 0 {
				return []rule.Result{stillResult(in, still)}
			}
			return nil
		},
	}
}

// pausedByIO returns the guests that QEMU has stopped because of an I/O error, by
// name.
func pausedByIO(guests []rbd.Guest) []rbd.Guest {
	var paused []rbd.Guest
	for i := range guests {
		if guests[i].State == "paused" && guests[i].Reason == "ioerror" {
			paused = append(paused, guests[i])
		}
	}
	return paused
}

// vcpusStopped returns the guests on RBD whose virtual CPUs do not run for an unknown
// reason, by name.
func vcpusStopped(guests []rbd.Guest) []rbd.Guest {
	var still []rbd.Guest
	for i := range guests {
		g := &guests[i]
		onRBD := slices.ContainsFunc(g.Disks, func(d rbd.Disk) bool { return d.Client != rbd.NoClient })
		if g.State == "paused" && g.Reason == "" && onRBD {
			still = append(still, *g)
		}
	}
	return still
}

func stillResult(in rule.Input, still []rbd.Guest) rule.Result {
	r := pausedResult(in, still)
	names := r.Hits.StalledGuests
	r.Severity, r.RestsOn = report.Warning, []string{node.SourceQEMU}
	r.Summary = fmt.Sprintf("%s not running (paused or crashed): %s", human.AllOf(len(still), started(in.Guests), "VM"),
		human.Names(names, 5))
	r.Advice = []report.Advice{
		{Do: "Ask the platform whether " + names[0] + " is paused, and why"},
		{Do: "Check the guest's disks for errors", Command: "journalctl -k --since -30min -g 'rbd|I/O error|libceph'"},
		{Do: "Resume it once the storage has recovered. If resumed earlier it stops again"},
	}
	if id := still[0].ID; isVMID(id) {
		r.Advice[0].Command = rule.ShellCommand("qm status %s --verbose", id)
		r.Advice[2].Command = rule.ShellCommand("qm resume %s", id)
	}
	return r
}

// isVMID reports whether an ID has the form of a Proxmox VMID.
func isVMID(id string) bool { return id != "" && strings.Trim(id, "0123456789") == "" }

// started returns the number of started guests, including paused ones.
func started(guests []rbd.Guest) int {
	n := 0
	for i := range guests {
		switch guests[i].State {
		case "running", "blocked", "paused":
			n++
		}
	}
	return n
}

func pausedResult(in rule.Input, paused []rbd.Guest) rule.Result {
	const most = 10
	names := make([]string, len(paused))
	for i, g := range paused {
		names[i] = g.Name
	}
	r := rule.Result{
		Severity: report.Critical,
		Hits:     rule.Hits{StalledGuests: names},
		Summary:  fmt.Sprintf("%s paused by I/O errors: %s", human.AllOf(len(paused), started(in.Guests), "VM"), human.Names(names, 5)),
		Advice: []report.Advice{
			{Do: "See which disk of " + names[0] + " failed, and how", Command: rule.ShellCommand("virsh domblkerror %s", names[0])},
			{Do: "Check the guest's disks for errors", Command: "journalctl -k --since -30min -g 'rbd|I/O error|libceph'"},
			{Do: "Resume it once the storage has recovered. If resumed earlier it stops again",
				Command: rule.ShellCommand("virsh resume %s", names[0])},
		},
	}
	for _, g := range paused[:min(len(paused), most)] {
		source, what := node.SourceLibvirt, "paused, reason "+g.Reason
		if g.Reason == "" {
			source, what = node.SourceQEMU, "its virtual CPUs do not run"
		}
		r.Evidence = append(r.Evidence, in.Fact(source, g.Name, what+"; disks: "+human.Names(diskNames(g), 3)))
	}
	if more := len(paused) - most; more > 0 {
		rest := in.Fact(node.SourceLibvirt, "", fmt.Sprintf("and %d more", more))
		rest.More = more
		r.Evidence = append(r.Evidence, rest)
	}
	return r
}

// diskNames lists a guest's disks with their storage: "vda rbd/vm101 by librbd".
func diskNames(g rbd.Guest) []string {
	var names []string
	for _, d := range g.Disks {
		switch {
		case d.Client != rbd.NoClient && d.Image != "":
			names = append(names, fmt.Sprintf("%s %s by %s", d.Target, rbd.Spec(d.Pool, d.Namespace, d.Image, d.Snapshot), d.Client))
		case d.Path != "":
			names = append(names, d.Target+" "+d.Path)
		default:
			names = append(names, d.Target)
		}
	}
	return names
}
