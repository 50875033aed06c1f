package pagerduty

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// The API's limits, in characters but applied to bytes to be on the safe side, and
// our limits on fields that the API limits only in total, to 512 KB.
const (
	longestKey     = 255
	longestSummary = 1024
	longestName    = 256
	longestText    = 1000
	mostEvidence   = 20
	mostAdvice     = 10
	mostLabels     = 20
)

// An event is the body of a request, with the API's names.
type event struct {
	RoutingKey string   `json:"routing_key"`
	Action     string   `json:"event_action"`
	DedupKey   string   `json:"dedup_key"`
	Payload    *payload `json:"payload,omitempty"`
	Client     string   `json:"client,omitempty"`
	ClientURL  string   `json:"client_url,omitempty"`
	Links      []link   `json:"links,omitempty"`
}

type payload struct {
	Summary   string  `json:"summary"`
	Source    string  `json:"source"`
	Severity  string  `json:"severity"`
	Timestamp string  `json:"timestamp"`
	Component string  `json:"component,omitempty"`
	Group     string  `json:"group,omitempty"`
	Class     string  `json:"class,omitempty"`
	Details   details `json:"custom_details"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// details are the fields that on-call sees below the summary.
type details struct {
	Subject  string   `json:"subject,omitempty"`
	Impact   string   `json:"impact"`
	State    string   `json:"state,omitempty"`
	LastSeen string   `json:"last_seen,omitempty"`
	Evidence []string `json:"evidence,omitempty"`
	Against  []string `json:"against,omitempty"`
	Advice   []string `json:"advice,omitempty"`
	Labels   []string `json:"labels,omitempty"`
}

// trigger returns the event that pages for a finding.
func (c Config) trigger(r report.Report, f report.Finding) event {
	e := event{Action: "trigger", DedupKey: key(r, f.Rule, f.Subject), Client: "nodewatch " + r.Version, ClientURL: c.ClientURL}
	d := details{Subject: cut(f.Subject, longestText), Impact: string(f.Impact), State: string(f.State)}
	if f.State == report.Blind {
		d.LastSeen = f.LastSeen.UTC().Format(time.RFC3339)
	}
	d.Evidence, d.Against = facts(f.Evidence), facts(f.Against)
	for _, a := range f.Advice[:min(len(f.Advice), mostAdvice)] {
		d.Advice = append(d.Advice, cut(strings.TrimSpace(a.Do+"\n"+a.Command), longestText))
	}
	d.Labels = labels(r)
	e.Payload = &payload{
		Summary: cut(r.Node+": "+f.Summary, longestSummary), Source: cut(r.Node, longestName), Severity: c.severity(f.Severity),
		Timestamp: f.Since.UTC().Format("2006-01-02T15:04:05.000Z07:00"), Component: cut(string(f.Component), longestName),
		Group: cut(r.Site, longestName), Class: cut(f.Rule, longestName), Details: d,
	}
	if strings.HasPrefix(f.Runbook, "https://") || strings.HasPrefix(f.Runbook, "http://") {
		e.Links = []link{{Href: cut(f.Runbook, longestText), Text: "Runbook"}}
	}
	return e
}

// facts returns the newest facts of the evidence, one text each.
func facts(list []report.Evidence) []string {
	var texts []string
	for _, e := range list[max(0, len(list)-mostEvidence):] {
		text := e.At.UTC().Format(time.TimeOnly) + " " + e.Source
		if e.Subject != "" {
			text += " " + e.Subject
		}
		texts = append(texts, cut(text+": "+e.Fact, longestText))
	}
	return texts
}

// labels returns the node's labels as "name=value", sorted.
func labels(r report.Report) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		if len(list) == mostLabels {
			break
		}
		list = append(list, cut(name+"="+r.Labels[name], longestText))
	}
	return list
}

// key returns the dedup key of a finding: unchanged or, if it is too long, its start
// and a hash of the whole key.
func key(r report.Report, rule, subject string) string {
	whole := r.Key("finding", rule, subject)
	if len(whole) <= longestKey {
		return whole
	}
	sum := sha256.Sum256([]byte(whole))
	tail := "-" + hex.EncodeToString(sum[:16])
	return whole[:longestKey-len(tail)] + tail // it is escaped, so it has no multi-byte character
}

// cut returns the text without invalid bytes, truncated to that many bytes.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= most {
		return text
	}
	end := most - len("...")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}
