package rule

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A finding that got worse says since when it is as bad as it is, beside since
// when it has been there.
func TestAFindingSaysSinceWhenItIsAsBad(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	r := Rule{ID: "x", Keep: 10 * time.Second}
	mild := report.Finding{Severity: report.Warning, Impact: report.Operational}
	bad := report.Finding{Severity: report.Critical, Impact: report.MajorOutage}
	m := memory{}.see(mild, at, r)
	if !m.finding.LevelSince.Equal(at) {
		t.Errorf("first seen: got %v", m.finding.LevelSince)
	}
	m = m.see(mild, at.Add(time.Minute), r).see(bad, at.Add(2*time.Minute), r).see(bad, at.Add(3*time.Minute), r)
	if f := m.finding; !f.Since.Equal(at) || !f.LevelSince.Equal(at.Add(2*time.Minute)) {
		t.Errorf("worse: got since %v, level since %v", f.Since, f.LevelSince)
	}
	m = m.see(mild, at.Add(3*time.Minute+5*time.Second), r)
	if f := m.finding; f.Severity != report.Critical || !f.LevelSince.Equal(at.Add(2*time.Minute)) {
		t.Errorf("kept: got %s since %v", f.Severity, f.LevelSince)
	}
	m = m.see(mild, at.Add(4*time.Minute), r)
	if f := m.finding; f.Severity != report.Warning || !f.LevelSince.Equal(at.Add(4*time.Minute)) {
		t.Errorf("milder: got %s since %v", f.Severity, f.LevelSince)
	}
}

// What is read off a setting is neither held nor kept.
func TestAFactIsNeitherHeldNorKept(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	r := Rule{ID: "x", Hold: 5 * time.Second, Keep: time.Minute, Fact: func(f report.Finding) bool { return f.Severity == report.Warning }}
	fact := memory{}.see(report.Finding{Severity: report.Warning}, at, r)
	if !fact.raised {
		t.Error("a fact was held")
	}
	if fact = fact.miss(at.Add(time.Second), r, false); fact.raised {
		t.Error("a fact was kept")
	}
	measured := memory{}.see(report.Finding{Severity: report.Critical}, at, r)
	if measured.raised {
		t.Error("what is measured was not held")
	}
	measured = measured.see(report.Finding{Severity: report.Critical}, at.Add(6*time.Second), r)
	if measured = measured.miss(at.Add(7*time.Second), r, false); !measured.raised {
		t.Error("what is measured was not kept")
	}
}
