package judge

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// maintenance returns the current maintenance of the node; nil: none. An override
// changes how a finding is shown, never whether it is raised.
func maintenance(s node.Snapshot) *report.Maintenance {
	m := s.Overrides.Value.Maintenance
	if !m.Holds(s.Now) {
		return nil
	}
	return &report.Maintenance{Since: m.Since, Until: m.Until, By: m.By, Reason: m.Reason}
}

// accepted returns who has acknowledged the finding; nil if no one has, or if it has
// become worse than what was acknowledged.
func accepted(f report.Finding, s node.Snapshot) *report.Accepted {
	for _, a := range s.Overrides.Value.Accepted {
		if a.Covers(f.Rule, f.Subject, s.Now) && f.Severity.Rank() <= report.Severity(a.Severity).Rank() {
			return &report.Accepted{At: a.At, Until: a.Until, By: a.By, Reason: a.Reason}
		}
	}
	return nil
}

// maintained returns the component as shown during a maintenance, with its problem
// after the reason.
func maintained(c report.Component, m *report.Maintenance) report.Component {
	if m == nil {
		return c
	}
	text := fmt.Sprintf("under maintenance by %s until %s: %s", m.By, m.Until.UTC().Format(time.DateTime), m.Reason)
	if c.Status != report.Operational {
		text += fmt.Sprintf("; %s: %s", c.Status, c.Summary)
	}
	c.Status, c.Summary = report.UnderMaintenance, rule.Shorten(text)
	return c
}
