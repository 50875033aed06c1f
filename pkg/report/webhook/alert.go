package webhook

import (
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// An alert is one alert for the node, however many findings it has: it begins with
// the first, is updated with each change, and ends with the last.

// alertKey identifies the node's alert.
func (m message) alertKey() string {
	if m.report.Test {
		return m.report.Key("test")
	}
	return m.report.Key()
}

func (m message) firing() bool { return m.event.Raised > 0 }

// title returns the worst raised finding's title or, if none is raised, that of the
// cleared one.
func (m message) title() string {
	head, _, _ := strings.Cut(m.text, "\n")
	if f := m.worst(); f != nil && m.firing() && !m.report.Test {
		head = strings.ToUpper(string(f.Severity)) + " " + singleLine(m.report.Node) + ": " + singleLine(f.Summary)
	}
	return limit{mostTitle, inBytes}.cut(head)
}

func (m message) worst() *report.Finding {
	if len(m.report.Findings) == 0 {
		return nil
	}
	return &m.report.Findings[0]
}

// link returns the address to follow.
func (w *Reporter) link(m message) string {
	if f := m.worst(); f != nil && w.c.Page == "" {
		return f.Runbook
	}
	return w.c.Page
}

func (m message) severity() string { return string(m.report.Worst()) }

func oncallBody(w *Reporter, m message) ([]byte, error) {
	state := "ok"
	if m.firing() {
		state = "alerting"
	}
	return encode(struct {
		ID      string `json:"alert_uid"`
		Title   string `json:"title"`
		State   string `json:"state"`
		Message string `json:"message"`
		Link    string `json:"link_to_upstream_details,omitempty"`
	}{m.alertKey(), m.title(), state, m.text, w.link(m)})
}

func incidentBody(w *Reporter, m message) ([]byte, error) {
	status := "resolved"
	if m.firing() {
		status = "firing"
	}
	meta := map[string]string{"node": m.report.Node, "site": m.report.Site, "impact": string(m.report.Status), "severity": m.severity()}
	for name, value := range m.report.Labels {
		if _, taken := meta[name]; !taken {
			meta[name] = value
		}
	}
	return encode(struct {
		Title       string            `json:"title"`
		Status      string            `json:"status"`
		Key         string            `json:"deduplication_key"`
		Description string            `json:"description"`
		Link        string            `json:"source_url,omitempty"`
		Metadata    map[string]string `json:"metadata"`
	}{m.title(), status, m.alertKey(), m.text, w.link(m), meta})
}

func betterBody(w *Reporter, m message) ([]byte, error) {
	state := "resolved"
	if m.firing() {
		state = "started"
	}
	return encode(struct {
		ID       string `json:"alert_id"`
		State    string `json:"state"`
		Title    string `json:"title"`
		Cause    string `json:"cause"`
		Node     string `json:"node"`
		Site     string `json:"site"`
		Severity string `json:"severity"`
		Impact   string `json:"impact"`
		Link     string `json:"link,omitempty"`
	}{m.alertKey(), state, m.title(), m.text, m.report.Node, m.report.Site, m.severity(), string(m.report.Status), w.link(m)})
}
