package guests

import (
	"fmt"

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
		Component: rule.Guests,
		Severity:  "critical",
		Impact:    "partial_outage: these customers' VMs are stopped; major_outage when it is at least half of the node's",
		Needs:     []string{node.SourceLibvirt},
		About: "QEMU has stopped a VM because a disk returned an I/O error or is full, and waits for an administrator. libvirt gives the reason ioerror; VMs paused by an administrator, a migration, a snapshot or a dump do not count. " +
			"A krbd stall does not pause VMs, as krbd returns no error: it is reported by krbd-stalled. A VM stays paused after the storage has recovered. Only libvirt tells the reason, so this is not seen on hosts without it.",
		Do: []string{
			"See which disk failed: `virsh domblkerror VM`.",
			"Repair the storage first: a VM that is resumed too early stops again, or its filesystem turns read-only.",
			"Then resume it: `virsh resume VM`. Nothing in the guest is lost by the pause itself.",
		},
		Check: func(in rule.Input) []rule.Result {
			paused := pausedByIO(in.Guests)
			if len(paused) == 0 {
				return nil
			}
			return []rule.Result{pausedResult(in, paused)}
		},
	}
}

// pausedByIO are the guests that QEMU has stopped for an I/O error, by name.
func pausedByIO(guests []rbd.Guest) []rbd.Guest {
	var paused []rbd.Guest
	for i := range guests {
		if guests[i].State == "paused" && guests[i].Reason == "ioerror" {
			paused = append(paused, guests[i])
		}
	}
	return paused
}

func pausedResult(in rule.Input, paused []rbd.Guest) rule.Result {
	const most = 10
	names := make([]string, len(paused))
	for i, g := range paused {
		names[i] = g.Name
	}
	started := 0
	for _, g := range in.Guests {
		if g.State == "running" || g.State == "blocked" || g.State == "paused" {
			started++
		}
	}
	r := rule.Result{
		Severity: report.Critical,
		Hits:     rule.Hits{StalledGuests: names},
		Summary:  fmt.Sprintf("%s paused by I/O errors: %s", human.AllOf(len(paused), started, "VM"), human.Names(names, 5)),
		Advice: []report.Advice{
			{Do: "See which disk of " + names[0] + " failed, and how", Command: rule.ShellCommand("virsh domblkerror %s", names[0])},
			{Do: "Look for errors of the disks below", Command: "journalctl -k --since -30min -g 'rbd|I/O error|libceph'"},
			{Do: "Resume it once the storage works again, not before: it would stop again", Command: rule.ShellCommand("virsh resume %s", names[0])},
		},
	}
	for _, g := range paused[:min(len(paused), most)] {
		r.Evidence = append(r.Evidence, in.Fact(node.SourceLibvirt, g.Name, "paused, reason ioerror; disks: "+human.Names(diskNames(g), 3)))
	}
	if more := len(paused) - most; more > 0 {
		r.Evidence = append(r.Evidence, in.Fact(node.SourceLibvirt, "", fmt.Sprintf("and %d more", more)))
	}
	return r
}

// diskNames are a guest's disks with what they are on: "vda rbd/vm101 by librbd".
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
