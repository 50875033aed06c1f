package page

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A SilenceList lists the overrides of operators on a node, as printed by `nodewatch
// silences --output json` and served by /api/v1/silences. docs/commands.schema.json
// describes it.
type SilenceList struct {
	Node         string                `json:"node,omitempty"` // empty without a daemon
	At           time.Time             `json:"at"`
	Version      string                `json:"version"`
	Live         bool                  `json:"live"` // from the daemon: the overrides in effect; otherwise those in the file
	Maintenance  *override.Maintenance `json:"maintenance,omitempty"`
	Acknowledged []ListAcknowledged    `json:"acknowledged"`
}

// A ListAcknowledged is one acknowledged finding, or all findings of a rule.
type ListAcknowledged struct {
	Rule     string       `json:"rule"`
	Subject  string       `json:"subject,omitempty"` // absent: every subject
	Severity string       `json:"severity"`          // the highest severity that is acknowledged
	At       time.Time    `json:"at"`
	Until    time.Time    `json:"until"`
	By       string       `json:"by"`
	Reason   string       `json:"reason"`
	Findings []ListRaised `json:"findings"` // the findings that it silences now
}

// Silences lists the overrides at a time. A report, if there is one, determines which
// findings they silence.
func Silences(w override.Overrides, at time.Time, version string, r *report.Report) SilenceList {
	l := SilenceList{At: at, Version: version, Acknowledged: []ListAcknowledged{}}
	w = w.Without(at)
	l.Maintenance = w.Maintenance
	var findings []report.Finding
	if r != nil {
		l.Node, l.Version, l.Live, findings = r.Node, r.Version, true, r.Findings
	}
	for _, a := range w.Accepted {
		x := ListAcknowledged{a.Rule, a.Subject, a.Severity, a.At, a.Until, a.By, a.Reason, []ListRaised{}}
		for _, f := range findings {
			if f.Accepted != nil && a.Covers(f.Rule, f.Subject, at) && f.Severity.Rank() <= report.Severity(a.Severity).Rank() {
				x.Findings = append(x.Findings, ListRaised{f.Subject, f.Severity, f.Impact, f.Since, true})
			}
		}
		l.Acknowledged = append(l.Acknowledged, x)
	}
	return l
}

// Text formats the list for a terminal, with local times.
func (l SilenceList) Text(s Style) string {
	t := &terminal{style: s}
	if l.Maintenance == nil && len(l.Acknowledged) == 0 {
		t.line(0, "No maintenance and no acknowledged findings.")
		return t.b.String()
	}
	if m := l.Maintenance; m != nil {
		t.item(0, info, "Maintenance", "until "+local(m.Until)+" by "+m.By+": "+m.Reason)
	}
	if len(l.Acknowledged) == 0 {
		return t.b.String()
	}
	if l.Maintenance != nil {
		t.b.WriteByte('\n')
	}
	all := table{columns: []string{"ACKNOWLEDGED", "SUBJECT", "NOW", "UP TO"}, optional: 2, text: "UNTIL, BY, REASON"}
	for _, a := range l.Acknowledged {
		subject, now, how := a.Subject, "not raised", info
		if subject == "" {
			subject = "(all)"
		}
		switch {
		case !l.Live:
			now = "?"
		case len(a.Findings) > 0:
			now, how = "silenced", good
		}
		all.rows = append(all.rows, tableRow{
			tone: how, mark: 2, cells: []string{a.Rule, subject, now, a.Severity}, text: local(a.Until) + ", " + a.By + ": " + a.Reason,
		})
	}
	t.table(all)
	return t.b.String()
}

// local formats a time in the local time zone, for an operator at a terminal.
func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// JSON returns the list as JSON.
func (l SilenceList) JSON() ([]byte, error) { return encode(l, "  ") }
