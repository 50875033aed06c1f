package page

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A RuleList lists the rules of a node, as printed by `nodewatch rules --output json`
// and served by /api/v1/rules. docs/commands.schema.json describes it.
type RuleList struct {
	Node    string     `json:"node,omitempty"` // empty without a daemon
	At      time.Time  `json:"at,omitzero"`
	Version string     `json:"version"`
	Live    bool       `json:"live"` // from the daemon: Raised is known
	Rules   []ListRule `json:"rules"`
}

// A ListRule is one rule.
type ListRule struct {
	ID            string               `json:"id"`
	Title         string               `json:"title"`
	About         string               `json:"about"`
	Component     report.ComponentName `json:"component"`
	Severities    []report.Severity    `json:"severities"`
	Impact        string               `json:"impact,omitempty"`
	Off           bool                 `json:"off"` // disabled in the configuration
	For           ListTiming           `json:"for_s"`
	KeepFiringFor ListTiming           `json:"keep_firing_for_s"`
	Needs         []string             `json:"needs"`
	Explains      []string             `json:"explains"`
	Thresholds    []ListThreshold      `json:"thresholds"`
	Do            []string             `json:"do"`
	Runbook       string               `json:"runbook"`
	Raised        []ListRaised         `json:"raised"`
}

// A ListTiming is a duration for each severity, in seconds.
type ListTiming struct {
	Info     float64 `json:"info"`
	Warning  float64 `json:"warning"`
	Critical float64 `json:"critical"`
}

func timingOf(t rule.Timing) ListTiming {
	return ListTiming{t.Info.Seconds(), t.Warning.Seconds(), t.Critical.Seconds()}
}

// A ListThreshold is one threshold of a rule, spelled as in the configuration.
type ListThreshold struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Allowed string `json:"allowed"`
	Doc     string `json:"doc"`
}

// A ListRaised is one raised finding of a rule.
type ListRaised struct {
	Subject      string          `json:"subject,omitempty"`
	Severity     report.Severity `json:"severity"`
	Impact       report.Impact   `json:"impact"`
	Since        time.Time       `json:"since"`
	Acknowledged bool            `json:"acknowledged"`
}

// Rules lists the rules of a set, disabled ones last. A report, if there is one,
// determines which of them are raised.
func Rules(set rule.RuleSet, version string, r *report.Report) RuleList {
	l := RuleList{Version: version, Rules: []ListRule{}}
	var findings []report.Finding
	if r != nil {
		l.Node, l.At, l.Version, l.Live, findings = r.Node, r.At, r.Version, true, r.Findings
	}
	for _, x := range set.Rules {
		l.Rules = append(l.Rules, listRule(set, x, findings))
	}
	for _, x := range set.All() {
		if _, on := set.Rule(x.ID); !on {
			off := listRule(set, x, nil)
			off.Off = true
			l.Rules = append(l.Rules, off)
		}
	}
	return l
}

func listRule(set rule.RuleSet, r rule.Rule, findings []report.Finding) ListRule {
	x := ListRule{
		ID: r.ID, Title: r.Title, About: strings.Join(strings.Fields(r.About), " "), Component: r.Component, Severities: r.Severities(),
		Impact: r.Impact,
		For:    timingOf(r.For), KeepFiringFor: timingOf(r.KeepFiringFor), Needs: list(r.Needs), Explains: list(r.Explains),
		Thresholds: []ListThreshold{},
		Do:         list(r.Do), Runbook: set.RunbookURL(r.ID), Raised: []ListRaised{},
	}
	for _, t := range rule.Limits(r) {
		x.Thresholds = append(x.Thresholds, ListThreshold{t.Name, t.Value, t.Allowed, t.Doc})
	}
	for _, f := range findings {
		if f.Rule == r.ID {
			x.Raised = append(x.Raised, ListRaised{f.Subject, f.Severity, f.Impact, f.Since, f.Accepted != nil})
		}
	}
	return x
}

// Only returns the list with only the rule of the given id; false if it is not enabled.
func (l RuleList) Only(id string) (RuleList, bool) {
	i := slices.IndexFunc(l.Rules, func(r ListRule) bool { return r.ID == id && !r.Off })
	if i < 0 {
		return l, false
	}
	l.Rules = l.Rules[i : i+1]
	return l, true
}

// Text formats the list for a terminal.
func (l RuleList) Text(s Style) string {
	t := &terminal{style: s}
	all := table{columns: []string{"RULE", "NOW", "COMPONENT", "SEVERITIES"}, optional: 2, text: "WHAT IT IS"}
	for _, r := range l.Rules {
		now, how := "-", good
		if !l.Live {
			now = "?"
		}
		switch worst := r.worst(); {
		case r.Off:
			now, how = "off", info
		case worst != nil && worst.Acknowledged:
			now, how = "acknowledged", info
		case worst != nil:
			now, how = string(worst.Severity), toneOf(worst.Severity)
		}
		words := make([]string, len(r.Severities))
		for i, s := range r.Severities {
			words[i] = string(s)
		}
		text := r.Title
		if subjects := r.subjects(); subjects != "" {
			text += ": " + subjects
		}
		all.rows = append(all.rows, tableRow{tone: how, mark: 1, cells: []string{r.ID, now, string(r.Component), strings.Join(words, ", ")},
			text: text})
	}
	t.table(all)
	return t.b.String()
}

// worst returns the raised finding that pages first; nil: none is raised. The
// findings of the report are ordered by severity.
func (r ListRule) worst() *ListRaised {
	for i := range r.Raised {
		if !r.Raised[i].Acknowledged {
			return &r.Raised[i]
		}
	}
	if len(r.Raised) > 0 {
		return &r.Raised[0]
	}
	return nil
}

// subjects returns the subjects of the raised findings.
func (r ListRule) subjects() string {
	var names []string
	for _, f := range r.Raised {
		if f.Subject != "" {
			names = append(names, f.Subject)
		}
	}
	if len(names) > 4 {
		return strings.Join(names[:4], ", ") + " and " + plural(len(names)-4, "more", "more")
	}
	return strings.Join(names, ", ")
}

// JSON returns the list as JSON.
func (l RuleList) JSON() ([]byte, error) { return encode(l, "  ") }
