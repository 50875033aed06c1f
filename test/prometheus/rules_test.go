package prometheus_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/test/prometheus"
)

// A ruleFile contains the tested fields of a file of rules.
type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []shipped
	}
}

// A shipped is one shipped rule.
type shipped struct {
	Record, Alert, Expr string
	For                 string
	KeepFiringFor       string `yaml:"keep_firing_for"`
	Labels, Annotations map[string]string
}

// deployed returns the path of a file or directory below deploy.
func deployed(parts ...string) string {
	return filepath.Join(append([]string{prometheus.Root(), "deploy"}, parts...)...)
}

// ruleFiles returns the shipped files of rules.
func ruleFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, name := range []string{"recording.yml", "findings.yml", "health.yml", "fleet.yml", "status.yml"} {
		files = append(files, deployed("prometheus", name))
	}
	return files
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// rules returns all shipped rules.
func rules(t *testing.T) []shipped {
	t.Helper()
	var all []shipped
	for _, path := range ruleFiles(t) {
		var f ruleFile
		decode(t, path, &f)
		for _, g := range f.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all
}

func TestPromtoolTakesTheRules(t *testing.T) {
	if out, err := prometheus.Run(t, prometheus.Promtool, append([]string{"check", "rules", "--lint=all", "--lint-fatal"},
		ruleFiles(t)...)...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// promtool's linter accepts nodewatch's metrics of a storm.
func TestPromtoolTakesTheMetrics(t *testing.T) {
	displayed, err := os.Open(filepath.Join(prometheus.Root(), fixture))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = displayed.Close() }()
	cmd := exec.Command(prometheus.Program(t, prometheus.Promtool), "check", "metrics")
	cmd.Stdin = displayed
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPromtoolUnitTests(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(deployed("prometheus", "tests", "*.yml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			if out, err := prometheus.Run(t, prometheus.Promtool, "test", "rules", f); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// promtool's unit tests contain a case in which each alert fires and one in which it
// does not.
func TestEachAlertIsTestedBothWays(t *testing.T) {
	files, _ := filepath.Glob(deployed("prometheus", "tests", "*.yml"))
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, path := range files {
		var f struct {
			Tests []struct {
				Alerts []struct {
					Name string `yaml:"alertname"`
					Want []any  `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		decode(t, path, &f)
		for _, x := range f.Tests {
			for _, a := range x.Alerts {
				if len(a.Want) > 0 {
					fires[a.Name] = true
				} else {
					silent[a.Name] = true
				}
			}
		}
	}
	n := 0
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		n++
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s: a test in which it fires: %v, one in which it does not: %v", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
	if n < 20 {
		t.Errorf("only %d alerts were looked at", n)
	}
}

// Each rule of the catalogue pages, or creates a ticket, at each severity that it can
// have, by an alert with a link to its runbook: promtool runs all cases.
func TestEachRuleOfTheCatalogueAlerts(t *testing.T) {
	names := map[string]string{"critical": "NodewatchFindingCritical", "warning": "NodewatchFindingWarning", "info": "NodewatchFindingInfo"}
	var series, want strings.Builder
	n := 0
	for _, r := range all.Rules() {
		leads(t, r.ID, "https://github.com/nodewatch/nodewatch/blob/main/docs/rules.md#"+r.ID)
		severities := 0
		for severity, alert := range names {
			if !strings.Contains(r.Severity, severity) {
				continue
			}
			severities++
			labels := fmt.Sprintf("instance=\"node2\", job=\"nodewatch\", rule=%q, severity=%q", r.ID, severity)
			fmt.Fprintf(&series, "      - {series: 'nodewatch_finding{%s, subject=\"x\"}', values: '1x90'}\n", labels)
			fmt.Fprintf(&want, "          - {labels: 'ALERTS{alertname=%q, alertstate=\"firing\", %s, subject=\"x\"}', value: 1}\n",
				alert, labels)
			n++
		}
		if severities == 0 {
			t.Errorf("%s can have no severity that alerts: %q", r.ID, r.Severity)
		}
	}
	file := filepath.Join(t.TempDir(), "catalogue.yml")
	text := fmt.Sprintf("rule_files: [%s, %s]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n"+
		"      - {series: 'up{job=\"nodewatch\", instance=\"node2\"}', values: '1x90'}\n%s"+
		"    promql_expr_test:\n      - eval_time: 70m\n        expr: ALERTS{alertname=~\"NodewatchFinding.*\", alertstate=\"firing\"}\n        exp_samples:\n%s",
		deployed("prometheus", "recording.yml"), deployed("prometheus", "findings.yml"), series.String(), want.String())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := prometheus.Run(t, prometheus.Promtool, "test", "rules", file); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n < 50 {
		t.Errorf("only %d alerts were played", n)
	}
}

// The fields that every alert must have (conventions of monitoring mixins).
func TestAlertsSayWhatTheyMust(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if seen[r.Alert] || !strings.HasPrefix(r.Alert, "Nodewatch") {
			t.Errorf("%s is there twice, or does not begin with Nodewatch", r.Alert)
		}
		seen[r.Alert] = true
		if s := r.Labels["severity"]; s != "critical" && s != "warning" && s != "info" || len(r.Labels) != 1 {
			t.Errorf("%s has the labels %v", r.Alert, r.Labels)
		}
		if s := r.Annotations["summary"]; !strings.HasSuffix(s, ".") || strings.Contains(s, "{{") {
			t.Errorf("%s: the summary %q is no fixed sentence", r.Alert, s)
		}
		for _, want := range describes(r) {
			if !strings.Contains(r.Annotations["description"], want) {
				t.Errorf("%s: the description does not say %q", r.Alert, want)
			}
		}
		leads(t, r.Alert, r.Annotations["runbook_url"])
	}
}

// describes returns the minimum content of an alert's description: the subject, and the first step. An alert on a
// finding has the rule, the subject, the affected guests and the command, and links to the node's page.
func describes(r shipped) []string {
	about := "{{ $labels.instance }}"
	switch r.Alert {
	case "NodewatchAbsent":
		about = "no target"
	case "NodewatchFleetUneven":
		about = "$labels.site"
	case "NodewatchStatusUnavailable":
		about = "{{ $labels.job }}"
	}
	if !strings.HasPrefix(r.Alert, "NodewatchFinding") {
		return []string{about, " First step: "}
	}
	return []string{about, "{{ $labels.rule }}", "$labels.subject", "nodewatch_finding_guests{", "affected guests (last known): ",
		"The node cannot be scraped: ", " First step: nodewatch check,", "its page"}
}

// An alert on a finding links to the node's page, with nodewatch's port if the scrape configuration
// has removed it from the label instance; names with quotes do not break its text.
func TestAlertsOnFindingsLeadToThePage(t *testing.T) {
	const text = `rule_files: [%s, %s]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'nodewatch_finding{job="nodewatch", instance="%[3]s", rule="vm-paused", subject="a\"b\\", severity="critical"}', values: '1x9'}
      - {series: 'nodewatch_finding_guests{job="nodewatch", instance="%[3]s", rule="vm-paused", subject="a\"b\\"}', values: '3x9'}
      - {series: 'nodewatch_finding_guests{job="nodewatch", instance="%[3]s", rule="vm-paused", subject="other"}', values: '7x9'}
    alert_rule_test:
      - eval_time: 5m
        alertname: NodewatchFindingCritical
        exp_alerts:
          - exp_labels: {job: nodewatch, instance: "%[3]s", rule: vm-paused, subject: 'a"b\', severity: critical}
            exp_annotations:
              summary: nodewatch has found a failure that requires immediate action.
              description: '%[3]s: vm-paused on a"b\, affected guests: 3. First step: nodewatch check, on the node, or its page; both show the evidence and the next steps.'
              page_url: %[4]s
              runbook_url: https://github.com/nodewatch/nodewatch/blob/main/docs/rules.md#vm-paused
`
	for instance, page := range map[string]string{
		"node2":       "http://node2:10090/",
		"node2:10099": "http://node2:10099/",
	} {
		file := prometheus.Write(t, t.TempDir(), "page.yml", fmt.Sprintf(text, deployed("prometheus", "recording.yml"),
			deployed("prometheus", "findings.yml"), instance, page))
		if out, err := prometheus.Run(t, prometheus.Promtool, "test", "rules", file); err != nil {
			t.Errorf("%s: %v\n%s", instance, err, out)
		}
	}
}

// leads checks that a runbook's URL names an existing file and heading of this tree.
func leads(t *testing.T, alert, url string) {
	t.Helper()
	const base = "https://github.com/nodewatch/nodewatch/blob/main/"
	path, anchor, _ := strings.Cut(strings.TrimPrefix(url, base), "#")
	raw, err := os.ReadFile(filepath.Join(prometheus.Root(), path))
	if !strings.HasPrefix(url, base) || err != nil {
		t.Errorf("%s: runbook_url %q leads nowhere: %v", alert, url, err)
		return
	}
	if anchor == "" || strings.Contains(anchor, "{{") {
		return
	}
	for line := range strings.Lines(string(raw)) {
		if title, is := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); is && strings.HasPrefix(line, "#") &&
			strings.EqualFold(strings.TrimSpace(title), anchor) {
			return
		}
	}
	t.Errorf("%s: %s has no heading %q", alert, path, anchor)
}
