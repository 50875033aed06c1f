package page

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Each finding is in exactly one group, and no finding is hidden behind one that is
// milder, acknowledged, missing from the report or explained by it in turn.
func TestGroups(t *testing.T) {
	raised := func(rule string, s report.Severity, by ...string) report.Finding {
		f := report.Finding{Rule: rule, Severity: s}
		for _, b := range by {
			f.ExplainedBy = append(f.ExplainedBy, report.Ref{Rule: b})
		}
		return f
	}
	for name, c := range map[string]struct {
		findings []report.Finding
		want     map[string][]string
	}{
		"one explains": {[]report.Finding{raised("a", report.Critical), raised("b", report.Warning, "a")},
			map[string][]string{"a": {"b"}}},
		"a chain": {[]report.Finding{raised("a", report.Critical), raised("b", report.Warning, "a"),
			raised("c", report.Warning, "b")}, map[string][]string{"a": {"b", "c"}}},
		"the explained one first": {[]report.Finding{raised("b", report.Critical, "a"), raised("a", report.Critical)},
			map[string][]string{"a": {"b"}}},
		"the explainer is missing": {[]report.Finding{raised("b", report.Warning, "a")}, map[string][]string{"b": nil}},
		"the first one is missing": {[]report.Finding{raised("c", report.Critical), raised("b", report.Warning, "a", "c")},
			map[string][]string{"c": {"b"}}},
		"the explainer is milder": {[]report.Finding{raised("b", report.Critical, "a"), raised("a", report.Info)},
			map[string][]string{"a": nil, "b": nil}},
		"the explainer is accepted": {[]report.Finding{acceptedBy(raised("a", report.Critical)), raised("b", report.Critical, "a")},
			map[string][]string{"a": nil, "b": nil}},
		"a cycle explains nothing": {[]report.Finding{raised("a", report.Critical, "b"), raised("b", report.Critical, "a")},
			map[string][]string{"a": nil, "b": nil}},
		"itself is no explanation":    {[]report.Finding{raised("a", report.Critical, "a")}, map[string][]string{"a": nil}},
		"no incident: over is listed": {[]report.Finding{raised("incident-over", report.Info)}, map[string][]string{"incident-over": nil}},
	} {
		got := map[string][]string{}
		for _, g := range groupsOf(report.Report{Findings: c.findings}) {
			var names []string
			for _, f := range g.Explained {
				names = append(names, f.Rule)
			}
			got[g.Rule] = names
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A storm has one headline, and the findings that it explains are neither part of it
// nor repeated in full.
func TestTheStormIsOneIncident(t *testing.T) {
	v := stormView()
	text := Text(v, Style{})
	for _, want := range []string{
		"Incident in progress", "33 of 65 guests hit: vm100, vm102, vm104 and 30 more", "Cause     one saturated NIC",
		"1 finding explained by it; 3 more findings",
		"    CRITICAL krbd-stalled, explained by krbd-retry-storm: 39 of 78 krbd disks stalled, longest 40 s\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("text: there is no %q", want)
		}
	}
	if out := plugin(v.Report); !strings.Contains(out, "\n  CRITICAL krbd-stalled, explained by krbd-retry-storm: ") ||
		!strings.Contains(out, "33 of 65 guests hit") {
		t.Errorf("nagios: %s", out)
	}
	if page := html(t, v, 0); !strings.Contains(page, "vm100\nvm102\nvm104\n</pre></div><p class=\"quiet\">and 30 more</p>") {
		t.Error("the page does not list the guests that are hit")
	}
}

func TestAfterTheIncident(t *testing.T) {
	v := overView()
	text, page := Text(v, Style{}), html(t, v, 0)
	for _, want := range []string{"Last incident", "10 min 49 s", "33 of 65 guests hit", "one saturated NIC",
		"bond0 still hashes with layer2", "no session to an OSD was lost", "nodewatch ack incident"} {
		if !strings.Contains(text, want) || !strings.Contains(page, want) {
			t.Errorf("there is no %q in the text or on the page", want)
		}
	}
	if strings.Contains(text, "INFO incident-over") || strings.Contains(page, "<code>incident-over</code>") {
		t.Error("incident-over is told twice")
	}
	v.Report.Findings = nil
	if text := Text(v, Style{}); !strings.Contains(text, "nodewatch ack incident") {
		t.Error("with the rule off, nothing says how to acknowledge the incident")
	}
	v.Report.Incident = nil
	if text, page := Text(v, Style{}), html(t, v, 0); strings.Contains(text, "Last incident") || strings.Contains(page, "Last incident") {
		t.Error("an acknowledged incident is still shown")
	}
}
