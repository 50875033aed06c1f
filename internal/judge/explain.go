package judge

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// explain marks in the sorted findings what explains each. Only unacknowledged findings
// explain, and only those that are not worse than themselves in severity or impact. A
// blind finding explains only what began before it became blind: losing a source in a
// storm must not page for each part of the storm.
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
				(subjects == nil || slices.Contains(subjects, other.Subject)) &&
				(f.State == report.Seen || !other.Since.After(f.LastSeen)) {
				other.ExplainedBy = append(other.ExplainedBy, report.Ref{Rule: f.Rule, Subject: f.Subject})
			}
		}
	}
}

// partFor is how long after the end of its explanation a finding still counts as a part
// of it: it then lasts only while it is observed.
const partFor = time.Minute

// clearParts lowers findings that are raised only because of an earlier observation,
// once their explanation has ended: the end of an incident must not page for its
// parts. The findings must be sorted and explained; clearParts returns the remaining
// ones.
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

// sortFindings sorts worst first: by severity, impact, unexplained before explained,
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
