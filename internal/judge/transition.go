package judge

import (
	"cmp"
	"slices"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// cleared is what a finding that is not raised counts as in a transition.
const cleared = "clear"

// move replaces the memory of one finding and notes the transition, if it is one.
func (j *Judge) move(r rule.Rule, subject string, m memory) {
	id := r.ID
	old := j.memory[id][subject]
	if m.raised && !old.raised {
		m = j.flaps(m, r, subject)
	}
	if m.first.IsZero() {
		delete(j.memory[id], subject)
		if len(j.memory[id]) == 0 {
			delete(j.memory, id)
		}
	} else {
		if j.memory[id] == nil {
			j.memory[id] = memories{}
		}
		j.memory[id][subject] = m
	}
	from, to := old.level(), m.level()
	if from == to && (from == cleared || old.finding.Impact == m.finding.Impact && old.finding.State == m.finding.State) {
		return
	}
	f := m.finding
	if !m.raised {
		f = old.finding
		f.Impact = report.Operational
	}
	j.last++
	t := report.Transition{
		N: j.last, At: j.snapshot.Now, Rule: id, Subject: subject, Component: f.Component,
		From: from, To: to, Impact: f.Impact, State: f.State, Summary: f.Summary,
	}
	if old.raised && old.finding.Impact != f.Impact {
		t.ImpactFrom = old.finding.Impact
	}
	j.changes = append(j.changes, t)
}

// remember adds the tick's transitions to the ring. The list that Reports share
// is left as it is.
func (j *Judge) remember() {
	if len(j.changes) == 0 {
		return
	}
	all := slices.Concat(j.transitions, j.changes)
	j.transitions = slices.Clone(all[max(0, len(all)-keptTransitions):])
}

// level is the severity a memory shows.
func (m memory) level() string {
	if !m.raised {
		return cleared
	}
	return string(m.finding.Severity)
}

// sortFindings sorts worst first: by severity, impact, the rules' order and subject.
func sortFindings(list []report.Finding, b rule.RuleSet) {
	place := make(map[string]int, len(b.Rules))
	for i, r := range b.Rules {
		place[r.ID] = i
	}
	slices.SortFunc(list, func(x, y report.Finding) int {
		return cmp.Or(
			cmp.Compare(y.Severity.Rank(), x.Severity.Rank()),
			cmp.Compare(y.Impact.Rank(), x.Impact.Rank()),
			cmp.Compare(place[x.Rule], place[y.Rule]),
			cmp.Compare(x.Subject, y.Subject),
		)
	})
}
