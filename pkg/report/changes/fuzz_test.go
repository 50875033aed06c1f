package changes_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
)

// The properties of Diff for any sequence of reports: applying the changes yields
// exactly the raised findings, except those that must not be reported; the same
// Report yields no change the second time; a finding only clears, improves or gets
// worse after it was raised.
func FuzzNext(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 64, 65, 128, 200, 255, 7, 9})
	f.Add([]byte{9, 9, 9, 200, 9, 201, 202, 9, 203, 1, 2, 3, 210})
	f.Fuzz(func(t *testing.T, script []byte) {
		s, reported, reader := newScene(start), changes.Baseline{}, map[string]report.Severity{}
		silent := ""
		for _, op := range script[:min(len(script), 300)] {
			rule := string(rune('a' + op%5))
			switch kind := op / 16; {
			case kind < 10:
				s.set(rule, "", []report.Severity{"", report.Info, report.Warning, report.Critical}[kind%4], report.Impacts()[int(op)%6])
			case kind == 10:
				silent = rule
			case kind == 11:
				silent = ""
			case kind == 12:
				s.r.Maintenance = &report.Maintenance{}
				silent = rule
			case kind == 13:
				s.r.Maintenance, silent = nil, ""
			case kind == 14:
				s = newScene(s.r.At.Add(time.Second))
			default:
				s.r.At = s.r.At.Add(settle)
			}
			if op%2 == 0 {
				reported = follow(t, reported, s.silent(silent), reader)
			}
		}
	})
}

// follow applies new changes to a reader's state.
func follow(t *testing.T, reported changes.Baseline, r report.Report, reader map[string]report.Severity) changes.Baseline {
	t.Helper()
	list, next := reported.Diff(r)
	for _, c := range list {
		_, knew := reader[c.Rule]
		if knew == (c.Kind == changes.Missed) && c.Kind != changes.Raised || !knew && c.Kind != changes.Raised && c.Kind != changes.Missed {
			t.Fatalf("%s of %s, which the reader knows: %v", c.Kind, c.Rule, knew)
		}
		reader[c.Rule] = c.To
		if c.To == report.Clear || c.Finding == nil {
			delete(reader, c.Rule)
		}
	}
	known := map[string]report.Severity{}
	for _, e := range next.Findings {
		known[e.Rule] = e.Severity
	}
	if diff := cmp.Diff(known, reader); diff != "" {
		t.Fatalf("what the reader knows is not what is remembered (-remembered +reader):\n%s", diff)
	}
	for _, f := range r.Findings {
		if reader[f.Rule] != f.Severity {
			t.Fatalf("%s is %s, and the reader knows %q", f.Rule, f.Severity, reader[f.Rule])
		}
	}
	if again, same := next.Diff(r); len(again) > 0 || !cmp.Equal(next, same) {
		t.Fatalf("the same Report tells more: %v", words(again))
	}
	return next
}
