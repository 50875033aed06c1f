// Package pagerduty pages on-call through PagerDuty's Events API, version 2: one
// alert for each finding, triggered when it is raised and again when it gets worse,
// resolved when it clears.
//
// The API responds when it has queued an event; it does not report whether anyone was
// paged.
package pagerduty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// A Reporter pages one service. Report is not safe for concurrent use, but Persist
// may run at the same time.
type Reporter struct {
	c       Config
	client  *httpclient.Client
	open    *open
	refused map[string]report.Severity // by dedup key: changes that the API rejected
}

// mostAtOnce is the maximum number of events in one delivery: a shared backend must
// not be flooded, and the deadline is for all of them.
const mostAtOnce = 50

// New returns a Reporter that continues from the state of an earlier run.
func New(c Config, client *httpclient.Client, kept statefile.File) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("pagerduty: %w", err)
	}
	return &Reporter{c: c, client: client, open: load(kept), refused: map[string]report.Severity{}}, nil
}

// Persist implements report.Persister: it saves which alerts are open.
func (p *Reporter) Persist(report.Report) error {
	if err := p.open.save(); err != nil {
		return fmt.Errorf("pagerduty: %w", err)
	}
	return nil
}

// Report implements report.Reporter.
func (p *Reporter) Report(ctx context.Context, r report.Report) error {
	due, raised := p.due(r)
	var bad []error
	for n, e := range due {
		if n == mostAtOnce {
			return failure(report.Throttled, time.Second, fmt.Errorf("limited to %d events at once; %d remain", n, len(due)-n))
		}
		err := p.send(ctx, e.event)
		switch f := report.FailureOf(err); {
		case f == nil:
			p.sent(e)
		case f.Kind == report.Partial:
			p.isRefused(e)
			bad = append(bad, fmt.Errorf("%s: %w", e.DedupKey, f.Err))
		default:
			return failure(f.Kind, f.After, errors.Join(append(bad, f.Err)...))
		}
	}
	for key := range p.refused {
		if !raised[key] {
			delete(p.refused, key)
		}
	}
	if len(bad) > 0 {
		return failure(report.Partial, 0, errors.Join(bad...))
	}
	return nil
}

func failure(kind report.FailureKind, after time.Duration, err error) error {
	return fmt.Errorf("pagerduty: %w", &report.Failure{Kind: kind, After: after, Err: err})
}

// A change is an event to send, and the state after it.
type change struct {
	event
	alert alert
}

// due returns the changes that PagerDuty has not received, worst first. raised has
// the dedup keys of all findings.
func (p *Reporter) due(r report.Report) (list []change, raised map[string]bool) {
	raised = map[string]bool{}
	for _, f := range r.Findings {
		k := key(r, f.Rule, f.Subject)
		if raised[k] {
			continue
		}
		raised[k] = true
		now := alert{Severity: f.Severity, Component: f.Component}
		before, known := p.open.get(k)
		switch refused, is := p.refused[k]; {
		case is && refused == f.Severity:
		case len(f.ExplainedBy) > 0: // pages no one; an open alert stays open until the finding clears
		case known && f.Severity.Rank() < before.Severity.Rank():
			p.open.sent(k, now) // an improvement pages no one; a later deterioration does
		case known && f.Severity == before.Severity:
			p.open.sent(k, now) // this run has raised it too
		default:
			list = append(list, change{p.c.trigger(r, f), now})
		}
	}
	slices.SortStableFunc(list, func(a, b change) int { return b.alert.Severity.Rank() - a.alert.Severity.Rank() })
	for _, k := range p.open.over(r, raised) {
		list = append(list, change{event: event{Action: "resolve", DedupKey: k}})
	}
	return list, raised
}

// sent records that PagerDuty has accepted a change.
func (p *Reporter) sent(e change) {
	delete(p.refused, e.DedupKey)
	if e.Action == "resolve" {
		p.open.resolved(e.DedupKey)
		return
	}
	p.open.sent(e.DedupKey, e.alert)
}

// isRefused records that PagerDuty rejected a change, so that the same change is not
// sent again.
func (p *Reporter) isRefused(e change) {
	if e.Action == "resolve" {
		p.open.resolved(e.DedupKey)
		return
	}
	p.refused[e.DedupKey] = e.alert.Severity
}

// Test implements report.Reporter: it sends an alert of the lowest severity and
// resolves it at once.
func (p *Reporter) Test(ctx context.Context, r report.Report) (string, error) {
	text := fmt.Sprintf("TEST from nodewatch on %s: please ignore", r.Node)
	f := report.Finding{Rule: "test", Severity: report.Info, Impact: report.Operational, State: report.Seen, Since: r.At, Summary: text}
	e := p.c.trigger(r, f)
	e.DedupKey, e.Payload.Summary, e.Payload.Severity = key(r, "test", r.At.UTC().Format(time.RFC3339)), cut(text, longestSummary), "info"
	for _, e := range []event{e, {Action: "resolve", DedupKey: e.DedupKey}} {
		if err := p.send(ctx, e); err != nil {
			return "", fmt.Errorf("pagerduty: %s: %w", e.Action, err)
		}
	}
	return "202 for trigger and resolve of an alert of severity info: queued; it is unknown whether a person was paged", nil
}

// answer is the API's response, with the API's names.
type answer struct {
	Status   string   `json:"status"`
	Message  string   `json:"message"`
	DedupKey string   `json:"dedup_key"`
	Errors   []string `json:"errors"`
}

// send sends one event. A Partial failure means that the API will always reject this
// event.
func (p *Reporter) send(ctx context.Context, e event) error {
	secret, err := p.c.Key.Read()
	if err != nil {
		return &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	if len(secret) != 32 {
		return &report.Failure{Kind: report.Misconfigured, Err: fmt.Errorf("the routing key in %s has %d characters instead of 32", p.c.Key,
			len(secret))}
	}
	e.RoutingKey = secret
	body, err := json.Marshal(e)
	if err != nil {
		return &report.Failure{Kind: report.Partial, Err: err}
	}
	a, err := p.client.Do(ctx, httpclient.Request{
		Method: http.MethodPost, URL: strings.TrimRight(p.c.URL, "/") + "/v2/enqueue",
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
		Body:   body, Secrets: []string{secret},
	})
	var said answer
	readable := json.Unmarshal(a.Body, &said) == nil
	switch f := report.FailureOf(err); {
	case f != nil && a.Code == http.StatusBadRequest && readable &&
		!strings.Contains(strings.ToLower(strings.Join(said.Errors, " ")+said.Message), "routing"):
		return &report.Failure{Kind: report.Partial, Err: f.Err}
	case f != nil && a.Code == http.StatusRequestEntityTooLarge:
		return &report.Failure{Kind: report.Partial, Err: f.Err}
	case f != nil:
		return f
	case a.Code != http.StatusAccepted || !readable || said.Status != "success" || said.DedupKey != e.DedupKey:
		return &report.Failure{Kind: report.Misconfigured, Err: errors.New("the response is not PagerDuty's: " + a.Line())}
	}
	return nil
}
