package prometheus_test

import (
	"bufio"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/test/prometheus"
)

// fixture is the exposition of nodewatch in a storm, from its own tests.
const fixture = "internal/metrics/testdata/storm.prom"

// target are the labels that a scrape adds.
var target = []string{"job", "instance", "site", "rack", "switch"}

// foreign contains the metrics of other programs, and their labels.
var foreign = map[string][]string{
	"up":     {},
	"ALERTS": {"alertname", "alertstate", "severity"},
	// Metrics of nodewatch that do not come from a View;
	// TestTheDaemonShowsWhatTheRulesUse checks them.
	"nodewatch_config_last_reload_successful":                {},
	"nodewatch_config_last_reload_success_timestamp_seconds": {},
	"nodewatch_http_connections":                             {},
	"nodewatch_http_connections_shed_total":                  {},
	"nodewatch_log_lines_dropped_total":                      {},
}

// A vocabulary contains every existing metric with its labels, and the values of
// labels with fixed values.
type vocabulary struct {
	labels map[string][]string            // by metric
	values map[string]map[string][]string // by metric and label; absent: any value
}

func newVocabulary(t *testing.T) vocabulary {
	t.Helper()
	v := vocabulary{labels: maps.Clone(foreign), values: map[string]map[string][]string{}}
	var raw []byte
	for _, name := range []string{"metrics.md", "status-metrics.md"} {
		page, err := os.ReadFile(filepath.Join(prometheus.Root(), "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, page...)
	}
	row := regexp.MustCompile("^\\| `(\\w+)` \\| (?:gauge|counter) \\| ([^|]*) \\|")
	for line := range strings.Lines(string(raw)) {
		if m := row.FindStringSubmatch(line); m != nil {
			v.labels[m[1]] = regexp.MustCompile(`\w+`).FindAllString(m[2], -1)
		}
	}
	if len(v.labels) < 60 {
		t.Fatalf("docs/metrics.md lists %d metrics only", len(v.labels))
	}
	v.readValues(t)
	for _, r := range rules(t) {
		if r.Record != "" {
			v.labels[r.Record] = v.of(named(r.Expr))
			v.values[r.Record] = v.values[named(r.Expr).uses[0].metric]
		}
	}
	return v
}

// readValues reads the values of labels that nodewatch defines.
func (v vocabulary) readValues(t *testing.T) {
	t.Helper()
	f, err := os.Open(filepath.Join(prometheus.Root(), fixture))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	for name, family := range families {
		v.values[name] = map[string][]string{}
		for _, m := range family.Metric {
			for _, l := range m.Label {
				if slices.Contains([]string{"state", "direction", "kind", "class", "client", "depth", "status", "component", "source"},
					l.GetName()) && name != "nodewatch_bond_info" && name != "nodewatch_krbd_device_info" {
					v.values[name][l.GetName()] = append(v.values[name][l.GetName()], l.GetValue())
				}
			}
		}
	}
	ids := []string{}
	for _, r := range all.Rules() {
		ids = append(ids, r.ID)
	}
	for _, name := range []string{"nodewatch_finding", "nodewatch_finding_accepted"} {
		v.values[name] = map[string][]string{"rule": ids, "severity": {string(report.Info), string(report.Warning),
			string(report.Critical)}}
	}
	v.values["nodewatch_report_failures_total"] = map[string][]string{"reason": {
		string(report.Transient), string(report.Throttled), string(report.Misconfigured), string(report.Partial), string(report.Stale),
	}}
}

// of returns the labels that the result of a query can have.
func (v vocabulary) of(q query) []string {
	all := slices.Concat(target, q.made)
	for _, u := range q.uses {
		all = append(all, v.labels[u.metric]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// check returns the names in a query that do not exist.
func (v vocabulary) check(expr string) []string {
	var wrong []string
	q := named(expr)
	if len(q.uses) == 0 && !strings.Contains(expr, "vector(") {
		wrong = append(wrong, "it asks for no metric of nodewatch's")
	}
	for _, u := range q.uses {
		labels, known := v.labels[u.metric]
		if !known {
			wrong = append(wrong, "there is no metric "+u.metric)
			continue
		}
		for _, m := range u.matchers {
			if !slices.Contains(labels, m.label) && !slices.Contains(target, m.label) {
				wrong = append(wrong, u.metric+" has no label "+m.label)
			}
			if values, bounded := v.values[u.metric][m.label]; bounded && !v.matches(m, values) {
				wrong = append(wrong, u.metric+" never has "+m.label+m.op+m.value)
			}
		}
	}
	for _, l := range q.labels {
		if !slices.Contains(v.of(q), l) {
			wrong = append(wrong, "nothing in it has the label "+l)
		}
	}
	return wrong
}

// matches reports whether each alternative of a matcher is an existing value.
func (v vocabulary) matches(m matcher, values []string) bool {
	alternatives := []string{m.value}
	if strings.HasSuffix(m.op, "~") {
		alternatives = strings.Split(m.value, "|")
	}
	for _, a := range alternatives {
		re, err := regexp.Compile("^(?:" + a + ")$")
		if err != nil || a != "" && !slices.ContainsFunc(values, re.MatchString) {
			return false
		}
	}
	return true
}

var labelUse = regexp.MustCompile(`\$labels\.(\w+)`)

func TestRulesNameWhatThereIs(t *testing.T) {
	v := newVocabulary(t)
	for _, r := range rules(t) {
		name := r.Record + r.Alert
		for _, wrong := range v.check(r.Expr) {
			t.Errorf("%s: %s", name, wrong)
		}
		for _, text := range r.Annotations {
			for _, m := range labelUse.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(v.of(named(r.Expr)), m[1]) {
					t.Errorf("%s: an annotation uses the label %s, which nothing has", name, m[1])
				}
			}
		}
	}
}

// The check detects wrong names.
func TestTheCheckFindsWhatIsWrong(t *testing.T) {
	v := newVocabulary(t)
	for expr, want := range map[string]string{
		`nodewatch_finding{rule="krbd-retry-storm"} unless on (job, instance) nodewatch_maintenance == 1`: "",
		`sum by (job, site) (rate(nodewatch_nic_receive_bytes_total{bond!=""}[5m]))`:                      "",
		`label_replace(nodewatch_finding{rule="kmsg-lost"}, "source", "$1", "subject", "(.+)")`:           "",
		`nodewatch_findingz`:                                          "no metric nodewatch_findingz",
		`nodewatch_finding{sev="critical"}`:                           "no label sev",
		`nodewatch_finding{severity="fatal"}`:                         "never has severity=fatal",
		`nodewatch_finding{rule=~"krbd-stalled|krbd-staled"}`:         "never has rule",
		`nodewatch_component_state{component="disk"}`:                 "never has component=disk",
		`nodewatch_node_state{state="down"}`:                          "never has state=down",
		`nodewatch_report_failures_total{reason="timeout"}`:           "never has reason",
		`sum by (rake) (nodewatch_findings)`:                          "nothing in it has the label rake",
		`up unless on (job, node) nodewatch_findings`:                 "nothing in it has the label node",
		`label_replace(nodewatch_finding, "source", "$1", "sub", "")`: "the label sub",
		`site:nodewatch_node_states:count`:                            "no metric site:nodewatch_node_states:count",
		`42`:                                                          "asks for no metric",
	} {
		got := strings.Join(v.check(expr), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

// names returns the names of the metrics in an exposition.
func names(t *testing.T, r io.Reader) []string {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(families))
}
