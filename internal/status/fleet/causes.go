package fleet

import (
	"slices"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Causes divides the findings of a report into those that no other finding explains and
// those that another one explains. Both lists keep the order of the report, the worst
// first. A finding counts as explained only by one that is in the list, is at least as
// severe and is not acknowledged, so that nothing severe is hidden. If all findings
// explain each other, none counts as explained.
func Causes(findings []report.Finding) (causes, explained []report.Finding) {
	for _, f := range findings {
		if slices.ContainsFunc(findings, func(by report.Finding) bool { return explains(by, f) }) {
			explained = append(explained, f)
		} else {
			causes = append(causes, f)
		}
	}
	if len(causes) == 0 {
		return findings, nil
	}
	return causes, explained
}

// explains reports whether by explains f.
func explains(by, f report.Finding) bool {
	ref := report.Ref{Rule: by.Rule, Subject: by.Subject}
	itself := ref == report.Ref{Rule: f.Rule, Subject: f.Subject}
	return slices.Contains(f.ExplainedBy, ref) && !itself && by.Accepted == nil && by.Severity.Rank() >= f.Severity.Rank()
}
