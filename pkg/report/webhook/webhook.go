// Package webhook sends HTTP requests to chats, push services, on-call services, or any
// receiver of JSON. It sends one request when something changes, for all changes
// together.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// A Reporter delivers to one backend. It implements report.Reporter and report.Persister.
type Reporter struct {
	c        Config
	preset   preset
	client   *httpclient.Client
	template *template.Template // nil: none
	memory   *changes.Memory
}

// New returns a Reporter. The file stores what has been reported; if it cannot be
// read, the first Persist returns the error and all raised findings are reported
// again.
func New(c Config, client *httpclient.Client, kept statefile.File) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	w := &Reporter{c: c, preset: presets()[c.Preset], client: client, memory: changes.Remember(kept)}
	if c.Template != "" {
		t, err := parse(c.Template)
		if err != nil {
			return nil, report.WrongField("template", "%v", err)
		}
		w.template = t
	}
	return w, nil
}

// Persist implements report.Persister.
func (w *Reporter) Persist(report.Report) error { return w.memory.Persist() }

// Report implements report.Reporter: it sends the changes since its last success or,
// in mode state, the whole Report.
func (w *Reporter) Report(ctx context.Context, r report.Report) error {
	if w.c.Mode == "state" {
		_, err := w.deliver(ctx, message{report: r, state: true, event: eventAt(r)})
		return err
	}
	reported := w.memory.Baseline()
	list, next := reported.Diff(r)
	list = slices.DeleteFunc(list, func(c changes.Change) bool { return !slices.Contains(w.c.Tell, string(c.Kind)) })
	if len(list) == 0 {
		w.memory.Set(next)
		return nil
	}
	if left := w.c.Pause - r.At.Sub(reported.At); left > 0 && left <= w.c.Pause && r.Final == "" {
		return &report.Failure{Kind: report.Throttled, After: left,
			Err: fmt.Errorf("webhook: %d changes are waiting for the minimum time between two messages", len(list))}
	}
	_, err := w.deliver(ctx, message{report: r, event: next.Event(r, list)})
	if err != nil && report.FailureOf(err).Kind != report.Stale {
		return err
	}
	next.At, next.Sent = r.At, next.Sent+1
	w.memory.Set(next)
	return err
}

// Test implements report.Reporter: it sends a message marked as a test. An alert is
// raised and ended at once, under a separate key.
func (w *Reporter) Test(ctx context.Context, r report.Report) (string, error) {
	r.Test = true
	m := message{report: r, event: eventAt(r), state: w.c.Mode == "state"}
	if w.preset.alerts {
		m.event.Raised = 1
	}
	answer, err := w.deliver(ctx, m)
	if err == nil && w.preset.alerts {
		m.event.Raised, m.event.ID = 0, m.event.ID+"/end"
		answer, err = w.deliver(ctx, m)
	}
	if err == nil && answer == "" {
		return "", &report.Failure{Kind: report.Misconfigured, Err: errors.New("webhook: the template produces no text for a test")}
	}
	return answer, err
}

// eventAt returns an event without changes, with a unique id.
func eventAt(r report.Report) changes.Event {
	return changes.Baseline{Sent: uint64(max(r.At.UnixNano(), 0))}.Event(r, nil)
}

// deliver sends a message, and returns the response in one line. It returns an empty
// string if the template's output is empty, so that nothing was sent.
func (w *Reporter) deliver(ctx context.Context, m message) (string, error) {
	if err := w.write(&m); err != nil {
		return "", &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("webhook: template: %w", err)}
	}
	if m.text == "" && w.template != nil {
		return "", nil
	}
	body, err := w.preset.body(w, m)
	if err != nil {
		return "", &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("webhook: %w", err)}
	}
	q, err := w.request(m, body)
	if err != nil {
		return "", &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("webhook: %w", err)}
	}
	a, err := w.client.Do(ctx, q)
	if err != nil {
		return a.Line(), withRetryAfter(err, a)
	}
	return a.Line(), w.preset.accept(a)
}

// write sets the text of the message, within the backend's limits and in its markup.
func (w *Reporter) write(m *message) error {
	if m.state && w.template == nil {
		return nil
	}
	all := []string{""}
	if len(m.event.Changes) > 0 || m.event.Test {
		all = texts(m.event, w.c.Page)
	}
	m.text = all[0]
	if w.template != nil {
		text, err := render(w.template, m.value(w.c.Page))
		if err != nil {
			return err
		}
		all = []string{strings.TrimSpace(text)}
	}
	if w.preset.data {
		m.text = all[0]
		return nil
	}
	for _, text := range all {
		if m.text = w.preset.escape(text); w.preset.limit.of(m.text) <= w.preset.limit.most {
			return nil
		}
	}
	m.text = w.preset.limit.escaped(all[len(all)-1], w.preset.escape)
	return nil
}
