package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The longest texts that are taken, in bytes.
const (
	maxText  = 64 << 10
	maxTitle = 255
)

// impactWords are what impacts are called on the command line.
func impactWords() map[string]report.Impact {
	words := map[string]report.Impact{"degraded": report.DegradedPerformance, "partial": report.PartialOutage, "major": report.MajorOutage}
	for _, i := range []report.Impact{report.Operational, report.DegradedPerformance, report.PartialOutage, report.MajorOutage} {
		words[string(i)] = i
	}
	return words
}

// affected reads ID=IMPACT, of components or of groups, which represent their components.
func affected(c config.Config, list []string) (all []incident.Affected, err error) {
	for _, text := range list {
		id, word, _ := strings.Cut(text, "=")
		impact, known := impactWords()[word]
		if !known {
			return nil, fmt.Errorf("--component %q must be ID=IMPACT, IMPACT being operational, degraded, partial or major", text)
		}
		ids := members(c, id)
		if len(ids) == 0 {
			return nil, fmt.Errorf("--component %q: the configuration has no component or group %q", text, id)
		}
		for _, id := range ids {
			all = append(all, incident.Affected{Component: id, Impact: impact, Declared: true})
		}
	}
	return all, nil
}

// members are the component of an id, or the components of the group of an id.
func members(c config.Config, id string) (ids []string) {
	for _, g := range c.Groups {
		for _, x := range g.Components {
			if x.ID == id || g.ID == id {
				ids = append(ids, x.ID)
			}
		}
	}
	return ids
}

// when reads a time: RFC 3339, or a date and a time in the page's zone.
func when(flag, text string, zone *time.Location) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		return at, fmt.Errorf("%s %q must be a time such as \"2026-01-31 22:00\", in %s, or 2026-01-31T22:00:00Z", flag, text, zone)
	}
	if at.Format("2006-01-02 15:04") != text {
		return at, fmt.Errorf("%s %q does not exist in %s, as the clock is changed there", flag, text, zone)
	}
	return at, nil
}

// past reads a time that is not in the future; unset: now.
func (o open) past(flag, text string) (time.Time, error) {
	if text == "" {
		return o.now, nil
	}
	at, err := when(flag, text, o.config.Page.Zone)
	if err == nil && at.After(o.now) {
		err = fmt.Errorf("%s must not be in the future", flag)
	}
	return at, err
}

// body is a text for customers; - is read from the standard input.
func (p program) body(text string) (string, error) {
	if text == "-" {
		raw, err := io.ReadAll(io.LimitReader(p.in, maxText+1))
		if err != nil {
			return "", fmt.Errorf("standard input: %w", err)
		}
		text = string(raw)
	}
	return text, short("the text", text, maxText)
}

func short(what, text string, limit int) error {
	if len(text) > limit {
		return fmt.Errorf("%s has %d bytes; at most %d are allowed", what, len(text), limit)
	}
	return nil
}

// outputFlag adds the flag of commands that print what programs read as well.
func outputFlag(cmd *kingpin.CmdClause) *string {
	return cmd.Flag("output", "text or json.").Default("text").Enum("text", "json")
}

// print prints a value as JSON, or else what text prints.
func (p program) print(output string, value any, text func(io.Writer) error) error {
	if output == "json" {
		e := json.NewEncoder(p.out)
		e.SetIndent("", "  ")
		return e.Encode(value)
	}
	return text(p.out)
}

// An open is a configuration with its database, for one command.
type open struct {
	config config.Config
	store  *store.Store
	now    time.Time
}

// within calls f with the database of the configuration file. A mistake of the caller
// is a usage.
func (p program) within(ctx context.Context, file string, f func(open) error) int {
	c, err := load(file)
	if err != nil {
		return p.fail(exitUsage, err)
	}
	s, err := store.Open(ctx, c.Database.Address)
	if err != nil {
		return p.fail(exitFailure, err)
	}
	defer func() { _ = s.Close() }() // what was written is committed
	err = f(open{c, s, time.Now()})
	switch wrong, is := errors.AsType[usage](err); {
	case is:
		return p.fail(exitUsage, wrong.error)
	case err != nil:
		return p.fail(exitFailure, err)
	}
	return exitOK
}

// A usage is a mistake of the caller.
type usage struct{ error }

// Unwrap implements errors.Is.
func (u usage) Unwrap() error { return u.error }

// by is an entry of the audit log for what the caller does now.
func (o open) by(action, detail string) store.Entry {
	return store.Entry{At: o.now, Who: caller(), Action: action, Detail: detail}
}

// incident changes an incident, or makes one where ref is empty.
func (o open) incident(ctx context.Context, ref string, e store.Entry, f func(*incident.Incident) error) (i incident.Incident, err error) {
	err = o.store.Update(ctx, func(tx *store.Tx) error {
		i, err = tx.ChangeIncident(ctx, ref, e, f)
		return hint(err, "nodewatch-status incident list --all")
	})
	return i, err
}

// maintenance changes a maintenance, or makes one where ref is empty.
func (o open) maintenance(ctx context.Context, ref string, e store.Entry, f func(*incident.Maintenance) error) (m incident.Maintenance, err error) {
	err = o.store.Update(ctx, func(tx *store.Tx) error {
		m, err = tx.ChangeMaintenance(ctx, ref, e, f)
		return hint(err, "nodewatch-status maintenance list --all")
	})
	return m, err
}

// hint says where to look where there is none of a name.
func hint(err error, command string) error {
	if errors.Is(err, store.ErrNotFound) {
		return usage{fmt.Errorf("%w; see %s", err, command)}
	}
	return err
}

// address is the public address of a page.
func (o open) address(section, ref string) string {
	return strings.TrimSuffix(o.config.Page.URL, "/") + "/" + section + "/" + ref + "/"
}

// joined are the components of a list, for a table.
func joined(list []incident.Affected) string {
	var all []string
	for _, a := range list {
		all = append(all, a.Component+"="+string(a.Impact))
	}
	return strings.Join(all, " ")
}

// statuses are words for a flag.
func statuses(list []incident.Status) (words []string) {
	for _, s := range list {
		words = append(words, string(s))
	}
	return words
}
