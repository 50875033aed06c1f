package prometheus_test

import (
	"slices"
	"strings"
	"testing"
)

// withoutThreshold lists the panels over time in which no value is bad in itself, with
// the reason.
var withoutThreshold = map[string]string{
	"Receive: share of each slave":         "what is even depends on how many slaves there are",
	"Transmit: share of each slave":        "what is even depends on how many slaves there are",
	"Requests in flight":                   "as many as the guests send",
	"Lines by class":                       "each class has a meaning of its own",
	"Lines lost, suppressed or not parsed": "the kernel drops lines in any flood",
	"OSDs with kernel log errors":          "it depends on how many the cluster has",
	"The ten OSDs with the most lines":     "it compares OSDs",
	"OSDs":                                 "it depends on how many the cluster has",
	"Failed deliveries":                    "one is tried again",
	"Nodes with each finding":              "it depends on how many nodes there are",
	"Lines of libceph and krbd's disks: the ten nodes with the most": "it compares nodes",
}

// A panel over time shows its threshold; a panel about one node, or split by node, links to that
// node's page; and all dashboards mark storms and changes of a bond's policy.
func TestEachPanelHelpsToReadIt(t *testing.T) {
	used := map[string]bool{}
	for file, d := range dashboards(t) {
		var marks []string
		for _, a := range d.Annotations.List {
			if a.BuiltIn == 0 {
				marks = append(marks, a.Name)
				if a.Datasource == nil || *a.Datasource != (source{"prometheus", "${datasource}"}) || a.TitleFormat == "" ||
					!strings.Contains(a.TextFormat, "{{instance}}") {
					t.Errorf("%s: the annotation %q: %+v", file, a.Name, a)
				}
			}
		}
		if want := []string{"krbd retry storm", "Bond policy changed"}; !slices.Equal(marks, want) {
			t.Errorf("%s marks %q, want %q", file, marks, want)
		}
		for _, p := range d.Panels {
			if p.Type == "row" {
				continue
			}
			f := p.FieldConfig.Defaults
			if _, none := withoutThreshold[p.Title]; none {
				used[p.Title] = true
			} else if n := len(f.Thresholds.Steps); p.Type == "timeseries" &&
				(n < 2 || f.Thresholds.Steps[n-1].Value == nil || f.Custom.ThresholdsStyle.Mode == "") {
				t.Errorf("%s: %q shows no threshold, and is not among those that have none", file, p.Title)
			}
			p.leadsToTheNode(t, file)
		}
	}
	for title := range withoutThreshold {
		if !used[title] {
			t.Errorf("there is no panel %q", title)
		}
	}
}

// leadsToTheNode checks the panel's links: the variable or label by which they find the
// node.
func (p panel) leadsToTheNode(t *testing.T, file string) {
	t.Helper()
	want := ""
	split := slices.ContainsFunc(p.Targets, func(q panelQuery) bool {
		return strings.Contains(q.LegendFormat, "{{instance}}") || strings.Contains(q.Expr, "(instance)")
	})
	switch alerts := strings.HasPrefix(p.Targets[0].Expr, "ALERTS"); {
	case file == "nodewatch-node.json":
		want = "http://${instance}/"
	case p.Type == "table" && !alerts:
		want = "http://${__data.fields.instance}/"
	case split && !alerts:
		want = "http://${__field.labels.instance}/"
	}
	switch links := p.FieldConfig.Defaults.Links; {
	case want == "" && len(links) > 0:
		t.Errorf("%s: %q has links, but no node: %v", file, p.Title, links)
	case want != "" && (len(links) != 1 || links[0].URL != want || links[0].Title == ""):
		t.Errorf("%s: %q has the links %v, want one to %s", file, p.Title, links, want)
	}
}
