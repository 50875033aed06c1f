// Package override manages the overrides that operators set on the node: maintenance,
// and acknowledged findings. The overrides are one small JSON file in the state
// directory, written by the command line and read by the daemon.
package override

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxSpan is the maximum duration of a maintenance or an acknowledgement.
const MaxSpan = 366 * 24 * time.Hour

// Limits of the file, so that a broken one cannot use up resources.
const (
	maxSize     = 256 << 10 // bytes
	maxAccepted = 200
	maxText     = 500 // characters
)

// Overrides are all overrides of this node's operators.
type Overrides struct {
	Maintenance *Maintenance      `json:"maintenance,omitempty"`
	Accepted    []Acknowledgement `json:"accepted,omitempty"`
}

// A Maintenance marks the node as being worked on.
type Maintenance struct {
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// An Acknowledgement allows a finding to stay until a date.
type Acknowledgement struct {
	Rule     string    `json:"rule"`
	Subject  string    `json:"subject,omitempty"` // empty: every subject
	Severity string    `json:"severity"`          // the highest acknowledged severity: a finding that gets worse pages
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
}

// Covers reports whether the acknowledgement applies now to a finding of the rule and
// subject.
func (a Acknowledgement) Covers(rule, subject string, now time.Time) bool {
	return a.Rule == rule && (a.Subject == "" || a.Subject == subject) && holds(a.At, a.Until, now)
}

// Holds reports whether the maintenance is active now.
func (m *Maintenance) Holds(now time.Time) bool { return m != nil && holds(m.Since, m.Until, now) }

// clockStep is how far in the future an override may begin: the clock of the command
// that wrote it and the daemon's own, which never jumps, need not agree to the second.
const clockStep = time.Minute

func holds(from, until, now time.Time) bool {
	return !now.Before(from.Add(-clockStep)) && now.Before(until)
}

// Without returns the overrides that have not ended at the given time.
func (w Overrides) Without(now time.Time) Overrides {
	if w.Maintenance != nil && !now.Before(w.Maintenance.Until) {
		w.Maintenance = nil
	}
	w.Accepted = slices.DeleteFunc(slices.Clone(w.Accepted), func(a Acknowledgement) bool { return !now.Before(a.Until) })
	return w
}

// Parse parses the file's content. Every override must contain its author, its reason
// and its end.
func Parse(r io.Reader) (Overrides, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return Overrides{}, fmt.Errorf("overrides: %w", err)
	}
	if len(raw) > maxSize {
		return Overrides{}, errors.New("overrides: larger than 256 KiB")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var w Overrides
	if err := dec.Decode(&w); err != nil {
		return Overrides{}, fmt.Errorf("overrides: %w", err)
	}
	if dec.More() {
		return Overrides{}, errors.New("overrides: more than one JSON value")
	}
	if err := w.Check(); err != nil {
		return Overrides{}, err
	}
	return w, nil
}

// Check returns an error that names a missing or excess value; nil if there is none.
func (w Overrides) Check() error {
	if m := w.Maintenance; m != nil {
		if err := errors.Join(text("by", m.By, true), text("reason", m.Reason, true), span(m.Since, m.Until)); err != nil {
			return fmt.Errorf("overrides: maintenance: %w", err)
		}
	}
	if len(w.Accepted) > maxAccepted {
		return fmt.Errorf("overrides: %d findings are acknowledged; at most %d are allowed", len(w.Accepted), maxAccepted)
	}
	for _, a := range w.Accepted {
		if err := errors.Join(text("rule", a.Rule, true), text("subject", a.Subject, false), severity(a.Severity),
			text("by", a.By, true), text("reason", a.Reason, true), span(a.At, a.Until)); err != nil {
			return fmt.Errorf("overrides: accepted %s: %w", a.Rule, err)
		}
	}
	return nil
}

func text(name, value string, must bool) error {
	switch {
	case must && value == "":
		return fmt.Errorf("%s is empty", name)
	case !utf8.ValidString(value) || slices.ContainsFunc([]rune(value), func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%s contains unprintable characters", name)
	case utf8.RuneCountInString(value) > maxText:
		return fmt.Errorf("%s is longer than %d characters", name, maxText)
	}
	return nil
}

func span(from, until time.Time) error {
	if from.IsZero() || !until.After(from) {
		return errors.New("it must start before it ends")
	}
	if until.Sub(from) > MaxSpan {
		return fmt.Errorf("it is longer than %d days", int(MaxSpan.Hours())/24)
	}
	return nil
}

// severity checks the maximum severity that is acknowledged.
func severity(s string) error {
	switch s {
	case "info", "warning", "critical":
		return nil
	}
	return fmt.Errorf("severity %q must be info, warning or critical", s)
}
