package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nodewatch/nodewatch/internal/status/incident"
)

// ErrNotFound is the error of changing something that does not exist.
var ErrNotFound = errors.New("not found")

// ChangeIncident calls f with the incident that has the Ref, or with a new one if ref
// is empty. It then stores the incident, records the states that it declares for
// components, and adds an entry to the audit log. It sets e.Subject, and e.Detail if
// that is empty.
func (t *Tx) ChangeIncident(ctx context.Context, ref string, e Entry, f func(*incident.Incident) error) (i incident.Incident, err error) {
	if ref != "" {
		var found bool
		if i, found, err = t.Incident(ctx, ref); err != nil {
			return i, err
		}
		if !found {
			return i, fmt.Errorf("incident %q: %w", ref, ErrNotFound)
		}
	}
	from, public := e.At, i.Public()
	if err := f(&i); err != nil {
		return i, err
	}
	if err := t.SaveIncident(ctx, &i); err != nil {
		return i, err
	}
	switch last := len(i.Updates) - 1; {
	case i.Public() && !public:
		from = i.Started // an incident that was not public declared nothing
	case last >= 0 && i.Updates[last].Created.Equal(e.At):
		from = i.Updates[last].At // the time of the update may be in the past
	}
	if err := t.Declare(ctx, i.Components, from); err != nil {
		return i, err
	}
	e.Subject, e.Detail = i.Ref, cmp.Or(e.Detail, i.Title)
	return i, t.Audit(ctx, e)
}

// ChangeMaintenance calls f with the maintenance that has the Ref, or with a new one
// if ref is empty, stores it, and adds an entry to the audit log, as ChangeIncident
// does.
func (t *Tx) ChangeMaintenance(ctx context.Context, ref string, e Entry, f func(*incident.Maintenance) error) (m incident.Maintenance,
	err error) {
	if ref != "" {
		var found bool
		if m, found, err = t.Maintenance(ctx, ref); err != nil {
			return m, err
		}
		if !found {
			return m, fmt.Errorf("maintenance %q: %w", ref, ErrNotFound)
		}
	}
	if err := f(&m); err != nil {
		return m, err
	}
	if err := t.SaveMaintenance(ctx, &m); err != nil {
		return m, err
	}
	e.Subject, e.Detail = m.Ref, cmp.Or(e.Detail, m.Title)
	return m, t.Audit(ctx, e)
}
