package alertmanager

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

const (
	resolvedFor = 5 * time.Minute // how long a resolved alert is resent
	maxResolved = 1000            // maximum number of these, latest first
)

// A memory is the alerts that were sent: a list of firing alerts does not show which
// are resolved.
type memory struct {
	firing   map[string]alert
	resolved []alert // EndsAt is when they were resolved, latest last
}

// sent stores the alerts that fire now, and returns them together with resolved ones.
// In the last report of a run no alert is resolved: missing ones are left to expire,
// because the end of nodewatch is not a recovery.
func (m *memory) sent(r report.Report, now []alert) []alert {
	before := m.firing
	m.firing = map[string]alert{}
	for i, a := range now {
		if old, fired := before[a.key]; fired && old.StartsAt.Before(a.StartsAt) {
			now[i].StartsAt = old.StartsAt
		}
		m.firing[a.key] = now[i]
	}
	for _, k := range slices.Sorted(maps.Keys(before)) {
		if _, fires := m.firing[k]; !fires && r.Final == "" {
			m.resolved = append(m.resolved, ended(before[k], r))
		}
	}
	m.resolved = slices.DeleteFunc(m.resolved, func(a alert) bool {
		_, fires := m.firing[a.key]
		return fires || r.At.Sub(a.EndsAt).Abs() > resolvedFor
	})
	slices.SortStableFunc(m.resolved, func(a, b alert) int { return a.EndsAt.Compare(b.EndsAt) })
	m.resolved = m.resolved[max(0, len(m.resolved)-maxResolved):]
	return append(slices.Clone(now), m.resolved...)
}

// ended returns the alert as resolved now, but never before its start.
func ended(a alert, r report.Report) alert {
	a.EndsAt = slices.MaxFunc([]time.Time{r.At.UTC(), a.StartsAt}, time.Time.Compare)
	a.Annotations = maps.Clone(a.Annotations)
	if w := r.Maintenance; w != nil {
		a.Annotations["maintenance"] = cut(line("not known to be over: maintenance by "+cmp.Or(w.By, "an operator")+" until "+
			stamp(w.Until)+": "+w.Reason), maxLine)
	}
	return a
}
