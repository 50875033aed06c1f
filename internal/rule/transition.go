package rule

import (
	"cmp"
	"slices"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// clear is what a finding that is not raised counts as in a transition.
const clear = "clear"

// move replaces the memory of one finding and notes the transition, if it is one.
func (j *Judge) move(k key, m memory) {
	old := j.memory[k]
	if m.first.IsZero() {
		delete(j.memory, k)
	} else {
		j.memory[k] = m
	}
	from, to := old.level(), m.level()
	if from == to && (from == clear || old.finding.Impact == m.finding.Impact && old.finding.State == m.finding.State) {
		return
	}
	f := m.finding
	if !m.raised {
		f = old.finding
		f.Impact = report.Operational
	}
	j.last++
	t := report.Transition{
		N: j.last, At: j.snapshot.Now, Rule: k.rule, Subject: k.subject, Component: f.Component,
		From: from, To: to, Impact: f.Impact, State: f.State, Summary: f.Summary,
	}
	j.transitions = append(j.transitions[max(0, len(j.transitions)-keptTransitions+1):len(j.transitions):len(j.transitions)], t)
}

// level is the severity a memory shows.
func (m memory) level() string {
	if !m.raised {
		return clear
	}
	return string(m.finding.Severity)
}

// sortFindings sorts worst first: by severity, impact, the book's order and subject.
func sortFindings(list []report.Finding, b Book) {
	slices.SortFunc(list, func(x, y report.Finding) int {
		return cmp.Or(
			cmp.Compare(y.Severity.Rank(), x.Severity.Rank()),
			cmp.Compare(y.Impact.Rank(), x.Impact.Rank()),
			cmp.Compare(b.place(x.Rule), b.place(y.Rule)),
			cmp.Compare(x.Subject, y.Subject),
		)
	})
}
