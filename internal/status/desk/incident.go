package desk

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Impacts returns the impacts that an operator can set for a component.
func Impacts() []report.Impact {
	return []report.Impact{report.Operational, report.DegradedPerformance, report.PartialOutage, report.MajorOutage}
}

// A Post is an update of an incident.
type Post struct {
	Status   incident.Status
	Body     string              // Markdown
	Affected []incident.Affected // components, or groups for all of their components
	At       time.Time           // when it applied; zero: now
}

// update checks a post and returns its update.
func (d Desk) update(p Post) (u incident.Update, err error) {
	u = incident.Update{Status: p.Status, At: p.At, Created: d.Now, Author: d.Who}
	switch {
	case p.At.IsZero():
		u.At = d.Now
	case p.At.After(d.Now):
		return u, wrong("The time must not be in the future.")
	}
	if err := choice("The status", p.Status, incident.Statuses()); err != nil {
		return u, err
	}
	if u.Body, err = text("The text", p.Body, MaxBody); err != nil {
		return u, err
	}
	u.Affected, err = d.affected(p.Affected)
	return u, err
}

// affected checks the components of a post. A component that is named itself takes
// precedence over its group.
func (d Desk) affected(named []incident.Affected) (list []incident.Affected, err error) {
	impacts, own := map[string]report.Impact{}, map[string]bool{}
	for _, a := range named {
		if err := choice("The impact", a.Impact, Impacts()); err != nil {
			return nil, err
		}
		ids, err := d.members(a.Component)
		if err != nil {
			return nil, err
		}
		if own[a.Component] {
			return nil, wrong("The component %q is named twice.", cut(a.Component, 64))
		}
		own[a.Component] = true
		for _, id := range ids {
			if id == a.Component || !own[id] {
				impacts[id] = a.Impact
			}
		}
	}
	for _, c := range Components(d.Config) {
		if impact, is := impacts[c.ID]; is {
			list = append(list, incident.Affected{Component: c.ID, Impact: impact, Declared: true})
		}
	}
	return list, nil
}

// A NewIncident is an incident that a person opens.
type NewIncident struct {
	Title     string
	AfterCare string // Markdown; may be empty
	Publish   bool   // publish at once; false: a draft
	Post
}

// OpenIncident opens an incident by hand. It belongs to its operator from the
// beginning.
func (d Desk) OpenIncident(ctx context.Context, tx *store.Tx, n NewIncident) (incident.Incident, error) {
	u, err := d.update(n.Post)
	if err != nil {
		return incident.Incident{}, err
	}
	i := incident.Incident{Ref: incident.Ref(d.Now, rand.Text()), Impact: report.Operational, Owner: d.Who, Started: u.At, Created: d.Now}
	if i.Title, err = title(n.Title); err != nil {
		return i, err
	}
	if i.AfterCare, err = afterCare(n.AfterCare); err != nil {
		return i, err
	}
	i.Post(u)
	if n.Publish {
		i.Published = d.Now
	}
	return tx.ChangeIncident(ctx, "", d.entry("incident.open"), func(made *incident.Incident) error {
		*made = i
		return nil
	})
}

// afterCare checks the advice to customers; it may be empty.
func afterCare(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", nil
	}
	return text("The after-care", s, MaxBody)
}

// changeIncident changes an incident in the version that an operator has seen. Its
// error is store.ErrNotFound, store.ErrChanged, a Mistake, a Conflict or a database
// error.
func (d Desk) changeIncident(ctx context.Context, tx *store.Tx, v Version, action string,
	f func(*incident.Incident) error) (incident.Incident, error) {
	return tx.ChangeIncident(ctx, v.Ref, d.entry("incident."+action), func(i *incident.Incident) error {
		if err := v.seen(i.Revision); err != nil {
			return err
		}
		if err := f(i); err != nil {
			return err
		}
		i.Updated = d.Now
		return nil
	})
}

// UpdateIncident posts an update. Any text from a person makes the incident theirs: it
// is no longer updated automatically.
func (d Desk) UpdateIncident(ctx context.Context, tx *store.Tx, v Version, p Post) (incident.Incident, error) {
	return d.changeIncident(ctx, tx, v, "update", func(i *incident.Incident) error {
		u, err := d.update(p)
		if err != nil {
			return err
		}
		if p.At.IsZero() {
			u.At = i.Next(d.Now)
		}
		i.TakeOver(d.Who)
		i.Post(u)
		return nil
	})
}

// An Edit corrects an incident; nil fields stay unchanged.
type Edit struct {
	Title     *string
	AfterCare *string
	Updates   map[int64]string // texts of updates, by their number
}

// EditIncident corrects an incident and takes it over.
func (d Desk) EditIncident(ctx context.Context, tx *store.Tx, v Version, e Edit) (incident.Incident, error) {
	return d.changeIncident(ctx, tx, v, "edit", func(i *incident.Incident) (err error) {
		if e.Title == nil && e.AfterCare == nil && len(e.Updates) == 0 {
			return wrong("Nothing is to be changed: give a title, an after-care or the text of an update.")
		}
		i.TakeOver(d.Who)
		if e.Title != nil {
			if i.Title, err = title(*e.Title); err != nil {
				return err
			}
		}
		if e.AfterCare != nil {
			if i.AfterCare, err = afterCare(*e.AfterCare); err != nil {
				return err
			}
		}
		for id, body := range e.Updates {
			if body, err = text(fmt.Sprintf("The text of update %d", id), body, MaxBody); err != nil {
				return err
			}
			n := slices.IndexFunc(i.Updates, func(u incident.Update) bool { return u.ID == id })
			if n < 0 {
				return wrong("The incident has no update %d.", id)
			}
			if i.Updates[n].Body != body {
				i.Edit(id, body, d.Now)
			}
		}
		return nil
	})
}

// PublishIncident shows a draft to customers.
func (d Desk) PublishIncident(ctx context.Context, tx *store.Tx, v Version) (incident.Incident, error) {
	return d.changeIncident(ctx, tx, v, "publish", func(i *incident.Incident) error {
		if i.Public() {
			return Conflict("The incident is published already.")
		}
		i.Published = d.Now
		return nil
	})
}

// TakeOver makes the operator the owner of an incident, even if it has another owner.
func (d Desk) TakeOver(ctx context.Context, tx *store.Tx, v Version) (incident.Incident, error) {
	return d.changeIncident(ctx, tx, v, "take-over", func(i *incident.Incident) error {
		i.Owner = d.Who
		return nil
	})
}

// DeleteIncident deletes a draft. A published incident cannot be deleted.
func (d Desk) DeleteIncident(ctx context.Context, tx *store.Tx, v Version) error {
	i, found, err := tx.Incident(ctx, v.Ref)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err = cmp.Or(err, v.seen(i.Revision)); err != nil {
		return err
	}
	if i.Public() {
		return Conflict("Customers have seen this incident: resolve it instead.")
	}
	if _, err := tx.DeleteIncident(ctx, i.ID); err != nil {
		return err
	}
	e := d.entry("incident.delete")
	e.Subject, e.Detail = i.Ref, i.Title
	return tx.Audit(ctx, e)
}
