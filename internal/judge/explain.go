package judge

import (
	"cmp"
	"slices"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// explain marks in the findings, which are sorted, what explains each. Only a finding
// that is observed now and that nobody has acknowledged explains, and only those
// that are not worse than itself in severity or impact.
func (j *Judge) explain(findings []report.Finding) {
	for i := range findings {
		f := &findings[i]
		r, _ := j.rules.Rule(f.Rule)
		if len(r.Explains) == 0 || f.State != report.Seen || f.Accepted != nil {
			continue
		}
		subjects := j.memory[f.Rule][f.Subject].result.Explains
		for k := range findings {
			other := &findings[k]
			if other.Rule != f.Rule && slices.Contains(r.Explains, other.Rule) && !levelOf(*f).below(levelOf(*other)) &&
				(subjects == nil || slices.Contains(subjects, other.Subject)) {
				other.ExplainedBy = append(other.ExplainedBy, report.Ref{Rule: f.Rule, Subject: f.Subject})
			}
		}
	}
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
