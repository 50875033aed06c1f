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

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// impactWords returns the names of impacts on the command line.
func impactWords() map[string]report.Impact {
	words := map[string]report.Impact{"degraded": report.DegradedPerformance, "partial": report.PartialOutage, "major": report.MajorOutage}
	for _, i := range []report.Impact{report.Operational, report.DegradedPerformance, report.PartialOutage, report.MajorOutage} {
		words[string(i)] = i
	}
	return words
}

// affected parses ID=IMPACT, for components or groups.
func affected(list []string) (all []incident.Affected, err error) {
	for _, text := range list {
		id, word, _ := strings.Cut(text, "=")
		impact, known := impactWords()[word]
		if !known {
			return nil, fmt.Errorf("--component %q must be ID=IMPACT, IMPACT being operational, degraded, partial or major", text)
		}
		all = append(all, incident.Affected{Component: id, Impact: impact})
	}
	return all, nil
}

// when parses a time: RFC 3339, or a date and a time in the page's zone.
func when(flag, text string, zone *time.Location) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		return at, fmt.Errorf("%s %q must be a time such as \"2026-01-31 22:00\", in %s, or 2026-01-31T22:00:00Z", flag, text, zone)
	}
	if at.Format("2006-01-02 15:04") != text {
		return at, fmt.Errorf("%s %q does not exist in %s because of a clock change", flag, text, zone)
	}
	return at, nil
}

// optional parses a time that may be empty.
func (o open) optional(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return when(flag, text, o.Config.Page.Zone)
}

// body returns a text for customers; - is read from the standard input.
func (p program) body(text string) (string, error) {
	if text == "-" {
		return readText("standard input", p.in)
	}
	return text, nil
}

// readText reads a text up to the maximum length of an operator's text.
func readText(name string, from io.Reader) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(from, desk.MaxBody+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", name, err)
	case len(raw) > desk.MaxBody:
		return "", fmt.Errorf("%s has more than %d bytes", name, desk.MaxBody)
	}
	return string(raw), nil
}

// outputFlag adds the flag of commands that can also print JSON.
func outputFlag(cmd *kingpin.CmdClause) *string {
	return cmd.Flag("output", "text or json.").Default("text").Enum("text", "json")
}

// print prints a value as JSON, or calls text.
func (p program) print(output string, value any, text func(io.Writer) error) error {
	if output == "json" {
		e := json.NewEncoder(p.out)
		e.SetIndent("", "  ")
		return e.Encode(value)
	}
	return text(p.out)
}

// An open is the desk of the caller with its database, for one command.
type open struct {
	desk.Desk
	store *store.Store
}

// within calls f with the database of the configuration file. A mistake of the caller
// is a usage or a desk.Mistake.
func (p program) within(ctx context.Context, file string, f func(open) error) int {
	c, err := load(file)
	if err != nil {
		return p.fail(exitUsage, err)
	}
	s, err := store.Open(ctx, c.Database.Address)
	if err != nil {
		return p.fail(exitFailure, err)
	}
	defer func() { _ = s.Close() }() // all writes are committed
	err = f(open{desk.Desk{Config: c, Who: caller(), Now: time.Now()}, s})
	var (
		wrong   usage
		mistake desk.Mistake
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &wrong):
		return p.fail(exitUsage, wrong.error)
	case errors.As(err, &mistake):
		return p.fail(exitUsage, mistake)
	}
	return p.fail(exitFailure, err)
}

// A usage is an error of the caller.
type usage struct{ error }

// Unwrap implements errors.Is.
func (u usage) Unwrap() error { return u.error }

// change runs f in a transaction that may write.
func change[T any](ctx context.Context, o open, f func(*store.Tx) (T, error)) (value T, err error) {
	err = o.store.Update(ctx, func(tx *store.Tx) (err error) {
		value, err = f(tx)
		return err
	})
	return value, err
}

// missing returns err if it is set, and otherwise an error if found is false.
func missing(kind, ref string, found bool, err error) error {
	if err == nil && !found {
		return usage{fmt.Errorf("%s %q: %w; see nodewatch-status %s list --all", kind, ref, store.ErrNotFound, kind)}
	}
	return err
}

// incident returns the incident with a Ref.
func (o open) incident(ctx context.Context, tx *store.Tx, ref string) (incident.Incident, error) {
	i, found, err := tx.Incident(ctx, ref)
	return i, missing("incident", ref, found, err)
}

// maintenance returns the maintenance with a Ref.
func (o open) maintenance(ctx context.Context, tx *store.Tx, ref string) (incident.Maintenance, error) {
	m, found, err := tx.Maintenance(ctx, ref)
	return m, missing("maintenance", ref, found, err)
}

// address returns the public address of a page.
func (o open) address(section, ref string) string {
	return strings.TrimSuffix(o.Config.Page.URL, "/") + "/" + section + "/" + ref + "/"
}

// joined returns the components of a list, for a table.
func joined(list []incident.Affected) string {
	var all []string
	for _, a := range list {
		all = append(all, a.Component+"="+string(a.Impact))
	}
	return strings.Join(all, " ")
}

// statuses returns statuses as words for a flag.
func statuses(list []incident.Status) (words []string) {
	for _, s := range list {
		words = append(words, string(s))
	}
	return words
}
