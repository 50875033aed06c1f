package report_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// node2 returns a report with one finding of each severity, in two components.
func node2() report.Report {
	return report.Report{
		Node: "node2", Site: "rl1", At: noon, Status: report.MajorOutage,
		Components: []report.Component{
			{Name: "storage", Status: report.MajorOutage, Since: noon, Summary: "storm (and krbd-shared-fate)", State: report.Seen},
			{Name: "network", Status: report.DegradedPerformance, Since: noon, Summary: "a slave is down", State: report.Blind},
		},
		Findings: []report.Finding{
			{Rule: "krbd-retry-storm", Component: "storage", Severity: report.Critical, Impact: report.MajorOutage, Summary: "storm",
				LevelSince: noon},
			{Rule: "bond-degraded", Subject: "bond0", Component: "network", Severity: report.Warning, Impact: report.DegradedPerformance,
				Accepted: &report.Accepted{By: "alice"}},
			{Rule: "krbd-shared-fate", Component: "storage", Severity: report.Info, Impact: report.Operational},
		},
		Transitions: []report.Transition{
			{N: 1, Rule: "krbd-shared-fate", Component: "storage", From: "clear", To: "info"},
			{N: 2, Rule: "bond-degraded", Component: "network", From: "clear", To: "warning"},
			{N: 3, Rule: "krbd-retry-storm", Component: "storage", From: "warning", To: "clear"},
		},
	}
}

func TestFilter(t *testing.T) {
	for name, c := range map[string]struct {
		filter report.Filter
		want   string
	}{
		"everything": {report.Filter{},
			"major_outage [storage=major_outage network=degraded_performance] [krbd-retry-storm bond-degraded krbd-shared-fate] [1 2 3]"},
		"severity": {report.Filter{Severity: report.Warning},
			"major_outage [storage=major_outage network=degraded_performance] [krbd-retry-storm bond-degraded] [2 3]"},
		"rules": {report.Filter{Rules: []string{"krbd-shared-fate"}},
			"unknown [storage=operational network=unknown] [krbd-shared-fate] [1]"},
		"not rules": {report.Filter{NotRules: []string{"krbd-retry-storm"}},
			"degraded_performance [storage=operational network=degraded_performance] [bond-degraded krbd-shared-fate] [1 2]"},
		"components": {report.Filter{Components: []report.ComponentName{"network"}},
			"degraded_performance [network=degraded_performance] [bond-degraded] [2]"},
		"what may page": {report.Filter{Pageable: true},
			"major_outage [storage=major_outage network=unknown] [krbd-retry-storm krbd-shared-fate] [1 2 3]"},
		"nothing at all": {report.Filter{Rules: []string{"x"}, Components: []report.ComponentName{"host"}}, "operational [] [] []"},
	} {
		before := node2()
		got := c.filter.Apply(before)
		var components, findings []string
		var numbers []uint64
		for _, x := range got.Components {
			components = append(components, fmt.Sprintf("%s=%s", x.Name, x.Status))
		}
		for _, x := range got.Findings {
			findings = append(findings, x.Rule)
		}
		for _, x := range got.Transitions {
			numbers = append(numbers, x.N)
		}
		if text := fmt.Sprintf("%s %v %v %v", got.Status, components, findings, numbers); text != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, text, c.want)
		}
		if diff := cmp.Diff(node2(), before); diff != "" {
			t.Errorf("%s: the Report was changed\n%s", name, diff)
		}
	}
}

func TestDuringAMaintenanceNobodyIsPaged(t *testing.T) {
	r := node2()
	r.Maintenance = &report.Maintenance{By: "bob"}
	for i := range r.Components {
		r.Components[i].Status = report.UnderMaintenance
	}
	r.Status = report.UnderMaintenance
	got := report.Filter{Pageable: true}.Apply(r)
	if len(got.Findings) != 0 || got.Status != report.UnderMaintenance || got.Components[0].Status != report.UnderMaintenance {
		t.Errorf("%+v", got)
	}
}

func TestKeysTellEverythingApart(t *testing.T) {
	seen := map[string]string{}
	for _, site := range []string{"", "rl1", "rl1/a"} {
		for _, node := range []string{"node2", "a/node2"} {
			for _, parts := range [][]string{{"component", "storage"}, {"finding", "bond-lacp", ""}, {"finding", "bond-lacp", "bond 0/1"},
				{"finding", "bond-lacp", "bond 0", "1"}} {
				key := report.Report{Site: site, Node: node}.Key(parts...)
				what := fmt.Sprintf("%q %q %q", site, node, parts)
				if other, twice := seen[key]; twice {
					t.Errorf("%s is %s and %s", key, other, what)
				}
				seen[key] = what
			}
		}
	}
}

func TestFailureOf(t *testing.T) {
	throttled := &report.Failure{Kind: report.Throttled, After: time.Minute, Err: errors.New("429")}
	if report.FailureOf(nil) != nil || report.FailureOf(fmt.Errorf("hub: %w", throttled)) != throttled {
		t.Error("a Failure is not found")
	}
	if f := report.FailureOf(errors.New("reset")); f.Kind != report.Transient || f.Err.Error() != "reset" {
		t.Errorf("%+v", f)
	}
}

// Every time of a Report is moved, including those of future fields: a forgotten one
// would show the time of the recording.
func TestRetimedMovesEveryTime(t *testing.T) {
	var r report.Report
	fill(reflect.ValueOf(&r).Elem())
	before := fmt.Sprintf("%+v", r)
	moved := r.Retimed(func(at time.Time) time.Time { return at.Add(time.Hour) })
	walk(t, reflect.ValueOf(moved), "Report")
	if fmt.Sprintf("%+v", r) != before {
		t.Error("the Report was changed")
	}
	if got := (report.Report{}).Retimed(func(time.Time) time.Time { return noon }); !got.At.IsZero() {
		t.Error("never has become a time")
	}
}

// fill sets every time in v to noon, and gives lists one element.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(noon))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	}
}

func walk(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		if at := v.Interface().(time.Time); !at.Equal(noon.Add(time.Hour)) {
			t.Errorf("%s is %s", path, at)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			walk(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case v.Kind() == reflect.Slice:
		walk(t, v.Index(0), path+"[0]")
	case v.Kind() == reflect.Pointer:
		walk(t, v.Elem(), path)
	}
}

// A removed finding no longer explains others to the reader.
func TestAFilterTakesExplanationsOut(t *testing.T) {
	r := node2()
	r.Findings[1].ExplainedBy = []report.Ref{{Rule: "krbd-retry-storm"}, {Rule: "krbd-shared-fate"}}
	got := report.Filter{NotRules: []string{"krbd-retry-storm"}}.Apply(r)
	if diff := cmp.Diff([]report.Ref{{Rule: "krbd-shared-fate"}}, got.Findings[0].ExplainedBy); diff != "" {
		t.Error(diff)
	}
	if got = (report.Filter{Severity: report.Warning,
		NotRules: []string{"krbd-retry-storm"}}).Apply(r); len(got.Findings[0].ExplainedBy) != 0 {
		t.Errorf("got %v", got.Findings[0].ExplainedBy)
	}
	if len(r.Findings[1].ExplainedBy) != 2 {
		t.Error("the Report was changed")
	}
}
