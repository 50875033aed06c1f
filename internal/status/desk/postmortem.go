package desk

import (
	"context"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/record"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// Draft returns the post-mortem of an incident as generated from the record.
func Draft(ctx context.Context, tx *store.Tx, c config.Config, i incident.Incident, now time.Time) (string, error) {
	r, err := record.Read(ctx, tx, c, i.Started.Add(-time.Hour))
	if err != nil {
		return "", err
	}
	var list []incident.Record
	for _, g := range c.Groups {
		for _, x := range g.Components {
			if i.Names(x.ID) {
				list = append(list, incident.Record{Component: x.ID, Name: x.Name + " (" + g.Name + ")", Line: r.Lines[x.ID]})
			}
		}
	}
	return incident.Draft(i, list, c.Page.Zone, now), nil
}

// DraftPostmortem stores a draft of an incident's post-mortem if there is none.
func (d Desk) DraftPostmortem(ctx context.Context, tx *store.Tx, v Version) (incident.Incident, error) {
	return d.changeIncident(ctx, tx, v, "draft-postmortem", func(i *incident.Incident) error {
		if i.Postmortem.Body != "" {
			return Conflict("There is a post-mortem already: edit it.")
		}
		body, err := Draft(ctx, tx, d.Config, *i, d.Now)
		i.Postmortem = incident.Postmortem{Body: body, Author: d.Who, Created: d.Now, Updated: d.Now}
		return err
	})
}

// WritePostmortem stores the text of a post-mortem, and publishes it if publish is
// set. A published post-mortem stays published and must be complete.
func (d Desk) WritePostmortem(ctx context.Context, tx *store.Tx, v Version, body string, publish bool) (incident.Incident, error) {
	return d.changeIncident(ctx, tx, v, "postmortem", func(i *incident.Incident) (err error) {
		x := &i.Postmortem
		if x.Body, err = text("The post-mortem", body, MaxBody); err != nil {
			return err
		}
		if x.Created.IsZero() {
			x.Created = d.Now
		}
		x.Author, x.Updated = d.Who, d.Now
		if publish && x.Published.IsZero() {
			x.Published = d.Now
		}
		if !x.Published.IsZero() {
			return written(*i)
		}
		return nil
	})
}

// written returns an error if parts of a post-mortem are still to be written.
func written(i incident.Incident) error {
	switch {
	case i.Postmortem.Body == "":
		return Conflict("The incident has no post-mortem.")
	case strings.Contains(i.Postmortem.Body, incident.ToWrite):
		return wrong("Something is still to be written: look for %q.", incident.ToWrite)
	}
	return nil
}

// PublishPostmortem shows a post-mortem to customers without changing it.
func (d Desk) PublishPostmortem(ctx context.Context, tx *store.Tx, v Version) (incident.Incident, error) {
	return d.changeIncident(ctx, tx, v, "publish-postmortem", func(i *incident.Incident) error {
		if !i.Postmortem.Published.IsZero() {
			return Conflict("The post-mortem is published already.")
		}
		i.Postmortem.Published, i.Postmortem.Updated = d.Now, d.Now
		return written(*i)
	})
}

// WithdrawPostmortem makes a published post-mortem a draft again.
func (d Desk) WithdrawPostmortem(ctx context.Context, tx *store.Tx, v Version) (incident.Incident, error) {
	return d.changeIncident(ctx, tx, v, "withdraw-postmortem", func(i *incident.Incident) error {
		if i.Postmortem.Published.IsZero() {
			return Conflict("The post-mortem is not published.")
		}
		i.Postmortem.Published, i.Postmortem.Updated = time.Time{}, d.Now
		return nil
	})
}
