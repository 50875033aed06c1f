package network

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// flapWindow is how long a link failure counts.
const flapWindow = 10 * time.Minute

type degradedLimits struct {
	Failures int `json:"failures" doc:"link failures of one slave within ten minutes that count as flapping" min:"1" max:"100"`
}

func bondDegraded() rule.Rule {
	l := &degradedLimits{Failures: 2}
	return rule.Rule{
		ID:            "bond-degraded",
		Title:         "a bond has lost some or all of its slaves",
		Component:     report.ComponentNetwork,
		Severity:      "warning; critical when a bond in use has no slave that carries traffic; info when that bond is not in use, or had no active slave only briefly",
		Impact:        "operational while a slave carries traffic; major_outage when a bond that carries krbd's traffic has none, partial_outage when another bond in use has none",
		Needs:         []string{node.SourceBond},
		For:           rule.Timing{Warning: 5 * time.Second, Critical: 5 * time.Second},
		KeepFiringFor: rule.Always(30 * time.Second), // longer than a slave takes to rejoin its bundle
		Explains:      append(storageEffects(), "bond-lacp", "slave-missing", "link-speed"),
		Limits:        l,
		About: "A slave has no link or its MII status is down, its link keeps failing, or the bond carries no traffic at all: every slave is down, or an 802.3ad bond has no active aggregator, in which case the kernel sends no frames although all links are up. " +
			"A bond with remaining slaves works with less bandwidth and redundancy. Link failures are taken from the kernel's counter, so none is missed between two readings.",
		Do: []string{
			"Show the slave's link: `ethtool ethX`, and its transceiver: `ethtool -m ethX`.",
			"Check the switch port, the cable and the kernel log.",
			"Do not change the other slave, its cable or its switch until this one carries traffic again.",
		},
		Check: func(in rule.Input) []rule.Result {
			return overBonds(in, func(b bond.Bond) (rule.Result, bool) { return l.check(in, b) })
		},
	}
}

func (l *degradedLimits) check(in rule.Input, b bond.Bond) (rule.Result, bool) {
	problems := l.problems(in, b)
	r := rule.Result{Severity: report.Warning, Explains: explainedSubjects(b)}
	carrying := in.Carries(b)
	_, storage := in.CarriesStorage(b.Name)
	switch {
	case len(b.Slaves) > 0 && (len(carrying) == 0 || !b.Up && storage) && !setDown(b, storage):
		r.Severity, r.Impact, r.Summary = noneLeft(in, b)
	case len(problems) > 0:
		r.Summary = fmt.Sprintf("%s: %s; %s", bondName(b), problemText(problems), carryText(in, b))
		if len(carrying) > 0 {
			r.Against = []report.Evidence{in.Fact(facts.BondSource(b), b.Name,
				"it is up and carries traffic on "+human.Names(slaveNames(carrying), 4))}
		}
	default:
		return momentWithoutSlave(in, b)
	}
	r.Evidence = append(problemFacts(in, facts.BondSource(b), problems), slaveDownLines(in, b)...)
	if b.Mode == bond.LACP && b.Kind == bond.Kernel && b.AD == nil && len(b.Slaves) > 0 {
		r.Evidence = append(r.Evidence, in.Fact(facts.BondSource(b), b.Name,
			b.Name+" has no active aggregator: the kernel sends frames through no slave"))
	}
	r.Advice = checkLinks(affected(problems, 8))
	if b.Mode == bond.LACP && len(problems) == 0 {
		r.Advice = append(r.Advice, checkBundle)
	}
	for _, name := range affected(problems, 2) {
		r.Advice = append(r.Advice, showOptics(name))
	}
	r.Advice = append(r.Advice, showBond(b))
	r.Advice = append(r.Advice, report.Advice{Do: "Show the kernel log lines about it",
		Command: rule.ShellCommand("journalctl -k --since -30min -g %s", b.Name)})
	return r, true
}

// setDown reports whether a bond without krbd's traffic has been set down, by an
// operator or min_links, while its slaves have a link.
func setDown(b bond.Bond, storage bool) bool {
	return !b.Up && !storage && slices.ContainsFunc(b.Slaves, func(s bond.Slave) bool { return !facts.LinkDown(s) })
}

