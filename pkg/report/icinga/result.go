package icinga

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
)

// The states of a service, as returned by plugins.
const (
	ok       = 0
	warning  = 1
	critical = 2
	unknown  = 3
)

var stateNames = []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// The limits on the text of one service.
const (
	mostLines   = 30
	longestLine = 500 // in characters
)

// A result is a passive check result, with the API's names.
type result struct {
	Type    string   `json:"type"`
	Service string   `json:"service"`
	Exit    *int     `json:"exit_status,omitempty"`
	Output  string   `json:"plugin_output"`
	Perf    []string `json:"performance_data,omitempty"`
	Source  string   `json:"check_source,omitempty"`
	Start   float64  `json:"execution_start,omitempty"` // seconds since 1970
	End     float64  `json:"execution_end,omitempty"`
	TTL     int      `json:"ttl,omitempty"` // seconds
}

// result returns the check result for the component's service.
func (c Config) result(r report.Report, x report.Component) result {
	exit, text := checkResult(r, x)
	at := float64(r.At.UnixMilli()) / 1000
	return result{
		Type: "Service", Service: c.object(r, x.Name), Exit: &exit, Output: text, Perf: counts(r, x.Name),
		Source: r.Node, Start: at, End: at, TTL: int((c.TTL + time.Second - 1) / time.Second),
	}
}

// host returns the name of the node's Host object.
func (c Config) host(r report.Report) string { return cmp.Or(c.Host, r.Node) }

// object returns the name of the Service object for the component.
func (c Config) object(r report.Report, name report.ComponentName) string {
	return c.host(r) + "!" + c.Services[string(name)]
}

// checkResult returns the state of a component, and the text: one line, followed by one
// line for each finding. Severity decides, not impact. A node under maintenance is OK; a
// component that is not visible is unknown unless something bad is raised.
func checkResult(r report.Report, x report.Component) (exit int, text string) {
	list := of(r, x.Name)
	exit, first := ok, "nothing raised"
	for n, f := range list {
		state := f.Severity.Rank() - report.Info.Rank()
		if f.Accepted != nil {
			state = ok // it is shown, and pages no one
		}
		if n == 0 || state > exit {
			exit, first = state, f.Summary
		}
	}
	switch m := r.Maintenance; {
	case m != nil:
		exit, first = ok, fmt.Sprintf("maintenance until %s by %s: %s", m.Until.UTC().Format(time.RFC3339), m.By, m.Reason)
	case x.Status == report.UnderMaintenance:
		exit, first = ok, "maintenance: "+reason(r, x)
	case x.Status == report.Unknown && exit == ok:
		exit, first = unknown, reason(r, x)
	}
	lines := []string{line(fmt.Sprintf("%s %s: %s", strings.ToUpper(string(x.Name)), stateNames[exit], first) + ended(r))}
	for n, f := range list {
		if n == mostLines {
			lines = append(lines, fmt.Sprintf("and %d more", len(list)-n))
			break
		}
		lines = append(lines, line(impactText(f)))
	}
	return exit, strings.Join(lines, "\n")
}

// reason returns why a component has its status; for the node as a whole, the reason
// of the first component with the node's status.
func reason(r report.Report, x report.Component) string {
	if x.Name != componentsync.Node {
		return cmp.Or(x.Summary, string(x.Status))
	}
	for _, c := range r.Components {
		if c.Status == x.Status {
			return string(c.Name) + ": " + reason(r, c)
		}
	}
	return string(x.Status)
}

// of returns the findings of a component; all of them for the node as a whole.
func of(r report.Report, name report.ComponentName) (list []report.Finding) {
	for _, f := range r.Findings {
		if name == componentsync.Node || f.Component == name {
			list = append(list, f)
		}
	}
	return list
}

// impactText returns a text for one finding.
func impactText(f report.Finding) string {
	text := fmt.Sprintf("[%s] %s, since %s", f.Severity, f.Summary, f.Since.UTC().Format(time.RFC3339))
	if f.State == report.Blind {
		text += ", last seen " + f.LastSeen.UTC().Format(time.RFC3339)
	}
	if a := f.Accepted; a != nil {
		text += fmt.Sprintf(", acknowledged until %s by %s", a.Until.UTC().Format(time.DateOnly), a.By)
	}
	return text
}

// ended returns the text for the last report.
func ended(r report.Report) string {
	if r.Final == "" {
		return ""
	}
	return " (" + r.Final + ")"
}

// counts returns the number of raised findings by severity, as performance data.
func counts(r report.Report, name report.ComponentName) []string {
	n := map[report.Severity]int{}
	for _, f := range of(r, name) {
		n[f.Severity]++
	}
	var list []string
	for _, s := range []report.Severity{report.Info, report.Warning, report.Critical} {
		list = append(list, fmt.Sprintf("%s=%d;;;0", s, n[s]))
	}
	return list
}

// line returns the text as one line of bounded length, without the character that
// begins performance data in the output of a plugin.
func line(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "|", "/")
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longestLine {
		text = string(runes[:longestLine-3]) + "..."
	}
	return text
}
