package prometheus_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/test/prometheus"
)

// A dashboard contains the tested fields of a Grafana dashboard.
type dashboard struct {
	UID        string
	Title      string
	Editable   bool
	Tags       []string
	Links      []struct{ URL string }
	Templating struct{ List []variable }

	Annotations struct{ List []annotation }
	Panels      []panel
}

type variable struct {
	Name, Type, Definition string
	Label, AllValue        string
	Multi, IncludeAll      bool
	Refresh                int
	Query                  any
	Datasource             *source
}

type source struct{ Type, UID string }

// An annotation marks a time in all panels.
type annotation struct {
	Name, Expr, TitleFormat, TextFormat string
	BuiltIn                             int
	Datasource                          *source
}

type panel struct {
	ID              int
	Type, Title     string
	Description     string
	FieldConfig     struct{ Defaults fieldDefaults }
	Datasource      *source
	GridPos         struct{ X, Y, W, H int }
	Targets         []panelQuery
	Transformations []json.RawMessage
}

type fieldDefaults struct {
	Unit       string
	Links      []struct{ Title, URL string }
	Thresholds struct {
		Steps []struct{ Value *float64 }
	}
	Custom struct {
		ThresholdsStyle struct{ Mode string }
	}
}

type panelQuery struct {
	Datasource           *source
	Expr, LegendFormat   string
	Format               string
	RefID                string
	Instant, Range, Hide bool
}

// dashboards returns the shipped dashboards, by file.
func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(deployed("grafana", "*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	all := map[string]dashboard{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		all[filepath.Base(f)] = d
	}
	return all
}

// substituted returns an expression with the variables of its dashboard filled in.
func substituted(expr string) string {
	return strings.NewReplacer("$__rate_interval", "5m", "$job", "nodewatch", "$instance", "node1", "$site", "rl1").Replace(expr)
}

// aPanelQuery is a query with its location.
type aPanelQuery struct {
	where, expr string
	panelQuery
}

// queries returns all queries of the dashboards, with variables filled in.
func queries(t *testing.T) []aPanelQuery {
	t.Helper()
	var all []aPanelQuery
	for file, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				all = append(all, aPanelQuery{fmt.Sprintf("%s, %q, %s", file, p.Title, q.RefID), substituted(q.Expr), q})
			}
		}
		for _, a := range d.Annotations.List {
			if a.BuiltIn == 0 {
				q := panelQuery{Datasource: a.Datasource, Expr: a.Expr, LegendFormat: a.TextFormat}
				all = append(all, aPanelQuery{fmt.Sprintf("%s, annotation %q", file, a.Name), substituted(a.Expr), q})
			}
		}
	}
	slices.SortFunc(all, func(a, b aPanelQuery) int { return strings.Compare(a.where, b.where) })
	if len(all) < 60 {
		t.Fatalf("only %d queries were found", len(all))
	}
	return all
}

var legend = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

func TestDashboardsNameWhatThereIs(t *testing.T) {
	v := newVocabulary(t)
	for _, q := range queries(t) {
		for _, wrong := range v.check(q.expr) {
			t.Errorf("%s: %s", q.where, wrong)
		}
		for _, m := range legend.FindAllStringSubmatch(q.LegendFormat, -1) {
			if !slices.Contains(v.of(named(q.expr)), m[1]) {
				t.Errorf("%s: the legend uses the label %s, which nothing has", q.where, m[1])
			}
		}
		if strings.Contains(q.expr, "$") && !strings.Contains(q.expr, `"$1"`) {
			t.Errorf("%s: a variable that the dashboard does not have: %s", q.where, q.expr)
		}
	}
}

// promtool parses each query as the expression of a recording rule.
func TestPromtoolTakesTheQueries(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("groups:\n- name: queries\n  rules:\n")
	for i, q := range queries(t) {
		expr, err := json.Marshal(q.expr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "  - {record: 'query:%d', expr: %s}\n", i, expr)
	}
	file := prometheus.Write(t, t.TempDir(), "queries.yml", b.String())
	if out, err := prometheus.Run(t, prometheus.Promtool, "check", "rules", file); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDashboardsAreWhole(t *testing.T) {
	uids := map[string]bool{}
	all := dashboards(t)
	for _, d := range all {
		uids["/d/"+d.UID] = true
	}
	for file, d := range all {
		if d.UID != strings.TrimSuffix(file, ".json") || d.Title == "" || !slices.Contains(d.Tags, "nodewatch") {
			t.Errorf("%s: uid %q, title %q, tags %v", file, d.UID, d.Title, d.Tags)
		}
		for _, l := range d.Links {
			if !uids[l.URL] {
				t.Errorf("%s: a link to %s, which is not shipped", file, l.URL)
			}
		}
		d.variables(t, file)
		ids, used := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" {
				t.Errorf("%s: the id %d is there twice, or has no title", file, p.ID)
			}
			ids[p.ID] = true
			p.look(t, file, used)
		}
	}
}

// variables checks the dashboard's variables.
func (d dashboard) variables(t *testing.T, file string) {
	t.Helper()
	if len(d.Templating.List) < 2 || d.Templating.List[0].Type != "datasource" || d.Templating.List[0].Query != "prometheus" {
		t.Errorf("%s: the first variable does not choose the data source", file)
	}
	v := newVocabulary(t)
	asked := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, x := range d.Templating.List[1:] {
		m := asked.FindStringSubmatch(x.Definition)
		if m == nil || x.Datasource == nil || x.Datasource.UID != "${datasource}" {
			t.Errorf("%s: the variable %s: %q of %v", file, x.Name, x.Definition, x.Datasource)
			continue
		}
		wrong := v.check(substituted(m[1]))
		if len(wrong) > 0 || !slices.Contains(v.of(named(m[1])), m[2]) {
			t.Errorf("%s: the variable %s asks for %s: %v", file, x.Name, x.Definition, wrong)
		}
	}
}

// look checks one panel, and that it does not overlap another.
func (p panel) look(t *testing.T, file string, used map[[2]int]string) {
	t.Helper()
	if p.GridPos.X < 0 || p.GridPos.W < 1 || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H < 1 {
		t.Errorf("%s: %q is at %+v", file, p.Title, p.GridPos)
	}
	for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
		for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
			if other := used[[2]int{x, y}]; other != "" {
				t.Fatalf("%s: %q lies on %q", file, p.Title, other)
			}
			used[[2]int{x, y}] = p.Title
		}
	}
	if p.Type == "row" {
		return
	}
	if len(p.Targets) == 0 || p.Datasource == nil || p.Datasource.UID != "${datasource}" {
		t.Errorf("%s: %q has %d queries and the data source %v", file, p.Title, len(p.Targets), p.Datasource)
	}
	for _, q := range p.Targets {
		if q.Datasource == nil || *q.Datasource != (source{"prometheus", "${datasource}"}) {
			t.Errorf("%s: %q asks the data source %v", file, p.Title, q.Datasource)
		}
		now := p.Type == "stat" || p.Type == "table" // with a range, ended series would stay
		if q.Instant != now || q.Range == now || (q.Format == "table") != (p.Type == "table") {
			t.Errorf("%s: %q is a %s and asks instant=%v format=%q", file, p.Title, p.Type, q.Instant, q.Format)
		}
	}
}
