package storage

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/cause"
	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdSlow() rule.Rule {
	limits := &struct {
		Factor  float64       `json:"factor" doc:"multiple of its baseline latency at which a krbd disk counts as slow" min:"2" max:"1000"`
		Floor   time.Duration `json:"floor" doc:"latency below which a krbd disk never counts as slow" min:"1ms" max:"10s"`
		Ceiling time.Duration `json:"ceiling" doc:"latency above which a krbd disk always counts as slow" min:"50ms" max:"1m"`
		Share   float64       `json:"share" doc:"share of all krbd disks that must be slow; at least two, unless there is only one" min:"0.01" max:"1"`
	}{facts.DefaultSlow.Factor, facts.DefaultSlow.Floor, facts.DefaultSlow.Ceiling, 0.25}
	return rule.Rule{
		ID:            "krbd-slow",
		Title:         "krbd I/O is slow on many disks",
		Component:     report.ComponentStorage,
		Severity:      "info, warning",
		Impact:        "degraded_performance: the guests on these disks wait; operational for a new baseline",
		Needs:         []string{node.SourceIO, node.SourceKrbd},
		For:           rule.Always(time.Minute), // after a stall the old requests complete, and their latency must no longer count
		KeepFiringFor: rule.Always(time.Minute),
		Explains:      []string{"nic-errors"},
		Limits:        limits,
		About: "A quarter of all krbd disks have at least 10 times their baseline latency, and at least 50 ms, at no more than twice their usual load; or more than 500 ms in any case. Latency is that of reads and writes, without flushes and discards; or, if longer, requests in flight divided by completions per second, which reveals a disk that completes only small requests. " +
			"The baseline is learned per image over days, as a low quantile, only while no finding with customer impact is raised for the image and its NIC is not saturated. A latency that lasts a week, or that an operator acknowledges, becomes the new baseline. This is reported for a day, or until acknowledged, as an info with the subject baseline. " +
			"A single slow disk is not reported: a guest may be throttled or may read a lot at once.",
		Do: []string{
			"Check whether a storage NIC is saturated, drops frames, or receives corrupted ones.",
			"Check the cluster for slow requests, recovery and scrubs.",
			"Test the path with full-MTU packets, and look for retransmits.",
			"Acknowledge it only if this latency is expected from now on: it becomes the new baseline.",
		},
		Check: func(in rule.Input) []rule.Result {
			all := len(in.Mapped.Value)
			slow := in.SlowDisks(facts.SlowLimits{Factor: limits.Factor, Floor: limits.Floor, Ceiling: limits.Ceiling})
			// a stalled disk is not reported as slow
			slow = slices.DeleteFunc(slow, func(l *facts.Latency) bool { return l.Disk.StalledFor() >= 5*time.Second })
			if len(slow) < min(2, max(all, 1)) || float64(len(slow)) < limits.Share*float64(all) {
				return newUsual(in)
			}
			devices := make([]string, len(slow))
			for i := range slow {
				devices[i] = slow[i].Device
			}
			a := cause.OfStall(in.Facts, nil)
			evidence, against := causeEvidence(a)
			r := rule.Result{
				Severity: report.Warning,
				Hits:     rule.Hits{Slow: devices},
				Explains: []string{},
				Cause:    a.Concluded(),
				Summary: because(fmt.Sprintf("%s%s slow: %s", human.Capital(human.AllOf(len(slow), all, "krbd disk")),
					in.GuestsOn(devices).In(), middleText(slow)), a),
				Evidence: []report.Evidence{rule.FactAt(node.SourceIO, "", slowText(in, slow, all), slow[0].Disk.At)},
				Against:  against,
			}
			if a.Supports(cause.Wire) {
				r.Explains = corruptedNICs(in)
			}
			r.Evidence = append(append(append(r.Evidence, evidence...), nicEvidence(in)...), lossesBeside(in)...)
			for _, c := range a.Likely() {
				r.Advice = append(r.Advice, causeAdvice(in, c, in.SessionLosses(time.Minute).OSDs, nil)...)
			}
			r.Advice = distinct(append(append(append(r.Advice, linkTrouble(in)...), askCluster), mtuAdvice(in)...))
			return append(newUsual(in), r)
		},
	}
}

