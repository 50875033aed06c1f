package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// report builds the Report from the memories.
func (j *Judge) report() report.Report {
	s := j.snapshot
	r := report.Report{
		Node: s.Node, At: s.Now, Version: s.Version,
		Site: s.Site, Labels: s.Labels, Boot: s.Host.Value.BootID, Started: s.Started, Inventory: j.facts.Inventory(),
		Findings: j.findings, Maintenance: maintenance(s), Transitions: j.transitions, Sources: []report.SourceState{},
	}
	if r.Transitions == nil {
		r.Transitions = []report.Transition{}
	}
	j.follow(r.Findings)
	r.Incident = j.incidents.latest()
	for _, src := range s.Sources {
		r.Sources = append(r.Sources, sourceState(j.facts, src))
	}
	r.Status = report.Operational
	for _, c := range report.ComponentNames() {
		done := j.component(c, r.Findings, r.Maintenance)
		r.Components = append(r.Components, done)
		if c != report.ComponentCluster || done.Guests != nil {
			r.Status = report.Worse(r.Status, done.Status)
		}
	}
	return r
}

// explainedFindings returns the raised findings, worst first, each with its
// acknowledgement and its explanations.
func (j *Judge) explainedFindings() []report.Finding {
	list := []report.Finding{}
	for _, all := range j.memory {
		for _, m := range all {
			if m.raised {
				f := m.finding
				f.Accepted = accepted(f, j.snapshot)
				list = append(list, f)
			}
		}
	}
	sortFindings(list, j.rules)
	j.explain(list)
	list = j.clearParts(list)
	sortFindings(list, j.rules) // again, because the order depends on the explanations
	return list
}

func sourceState(f *facts.Facts, src node.Source) report.SourceState {
	state, since := src.State(f.Started, f.Now)
	st := report.SourceState{Name: src.Name, State: state, Last: src.Last, Since: since, Failures: src.Failures}
	if src.Err != nil {
		st.Error, st.Remedy = src.Err.Text, src.Err.Remedy
	} else if m := f.Missing(src.Name); m.Text != "" {
		st.Partly, st.Remedy = m.Text, m.Remedy
	}
	return st
}

// needs are the sources without which a component is unknown.
func needs(c report.ComponentName) []string {
	switch c {
	case report.ComponentStorage:
		return []string{node.SourceKrbd, node.SourceIO, node.SourceKmsg}
	case report.ComponentNetwork:
		return []string{node.SourceBond, node.SourceNIC}
	case report.ComponentHost:
		return []string{node.SourceHost}
	case report.ComponentCluster:
		return []string{node.SourceCeph}
	}
	return nil
}

// unknown returns why a component cannot be observed; nil if it can.
func unknown(c report.ComponentName, s node.Snapshot) *node.Error {
	if c == report.ComponentGuests {
		return s.GuestsKnown()
	}
	for _, name := range needs(c) {
		if err := s.Blind(name); err != nil {
			named := *err
			named.Text = name + ": " + strings.TrimPrefix(err.Text, name+": ")
			return &named
		}
	}
	return nil
}

// component returns the status of one component and its start: the worst impact of
// the findings about it or, for guests, of the findings that affect guests. It is
// unknown only if no finding makes it worse than operational. Findings about the
// cluster count for the node only if they affect guests: one unhealthy cluster must
// not make each of its nodes look broken.
func (j *Judge) component(c report.ComponentName, findings []report.Finding, m *report.Maintenance) report.Component {
	now := report.Component{Name: c, Status: report.Operational, Since: j.snapshot.Now, State: report.Seen}
	summaryRule := "" // the rule whose summary is shown
	var rest []string // the other rules
	for _, f := range findings {
		if f.Component != c && (c != report.ComponentGuests || f.Guests == nil) {
			continue
		}
		if len(f.ExplainedBy) == 0 {
			rest = append(rest, f.Rule)
		}
		worse := report.Worse(now.Status, f.Impact) != now.Status
		if summaryRule == "" || worse {
			now.Status, now.Summary, summaryRule = report.Worse(now.Status, f.Impact), f.Summary, f.Rule
		}
		if (c == report.ComponentGuests || c == report.ComponentCluster) && f.Guests != nil &&
			(now.Guests == nil || worse || f.Impact == now.Status && f.Guests.Hit > now.Guests.Hit) {
			now.Guests = f.Guests
		}
	}
	if err := unknown(c, j.snapshot); err != nil {
		now.State = report.Blind
		if now.Status == report.Operational {
			now.Status, now.Summary, summaryRule = report.Unknown, "unknown: "+err.Text, ""
		}
	}
	if c == report.ComponentGuests && now.State == report.Seen {
		m := j.facts.MissingGuests()
		now.Partly, now.Remedy = m.Text, m.Remedy
	}
	now.Summary = rule.Shorten(now.Summary) // the finding has the full text
	if others := otherRules(rest, summaryRule); len(others) > 0 {
		now.Summary = rule.Summary(fmt.Sprintf("%s (and %s)", now.Summary, strings.Join(others, ", ")),
			fmt.Sprintf("%s (and %d more)", now.Summary, len(others)), now.Summary)
	}
	now = maintained(now, m)
	if old, found := j.components[c]; found && old.Status == now.Status {
		now.Since = old.Since
	}
	j.components[c] = now
	return now
}

// otherRules returns the rules of the list except the one shown, each once, in their
// order.
func otherRules(list []string, summaryRule string) []string {
	var others []string
	for _, id := range list {
		if id != summaryRule && !slices.Contains(others, id) {
			others = append(others, id)
		}
	}
	return others
}
