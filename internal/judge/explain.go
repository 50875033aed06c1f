package judge

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// explain marks in the findings, which are sorted, what explains each. Only a finding
// that nobody has acknowledged explains, and only those that are not worse than itself
// in severity or impact. One that has gone blind explains what had begun before: losing
// a source in a storm must not page for each part of it.
func (j *Judge) explain(findings []report.Finding) {
	for i := range findings {
		f := &findings[i]
		r, _ := j.rules.Rule(f.Rule)
		if len(r.Explains) == 0 || f.Accepted != nil {
			continue
		}
		subjects := j.memory[f.Rule][f.Subject].result.Explains
		for k := range findings {
			other := &findings[k]
			if other.Rule != f.Rule && slices.Contains(r.Explains, other.Rule) && !levelOf(*f).below(levelOf(*other)) &&
				(subjects == nil || slices.Contains(subjects, other.Subject)) && (f.State == report.Seen || !other.Since.After(f.LastSeen)) {
				other.ExplainedBy = append(other.ExplainedBy, report.Ref{Rule: f.Rule, Subject: f.Subject})
			}
		}
	}
}

// partFor is how long after its explanation has ended a finding is still a part of it: it
// lasts no longer than it is observed.
const partFor = time.Minute

// clearParts lowers what only lasts because it was observed a moment ago, once what
// explained it has ended: the end of an incident must not page for its parts. The
// findings are sorted and explained; those that are left are returned.
func (j *Judge) clearParts(findings []report.Finding) []report.Finding {
	explained := make(map[report.Ref]time.Time, len(j.explained))
	now := j.snapshot.Now
	left := findings[:0]
	for _, f := range findings {
		ref := report.Ref{Rule: f.Rule, Subject: f.Subject}
		m := j.memory[f.Rule][f.Subject]
		last, was := j.explained[ref]
		part := was && now.Sub(last) < partFor
		switch {
		case len(f.ExplainedBy) > 0:
			explained[ref] = now
		case part:
			explained[ref] = last
		}
		if len(f.ExplainedBy) == 0 && part && f.State == report.Seen && !f.Flapping && !m.result.Setting && m.observed.below(levelOf(f)) {
			if m.observed == (level{}) {
				delete(explained, ref)
				j.move(f.Rule, f.Subject, memory{first: m.first, risen: m.risen})
				continue
			}
			m.forget(m.observed)
			m.setLevel(m.observed, now)
			j.move(f.Rule, f.Subject, m)
			f = m.finding
			f.Accepted = accepted(f, j.snapshot)
		}
		left = append(left, f)
	}
	j.explained = explained
	return left
}

// sortFindings sorts worst first: by severity, impact, those that no other explains,
// the rules' order and subject.
func sortFindings(list []report.Finding, b rule.RuleSet) {
	order := make(map[string]int, len(b.Rules))
	for i, r := range b.Rules {
		order[r.ID] = i
	}
	slices.SortFunc(list, func(x, y report.Finding) int {
		return cmp.Or(
			levelOf(y).compare(levelOf(x)),
			cmp.Compare(min(len(x.ExplainedBy), 1), min(len(y.ExplainedBy), 1)),
			cmp.Compare(order[x.Rule], order[y.Rule]),
			cmp.Compare(x.Subject, y.Subject),
		)
	})
}
