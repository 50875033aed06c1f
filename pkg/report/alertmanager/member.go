package alertmanager

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

const (
	batch      = 64              // alerts in one request
	againAfter = 5 * time.Minute // time until a rejected alert is tried again
)

// A member is one Alertmanager, with the alerts that it rejected.
type member struct {
	base      string
	failed    bool               // the latest delivery failed
	notBefore time.Time          // no delivery before this time, as it requested
	refused   map[string]refusal // by the alert's key
}

// A refusal is a member's response to an alert that it rejected.
type refusal struct {
	at   time.Time
	text string
}

// A delivery is one delivery to one member.
type delivery struct {
	*sender
	ctx     context.Context
	at      time.Time
	base    string
	sound   bool               // the member accepts an empty list
	refused map[string]refusal // alerts that make the member reject a list
	clock   error              // the clocks differ
}

// deliver sends all alerts to the member. It also sends an empty list, which tests the
// connection before it is needed. A Partial failure names each alert that the member
// rejected and that has not been named before.
func (m *member) deliver(ctx context.Context, s *sender, at time.Time, all []alert) error {
	if wait := m.notBefore.Sub(at); wait > 0 && wait <= time.Hour {
		return &report.Failure{Kind: report.Throttled, After: wait, Err: fmt.Errorf("%s: waiting %s more, as requested by the server",
			m.base, wait)}
	}
	due, kept := []alert{}, map[string]refusal{}
	for _, a := range all {
		if r, known := m.refused[a.key]; known && at.Sub(r.at).Abs() < againAfter {
			kept[a.key] = r
		} else {
			due = append(due, a)
		}
	}
	e := &delivery{sender: s, ctx: ctx, at: at, base: m.base, refused: map[string]refusal{}}
	if err := e.send(due); err != nil {
		m.notBefore = at.Add(report.FailureOf(err).After)
		return err
	}
	named := []string{}
	for _, a := range due {
		if r, is := e.refused[a.key]; is {
			if r.text != m.refused[a.key].text {
				named = append(named, r.text)
			}
			kept[a.key] = r
		}
	}
	m.refused = kept
	if len(named) == 0 {
		return e.clock
	}
	return &report.Failure{Kind: report.Partial, Err: fmt.Errorf("%s does not take %s", m.base, strings.Join(named, "; "))}
}

// send posts the alerts in batches.
func (e *delivery) send(all []alert) error {
	if len(all) == 0 {
		return e.part(nil)
	}
	for part := range slices.Chunk(all, batch) {
		if err := e.part(part); err != nil {
			return err
		}
	}
	return nil
}

// part posts alerts. If the list is rejected, it looks for the alerts that cause
// that, so that the others are still delivered: Alertmanager has accepted the others
// if a label is invalid (400), and none of them if a format is (422).
func (e *delivery) part(part []alert) error {
	a, err := e.post(e.ctx, e.base, part)
	refused := a.Code == http.StatusBadRequest || a.Code == http.StatusUnprocessableEntity || a.Code == http.StatusRequestEntityTooLarge
	if err == nil {
		e.sound, e.clock = true, e.clocks(e.base, e.at, a)
		return nil
	}
	if !refused || len(part) == 0 {
		return err
	}
	if len(part) == 1 {
		if !e.sound {
			if err := e.part(nil); err != nil {
				return err // even an empty list is rejected: the alert is not the cause
			}
		}
		e.refused[part[0].key] = refusal{at: e.at, text: part[0].what() + ": " + a.Line()}
		return nil
	}
	half := len(part) / 2
	if err := e.part(part[:half]); err != nil {
		return err
	}
	return e.part(part[half:])
}
