// Package statuspage sets the components of an Atlassian Statuspage to the status of
// the node's components and, if configured, opens and resolves an incident.
//
// The page accepts no timestamps: a change begins when the page receives it.
package statuspage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A Reporter updates one page. It is not safe for concurrent use.
type Reporter struct {
	syncer    *componentsync.Syncer
	incidents *incidents // nil: not configured
}

// New returns a Reporter for the page in the configuration.
func New(c Config, client *httpclient.Client) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("statuspage: %w", err)
	}
	a := &api{c: c, client: client}
	pace := componentsync.NewRateLimiter(c.Requests)
	r := &Reporter{syncer: componentsync.New(a, c.Components, c.state, pace)}
	if c.Incidents {
		r.incidents = &incidents{api: a, pace: pace}
	}
	return r, nil
}

// Report implements report.Reporter.
func (r *Reporter) Report(ctx context.Context, now report.Report) error {
	err := r.syncer.Sync(ctx, now)
	if f := report.FailureOf(err); f != nil && f.Kind != report.Partial {
		return prefixed(err)
	}
	if r.incidents != nil {
		more := r.incidents.sync(ctx, now)
		if f := report.FailureOf(more); f != nil {
			return prefixed(&report.Failure{Kind: f.Kind, After: f.After, Err: errors.Join(err, more)})
		}
	}
	return prefixed(err)
}

// Test implements report.Reporter: it reads the configured components.
func (r *Reporter) Test(ctx context.Context, now report.Report) (string, error) {
	answer, err := r.syncer.Test(ctx, now)
	return answer, prefixed(err)
}

func prefixed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("statuspage: %w", err)
}

// state returns the state of a component for an impact; the page's states equal the
// impacts, but it has none for unknown.
func (c Config) state(i report.Impact) string {
	if i != report.Unknown {
		return string(i)
	}
	if c.Unknown == "skip" {
		return ""
	}
	return c.Unknown
}

// An api is the HTTP client of the page.
type api struct {
	c      Config
	client *httpclient.Client
}

// component has the fields of a component that are read, with the API's names.
type component struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// Read implements componentsync.Page.
func (a *api) Read(ctx context.Context, id string) (string, error) {
	current, err := a.component(ctx, http.MethodGet, id, nil)
	return current.Status, err
}

// Write implements componentsync.Page.
func (a *api) Write(ctx context.Context, id, word string) error {
	body := map[string]any{"component": map[string]string{"status": word}}
	current, err := a.component(ctx, http.MethodPatch, id, body)
	if err != nil {
		return err
	}
	return componentsync.Shown(word, current.Status)
}

func (a *api) component(ctx context.Context, method, id string, body any) (component, error) {
	answer, err := a.ask(ctx, method, "/components/"+id, body, 0)
	if err != nil {
		return component{}, componentsync.ComponentFailure(answer, err)
	}
	var current component
	if json.Unmarshal(answer.Body, &current) != nil || current.ID != id {
		return component{}, componentsync.NotAPage(answer, "a Statuspage component")
	}
	return current, nil
}

// ask makes a request below the page's address. most limits what it reads of the
// response, in bytes; 0: the default. A nil body means no body.
func (a *api) ask(ctx context.Context, method, path string, body any, most int64) (httpclient.Response, error) {
	token, err := a.c.Token.Read()
	if err != nil {
		return httpclient.Response{}, &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	q := httpclient.Request{
		Method: method, URL: strings.TrimRight(a.c.URL, "/") + "/pages/" + a.c.Page + path,
		Header:  http.Header{"Authorization": {"OAuth " + token}, "Accept": {"application/json"}},
		Secrets: []string{token}, MaxBody: most,
	}
	if body != nil {
		if q.Body, err = json.Marshal(body); err != nil {
			return httpclient.Response{}, &report.Failure{Kind: report.Misconfigured, Err: err}
		}
		q.Header.Set("Content-Type", "application/json")
	}
	return a.client.Do(ctx, q)
}
