package prometheus_test

import (
	"regexp"
	"slices"
	"testing"
)

// units are the Grafana units that the dashboards use.
var units = []string{"none", "short", "s", "percentunit", "pps", "cps", "bps", "Bps", "bytes"}

// The requirements of Grafana's dashboard linter: variables for job and instance that
// accept several values, a title, a description and a unit for each panel, queries
// that use the variables, and a dashboard that is not editable.
func TestDashboardsFollowGrafanasLinter(t *testing.T) {
	rate := regexp.MustCompile(`\[([^\]]+)\]`)
	for file, d := range dashboards(t) {
		if d.Editable {
			t.Errorf("%s is editable", file)
		}
		if first := d.Templating.List[0]; first.Name != "datasource" || first.Label != "Data source" {
			t.Errorf("%s: the data source is the variable %q, %q", file, first.Name, first.Label)
		}
		for name, label := range map[string]string{"job": "Job", "instance": "Instance"} {
			i := slices.IndexFunc(d.Templating.List, func(v variable) bool { return v.Name == name })
			if i < 0 {
				t.Errorf("%s has no variable %s", file, name)
				continue
			}
			if v := d.Templating.List[i]; v.Label != label || !v.Multi || !v.IncludeAll || v.AllValue != ".+" || v.Refresh != 2 {
				t.Errorf("%s: %+v: must be called %s, take several values and all (.+), and be read again when the time changes",
					file, v, label)
			}
		}
		for _, p := range d.Panels {
			if p.Type == "row" {
				continue
			}
			if p.Title == "" || p.Description == "" {
				t.Errorf("%s: the panel %d, %q, has no title or no description", file, p.ID, p.Title)
			}
			if unit := p.FieldConfig.Defaults.Unit; (p.Type == "stat" || p.Type == "timeseries") && !slices.Contains(units, unit) {
				t.Errorf("%s: %q has the unit %q", file, p.Title, unit)
			}
			for _, q := range p.Targets {
				p.lint(t, file, q, rate)
			}
		}
	}
}

// lint checks one query of the panel.
func (p panel) lint(t *testing.T, file string, q panelQuery, span *regexp.Regexp) {
	t.Helper()
	for _, m := range span.FindAllStringSubmatch(q.Expr, -1) {
		if m[1] != "$__rate_interval" {
			t.Errorf("%s: %q looks at [%s], not at $__rate_interval: %s", file, p.Title, m[1], q.Expr)
		}
	}
	if regexp.MustCompile(`^ALERTS\{`).MatchString(q.Expr) {
		return // alerts on a site or a job have no instance
	}
	selectors := regexp.MustCompile(`\{[^}]*\}`).FindAllString(q.Expr, -1)
	if len(selectors) == 0 {
		t.Errorf("%s: %q chooses nothing: %s", file, p.Title, q.Expr)
	}
	for _, s := range selectors {
		for _, want := range []string{`job=~"\$job"`, `instance=~"\$instance"`} {
			if !regexp.MustCompile(want).MatchString(s) {
				t.Errorf("%s: %q lacks %s: %s", file, p.Title, want, s)
			}
		}
	}
}
