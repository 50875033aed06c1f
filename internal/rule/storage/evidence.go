package storage

import (
	"fmt"
	"slices"

	"github.com/nodewatch/nodewatch/internal/cause"
	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// most is the maximum number of OSDs, devices and requests that are listed
// individually.
const most = 5

// lossEvidence describes the first few OSDs that lost sessions.
func lossEvidence(l *facts.Losses, osds []*facts.OSDLosses) []report.Evidence {
	var list []report.Evidence
	for i := range osds {
		o := osds[i]
		if i == most {
			rest := rule.FactAt(node.SourceKmsg, "", fmt.Sprintf("the same for %s; %s OSDs in total", human.NamesOf(osds[i:], 8, nameOf),
				human.Number(len(osds))), o.Last())
			rest.More = len(osds) - i
			list = append(list, rest)
			break
		}
		list = append(list, rule.FactAt(node.SourceKmsg, o.OSD, fmt.Sprintf("%s at %s: %s, latest: %s", o.OSD, o.Addr(),
			lossText(osds[i:i+1], l.Window), o.Text()), o.Last()))
	}
	return list
}

// corruptedNICs returns the names of the storage NICs that receive corrupted frames.
func corruptedNICs(in rule.Input) []string {
	names := []string{}
	for _, n := range cause.CorruptedNICs(in.Facts) {
		names = append(names, n.Name)
	}
	return names
}

func nameOf(o *facts.OSDLosses) string { return o.OSD }

// stallEvidence describes the first few devices, and the oldest requests in osdc.
func stallEvidence(in rule.Input, stalls []*facts.Stall) []report.Evidence {
	var list []report.Evidence
	disks, waits := 0, 0
	for i := range stalls {
		s := stalls[i]
		if s.Disk == nil {
			continue
		}
		if disks++; disks > most {
			continue
		}
		text := fmt.Sprintf("%s: %s in flight, none completed for %s", in.DiskName(s.Device),
			human.Count(s.Disk.Last.InFlight(), "request"), human.Span(s.For))
		if s.Crawls {
			text = fmt.Sprintf("%s: %s in flight at %s, so each takes about %s", in.DiskName(s.Device),
				human.Count(s.Disk.Last.InFlight(), "request"), human.Rate(s.Disk.Completed, "completion"), human.Span(s.Disk.QueueTime()))
		}
		list = append(list, rule.FactAt(node.SourceIO, s.Device, text, s.Disk.At))
	}
	if rest := disks - most; rest > 0 {
		more := in.Fact(node.SourceIO, "", fmt.Sprintf("and %s more", human.Number(rest)))
		more.More = rest
		list = append(list, more)
	}
	for i := range stalls {
		for _, w := range stalls[i].Waits {
			if waits++; waits <= most {
				list = append(list, in.Fact(node.SourceOSDC, facts.OSDName(w.Request.OSD), waitText(in, stalls[i].Device, w)))
			}
		}
	}
	if waits > most {
		list = append(list, in.Fact(node.SourceOSDC, "", "and "+human.Count(waits-most, "more pending request")))
	}
	return list
}

// waitText describes a pending request.
func waitText(in rule.Input, device string, w node.Wait) string {
	text := fmt.Sprintf("%s of %s has waited for %s for at least %s, sent %s", w.Request.Ops, w.Request.Object,
		facts.OSDName(w.Request.OSD),
		human.Span(in.Pending.At.Sub(w.Since)), human.Count(w.Request.Attempts, "time"))
	if w.Request.Paused {
		text += ", paused"
	}
	if device != "" {
		return text + " (" + in.DiskName(device) + ")"
	}
	return text + " (an unmapped image, e.g. a clone's parent)"
}

// loadEvidence describes the load of the host.
func loadEvidence(in rule.Input) []report.Evidence {
	if in.Host.At.IsZero() || in.Blind(node.SourceHost) != nil {
		return nil
	}
	h := in.Host.Value
	text := fmt.Sprintf("load %.0f", h.Load[0])
	if h.IO != nil {
		text += fmt.Sprintf(", I/O pressure some %.0f %%, full %.0f %% of 10 s", h.IO.Some10, h.IO.Full10)
	}
	if h.Waiting != nil {
		text += ", " + human.Count(h.Waiting.Total, "task") + " in uninterruptible sleep"
	}
	return []report.Evidence{in.Fact(node.SourceHost, "", text)}
}

// causeEvidence returns the evidence of an analysis, for and against.
func causeEvidence(a cause.Analysis) (evidence, against []report.Evidence) {
	for _, e := range a.For() {
		evidence = append(evidence, rule.FactAt(e.Source, e.Subject, e.Fact, e.At))
	}
	for _, e := range a.Against() {
		against = append(against, rule.FactAt(e.Source, e.Subject, e.Fact, e.At))
	}
	return evidence, against
}

// because adds the conclusion of an analysis to a summary.
func because(summary string, a cause.Analysis) string {
	if text := a.String(); text != "" {
		return rule.Summary(summary+"; "+text, summary)
	}
	return summary
}

// layer2Bonds returns the bonds whose policy does not spread storage traffic and that
// carry it, or may carry it if that is unknown.
func layer2Bonds(in rule.Input) []string {
	_, known := in.StorageNICs()
	var list []string
	for _, b := range in.Bonds() {
		like, _ := b.Layer2Like()
		_, carries := in.CarriesStorage(b.Name)
		if like && b.MultiSlave() && (carries || !known) {
			list = append(list, b.Name)
		}
	}
	slices.Sort(list)
	return list
}
