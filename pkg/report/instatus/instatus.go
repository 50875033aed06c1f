// Package instatus sets the components of an Instatus page to the status of the node's
// components.
//
// The page accepts no timestamps: a change begins when the page receives it.
package instatus

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A Reporter updates one page. It is not safe for concurrent use.
type Reporter struct{ syncer *componentsync.Syncer }

// New returns a Reporter for the page in the configuration.
func New(c Config, client *httpclient.Client) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("instatus: %w", err)
	}
	return &Reporter{componentsync.New(&api{c, client}, c.Components, c.state, componentsync.NewRateLimiter(c.Requests))}, nil
}

// Report implements report.Reporter.
func (r *Reporter) Report(ctx context.Context, now report.Report) error {
	return prefixed(r.syncer.Sync(ctx, now))
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
	return fmt.Errorf("instatus: %w", err)
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
	current, err := a.ask(ctx, http.MethodGet, id, nil)
	return current.Status, err
}

// Write implements componentsync.Page.
func (a *api) Write(ctx context.Context, id, word string) error {
	body, err := json.Marshal(map[string]string{"status": word})
	if err != nil {
		return &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	current, err := a.ask(ctx, http.MethodPut, id, body)
	if err != nil {
		return err
	}
	return componentsync.Shown(word, current.Status)
}

func (a *api) ask(ctx context.Context, method, id string, body []byte) (component, error) {
	token, err := a.c.Token.Read()
	if err != nil {
		return component{}, &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	q := httpclient.Request{
		Method: method, URL: strings.TrimRight(a.c.URL, "/") + "/v1/" + a.c.Page + "/components/" + id,
		Header: http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/json"}},
		Body:   body, Secrets: []string{token},
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	answer, err := a.client.Do(ctx, q)
	if err != nil {
		return component{}, componentsync.ComponentFailure(answer, err)
	}
	var current component
	if json.Unmarshal(answer.Body, &current) != nil || current.ID != id {
		return component{}, componentsync.NotAPage(answer, "an Instatus component")
	}
	return current, nil
}
