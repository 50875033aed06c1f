package report_test

import (
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Transitions removed by a filter do not appear as lost, even if two filters are
// applied or no transition remains.
func TestAFilterLeavesTheRingsNumbers(t *testing.T) {
	change := func(n uint64, rule string) report.Transition {
		return report.Transition{N: n, Rule: rule, From: "clear", To: "warning"}
	}
	for _, c := range []struct {
		name           string
		list           []report.Transition
		left           int
		oldest, latest uint64
	}{
		{"none", nil, 0, 0, 0},
		{"all stay", []report.Transition{change(5, "a"), change(6, "a")}, 2, 5, 6},
		{"the first and the last go", []report.Transition{change(5, "b"), change(6, "a"), change(7, "b")}, 1, 5, 7},
		{"all go", []report.Transition{change(5, "b"), change(6, "b")}, 0, 5, 6},
	} {
		r := report.Filter{NotRules: []string{"b"}}.Apply(report.Report{Transitions: c.list})
		r = report.Filter{Rules: []string{"a"}}.Apply(r)
		if oldest, latest := r.TransitionRange(); oldest != c.oldest || latest != c.latest || len(r.Transitions) != c.left {
			t.Errorf("%s: %d to %d, %d left; want %d to %d, %d left", c.name, oldest, latest, len(r.Transitions), c.oldest,
				c.latest, c.left)
		}
	}
}
