package judge

import (
	"slices"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// keptTransitions is the maximum number of transitions in a Report.
const keptTransitions = 200

// move replaces the memory of one finding and records the transition, if there is
// one.
func (j *Judge) move(id, subject string, m memory) {
	old := j.memory[id][subject]
	if was := levelOf(old.finding); m.raised && was.below(levelOf(m.finding)) {
		j.flaps(id, subject, &m, was)
	}
	if !m.raised && m.first.IsZero() {
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
	if from == to && (from == report.Clear || old.finding.Impact == m.finding.Impact && old.finding.State == m.finding.State) {
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

// remember adds the tick's transitions to the list. It does not modify the list that
// Reports share.
func (j *Judge) remember() {
	if len(j.changes) == 0 {
		return
	}
	all := slices.Concat(j.transitions, j.changes)
	j.transitions = slices.Clone(all[max(0, len(all)-keptTransitions):])
}

// level returns the published severity of a memory.
func (m memory) level() report.Severity {
	if !m.raised {
		return report.Clear
	}
	return m.finding.Severity
}