// noneLeft describes the effect of a bond without a slave that carries traffic.
func noneLeft(in rule.Input, b bond.Bond) (report.Severity, report.Impact, string) {
	reason := "all slaves are down"
	if slices.ContainsFunc(b.Slaves, func(s bond.Slave) bool { return !facts.LinkDown(s) }) {
		reason = "no slave carries traffic"
		if b.Mode == bond.LACP && b.AD == nil {
			reason = "no active aggregator, so no slave carries traffic"
		}
	}
	what := fmt.Sprintf("%s is down: %s", bondName(b), reason)
	if devices, storage := in.CarriesStorage(b.Name); storage {
		return report.Critical, report.MajorOutage, fmt.Sprintf("%s; %s cannot reach the cluster", what, human.Count(devices, "krbd disk"))
	}
	if on := usedBy(in, b); on != "" {
		return report.Critical, report.PartialOutage, fmt.Sprintf("%s; it is used by %s", what, on)
	}
	return report.Info, report.Operational, what + "; it is not in use"
}

// problems returns the problems with the links of a bond's slaves.
func (l *degradedLimits) problems(in rule.Input, b bond.Bond) []facts.PortProblem {
	var list []facts.PortProblem
	for _, s := range b.Slaves {
		if n := in.Flap(b.Name, s.Name).Within(in.Now, flapWindow); n >= uint64(l.Failures) {
			list = append(list, facts.PortProblem{Slave: s.Name, Problem: fmt.Sprintf("lost its link %d times in the last 10 min", n)})
		}
		switch {
		case !s.Carrier:
			list = append(list, facts.PortProblem{Slave: s.Name, Problem: "has no link"})
		case facts.LinkDown(s):
			list = append(list, facts.PortProblem{Slave: s.Name, Problem: "is down according to the bond's link monitoring (MII status)"})
		}
	}
	return list
}

// momentWithoutSlave returns a finding on a bond that had no slave for less time than
// a finding takes to be raised: every slave's link failed within seconds, or the
// kernel reported it.
func momentWithoutSlave(in rule.Input, b bond.Bond) (rule.Result, bool) {
	at := time.Time{}
	for _, s := range in.Kernel.Of(kmsg.BondOther) {
		if s.Detail == "no active" && (s.Device == b.Name || strings.HasPrefix(s.Device, b.Name+"/")) && s.Within(in.Now, flapWindow) > 0 {
			at = facts.Later(at, s.Last)
		}
	}
	if at.IsZero() {
		first, last := in.Now, time.Time{}
		for _, s := range b.Slaves {
			f := in.Flap(b.Name, s.Name)
			if f.Within(in.Now, flapWindow) == 0 {
				return rule.Result{}, false
			}
			first, last = facts.Earlier(first, f.Last), facts.Later(last, f.Last)
		}
		if len(b.Slaves) < 2 || last.Sub(first) > 5*time.Second {
			return rule.Result{}, false
		}
		at = last
	}
	return rule.Result{
		Severity: report.Info,
		Summary:  fmt.Sprintf("%s had no active slave for a moment at %s", bondName(b), human.Clock(at)),
		Evidence: append([]report.Evidence{rule.FactAt(node.SourceBond, b.Name,
			"the links of all slaves failed within seconds of each other", at)}, slaveDownLines(in, b)...),
		Advice: []report.Advice{
			{Do: "Check the switches: slaves that fail together share a switch, a line card or a power feed"},
			{Do: "Show the kernel log lines about it", Command: rule.ShellCommand("journalctl -k --since -30min -g %s", b.Name)},
		},
	}, true
}

// slaveDownLines returns at most two of the kernel's latest lines, from the last half
// hour, about slaves of the bond that went down.
func slaveDownLines(in rule.Input, b bond.Bond) []report.Evidence {
	var list []report.Evidence
	for _, s := range in.Kernel.Of(kmsg.BondSlaveDown) {
		if strings.HasPrefix(s.Device, b.Name+"/") && in.Now.Sub(s.Last) < 3*flapWindow && len(list) < 2 {
			list = append(list, rule.FactAt(node.SourceKmsg, s.Device, s.Text, s.Last))
		}
	}
	return list
}

// affected returns at most the given number of slaves with problems, each once.
func affected(list []facts.PortProblem, most int) []string {
	var names []string
	for _, p := range list {
		if len(names) < most && !slices.Contains(names, p.Slave) {
			names = append(names, p.Slave)
		}
	}
	return names
}