// newUsual reports latencies that became the baseline within the last day.
func newUsual(in rule.Input) []rule.Result {
	list := in.Adoptions(24 * time.Hour)
	if len(list) == 0 {
		return nil
	}
	devices, last := make([]string, len(list)), list[0]
	r := rule.Result{Subject: "baseline", Severity: report.Info, Explains: []string{}}
	for i, a := range list {
		devices[i] = a.Device
		if a.At.After(last.At) {
			last = a
		}
		if i < most {
			r.Evidence = append(r.Evidence, rule.FactAt(node.SourceIO, a.Device,
				fmt.Sprintf("%s: new baseline %s per request; before: %s", in.DiskName(a.Device), human.Milliseconds(a.Is),
					human.Milliseconds(a.Was)), a.At))
		}
	}
	if rest := len(list) - most; rest > 0 {
		more := rule.FactAt(node.SourceIO, "", fmt.Sprintf("and %s more", human.Number(rest)), last.At)
		more.More = rest
		r.Evidence = append(r.Evidence, more)
	}
	r.Summary = fmt.Sprintf("New baseline latency of %s%s since %s: %s, before %s", human.Count(len(list), "krbd disk"),
		in.GuestsOn(devices).In(), human.Clock(last.At), human.Milliseconds(last.Is), human.Milliseconds(last.Was))
	r.Advice = []report.Advice{askCluster,
		{Do: "If this latency is not expected, find out what has changed: it is no longer reported as slow"}}
	return []rule.Result{r}
}

// middleText describes the latency of the median disk: "250 ms, 125 times the usual 2 ms".
func middleText(slow []*facts.Latency) string {
	m := slow[len(slow)/2]
	text := human.Milliseconds(m.Now)
	if m.Usual > 0 {
		text += fmt.Sprintf(", %s the baseline of %s", human.Times(m.Now/m.Usual), human.Milliseconds(m.Usual))
	}
	return text
}

// slowText describes how many disks are slow, and the slowest.
func slowText(in rule.Input, slow []*facts.Latency, all int) string {
	worst := slow[0]
	text := fmt.Sprintf("%s slow; the slowest, %s, ", human.AllOf(len(slow), all, "krbd disk"), in.DiskName(worst.Device))
	if stalled := worst.Disk.StalledFor(); stalled >= node.LongQueue {
		return text + fmt.Sprintf("has %s in flight and has completed none for %s", human.Count(worst.Disk.Last.InFlight(), "request"),
			human.Span(stalled))
	}
	text += fmt.Sprintf("takes %s per request", human.Milliseconds(worst.Now))
	if worst.Usual > 0 {
		text += fmt.Sprintf(" (usually %s)", human.Milliseconds(worst.Usual))
	}
	return text + fmt.Sprintf(", with %s in flight and %s", human.Count(worst.Disk.Last.InFlight(), "request"),
		human.Rate(worst.Disk.Completed, "completion"))
}

// linkTrouble returns what to do about storage NICs that are slower than before, drop
// frames or are saturated.
func linkTrouble(in rule.Input) []report.Advice {
	var list []report.Advice
	nics, _ := in.StorageNICs()
	for _, n := range nics {
		list = append(list, capacityAdvice(in, n)...)
		if d, is := in.Dropping(n); is {
			list = append(list, report.Advice{Do: fmt.Sprintf("Stop the drops on %s (%s): show its current and maximum ring sizes", n.Label,
				human.Rate(d.Rate, "frame")), Command: rule.ShellCommand("ethtool -g %s", n.Name)})
		}
	}
	if anyFull(in) {
		list = append(list, saturationAdvice(in, layer2Bonds(in))...)
	}
	return list
}

// nicEvidence describes storage NICs that are saturated or drop frames.
func nicEvidence(in rule.Input) []report.Evidence {
	var list []report.Evidence
	nics, _ := in.StorageNICs()
	for _, n := range nics {
		if l, full := n.Fuller(); full {
			list = append(list, rule.FactAt(node.SourceNIC, n.Name, fmt.Sprintf("%s has been saturated (%s %s) since %s", n.Label, l.Way,
				human.BitRate(l.Bits), human.Clock(l.Since)), n.At))
		}
		if d, is := in.Dropping(n); is {
			list = append(list, rule.FactAt(d.Source, n.Name,
				fmt.Sprintf("%s has been dropping frames (receive buffers exhausted) since %s, now %s", n.Label, human.Clock(d.Since),
					human.Rate(d.Rate, "frame")), n.At))
		}
	}
	return list
}
