package legacy

import (
	"fmt"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func vmPaused() Rule {
	return Rule{
		ID:        "vm-paused",
		Title:     "VMs are paused by I/O errors",
		Component: Guests,
		Severity:  "critical",
		Impact:    "partial_outage: these customers' VMs stand still; major_outage when it is half of the node's or more, of at least four",
		Needs:     []string{node.SourceLibvirt},
		About: "QEMU has stopped a VM because a disk returned an I/O error or is full, and waits for an administrator. libvirt gives the reason ioerror; VMs paused by an administrator, a migration, a snapshot or a dump are left alone. " +
			"A krbd stall does not pause VMs, as krbd returns no error: it shows as krbd-stalled. A VM stays paused after the storage has come back. Only libvirt tells the reason, so this is not seen on hosts without it.",
		Do: []string{
			"See which disk failed: `virsh domblkerror VM`.",
			"Mend the storage first: a VM that is resumed too early stops again, or its filesystem turns read-only.",
			"Then resume it: `virsh resume VM`. Nothing in the guest is lost by the pause itself.",
		},
		Check: func(in Input) []report.Finding {
			paused := pausedByIO(in.Guests)
			if len(paused) == 0 || in.Blind(node.SourceLibvirt) != nil {
				return nil
			}
			return []report.Finding{pausedFinding(in, paused)}
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

func pausedFinding(in Input, paused []rbd.Guest) report.Finding {
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
	f := report.Finding{
		Severity: report.Critical,
		Impact:   report.PartialOutage,
		Summary:  fmt.Sprintf("%s of %d paused by I/O errors: %s", counted(len(paused), "VM"), started, someOf(names, 5)),
		Advice: []report.Advice{
			{Do: "See which disk of it failed, and how", Command: paste("virsh domblkerror %s", names[0])},
			{Do: "Look for errors of the disks below", Command: "journalctl -k --since -30min -g 'rbd|I/O error|libceph'"},
			{Do: "Resume it once the storage works again, not before: it would stop again", Command: paste("virsh resume %s", names[0])},
		},
	}
	if len(paused) >= 4 && 2*len(paused) >= started {
		f.Impact = report.MajorOutage
	}
	for _, g := range paused[:min(len(paused), most)] {
		f.Evidence = append(f.Evidence, in.fact(node.SourceLibvirt, g.Name, "paused, reason ioerror; disks: "+someOf(diskNames(g), 3)))
	}
	if more := len(paused) - most; more > 0 {
		f.Evidence = append(f.Evidence, in.fact(node.SourceLibvirt, "", fmt.Sprintf("and %d more", more)))
	}
	return f
}

// diskNames are a guest's disks with what they lie on: "vda rbd/vm101 by librbd".
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
