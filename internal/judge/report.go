package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// report renders what is remembered.
func (j *Judge) report() report.Report {
	s := j.snapshot
	r := report.Report{
		Node: s.Node, At: s.Now, Version: s.Version,
		Site: s.Site, Labels: s.Labels, Boot: s.Host.Value.BootID, Started: s.Started,
		Findings: []report.Finding{}, Transitions: j.transitions, Sources: []report.SourceState{},
	}
	if r.Transitions == nil {
		r.Transitions = []report.Transition{}
	}
	for id := range j.memory {
		for _, raised := range j.raised(id) {
			r.Findings = append(r.Findings, raised.Finding)
		}
	}
	sortFindings(r.Findings, j.rules)
	applyOverrides(&r, s)
	for _, src := range s.Sources {
		r.Sources = append(r.Sources, sourceState(s, src))
	}
	r.Status = report.Operational
	for _, c := range rule.Components() {
		done := j.component(c, r.Findings, r.Maintenance)
		r.Components = append(r.Components, done)
		if !optional(c, s) {
			r.Status = report.Worse(r.Status, done.Status)
		}
	}
	return r
}

func sourceState(s node.Snapshot, src node.Source) report.SourceState {
	state, since := src.State(s.Started, s.Now)
	st := report.SourceState{Name: src.Name, State: state, Last: src.Last, Since: since, Failures: src.Failures}
	if src.Err != nil {
		st.Error, st.Remedy = src.Err.Text, src.Err.Remedy
	}
	return st
}

// blind returns why the component cannot be observed; nil if it can.
func blind(c rule.Component, s node.Snapshot) *node.Error {
	var needs []string
	switch c {
	case rule.Storage:
		needs = []string{node.SourceKrbd, node.SourceIO, node.SourceKmsg}
	case rule.Network:
		needs = []string{node.SourceBond, node.SourceNIC}
	case rule.Guests:
		return s.GuestsKnown()
	case rule.Host:
		needs = []string{node.SourceHost}
	case rule.Cluster:
		needs = []string{node.SourceCeph}
	}
	for _, name := range needs {
		if err := s.Blind(name); err != nil {
			named := *err
			named.Text = name + ": " + strings.TrimPrefix(err.Text, name+": ")
			return &named
		}
	}
	return nil
}

// optional reports whether the component's being unknown says nothing about the
// node: the cluster is asked only where somebody has given nodewatch a key.
func optional(c rule.Component, s node.Snapshot) bool {
	err := blind(c, s)
	return c == rule.Cluster && err != nil && (err.Kind == node.Absent || err.Kind == node.Denied || err.Kind == node.Held)
}

// component says how one component is, and since when. It becomes unknown only
// when nothing raised holds it.
func (j *Judge) component(c rule.Component, findings []report.Finding, m *report.Maintenance) report.Component {
	now := report.Component{Name: string(c), Status: report.Operational, Since: j.snapshot.Now, State: report.Seen}
	shown := ""       // the rule whose summary is shown
	var rest []string // the other rules
	for _, f := range findings {
		if f.Component != string(c) {
			continue
		}
		rest = append(rest, f.Rule)
		if shown == "" || report.Worse(now.Status, f.Impact) != now.Status {
			now.Status, now.Summary, shown = report.Worse(now.Status, f.Impact), f.Summary, f.Rule
		}
	}
	if err := blind(c, j.snapshot); err != nil {
		now.State = report.Blind
		if now.Status == report.Operational {
			now.Status, now.Summary, shown = report.Unknown, "cannot be seen: "+err.Text, ""
		}
	}
	if others := otherRules(rest, shown); len(others) > 0 {
		now.Summary += fmt.Sprintf(" (and %s)", strings.Join(others, ", "))
	}
	now = maintained(now, m)
	if old, found := j.components[c]; found && old.Status == now.Status {
		now.Since = old.Since
	}
	j.components[c] = now
	return now
}

// otherRules are the rules of the list but for the one shown, each once, in their order.
func otherRules(list []string, shown string) []string {
	var others []string
	for _, id := range list {
		if id != shown && !slices.Contains(others, id) {
			others = append(others, id)
		}
	}
	return others
}
