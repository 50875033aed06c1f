package report

import (
	"slices"
	"time"
)

// Retimed returns the Report with f applied to each of its times; the zero time is
// unchanged. r is not changed. It is for replaying a report as if it happened now.
func (r Report) Retimed(f func(time.Time) time.Time) Report {
	at := func(t *time.Time) {
		if !t.IsZero() {
			*t = f(*t)
		}
	}
	at(&r.At)
	at(&r.Started)
	r.Components = each(r.Components, func(c *Component) { at(&c.Since) })
	r.Transitions = each(r.Transitions, func(t *Transition) { at(&t.At) })
	r.Sources = each(r.Sources, func(s *SourceState) { at(&s.Last); at(&s.Since) })
	r.Findings = each(r.Findings, func(x *Finding) {
		at(&x.Since)
		at(&x.LevelSince)
		at(&x.LastSeen)
		x.Evidence = each(x.Evidence, func(e *Evidence) { at(&e.At) })
		x.Against = each(x.Against, func(e *Evidence) { at(&e.At) })
		if x.Accepted != nil {
			a := *x.Accepted
			at(&a.At)
			at(&a.Until)
			x.Accepted = &a
		}
	})
	if r.Incident != nil {
		in := *r.Incident
		at(&in.Begin)
		at(&in.End)
		r.Incident = &in
	}
	if r.Maintenance != nil {
		m := *r.Maintenance
		at(&m.Since)
		at(&m.Until)
		r.Maintenance = &m
	}
	return r
}

// each returns a copy of the list with f applied to each of its items.
func each[T any](list []T, f func(*T)) []T {
	list = slices.Clone(list)
	for i := range list {
		f(&list[i])
	}
	return list
}
