// Package cachet sets the components of a Cachet status page, version 2.4 or 3, to the
// status of the node's components.
//
// The page accepts no timestamps: a change begins when the page receives it.
package cachet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A Reporter updates one page. It is not safe for concurrent use.
type Reporter struct {
	syncer *componentsync.Syncer
	api    *api
}

// New returns a Reporter for the page in the configuration.
func New(c Config, client *httpclient.Client) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("cachet: %w", err)
	}
	a := &api{c: c, client: client, hidden: map[string]bool{}}
	return &Reporter{componentsync.New(a, c.Components, c.state, componentsync.NewRateLimiter(c.Requests)), a}, nil
}

// Report implements report.Reporter.
func (r *Reporter) Report(ctx context.Context, now report.Report) error {
	return prefixed(r.syncer.Sync(ctx, now))
}

// Test implements report.Reporter. It reads the configured components and, because
// Cachet allows anyone to read, checks the token with a request that changes nothing.
func (r *Reporter) Test(ctx context.Context, now report.Report) (string, error) {
	answer, err := r.syncer.Test(ctx, now)
	if err == nil {
		err = r.api.prove(ctx)
	}
	if err != nil {
		return "", prefixed(err)
	}
	return answer + "; the token is valid", nil
}

func prefixed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cachet: %w", err)
}

// An api is the HTTP client of the page.
type api struct {
	c      Config
	client *httpclient.Client
	hidden map[string]bool // components that were disabled when they were read
}

// notKnown is the state of a component that the page does not return by its number.
const notKnown = "something"

// Read implements componentsync.Page.
func (a *api) Read(ctx context.Context, id string) (string, error) {
	current, err := a.ask(ctx, http.MethodGet, id, nil)
	if err != nil {
		return "", err
	}
	if current.id != id {
		return notKnown, nil // some releases of version 3 return the first component for every request
	}
	a.hidden[id] = !current.enabled
	return string(current.impact), nil
}

// Write implements componentsync.Page.
func (a *api) Write(ctx context.Context, id, word string) error {
	say := map[string]any{"status": numbers[report.Impact(word)]}
	if a.c.Version == 2 {
		say["enabled"] = !a.hidden[id] // version 2 hides a component unless enabled is set
		say["silent"] = !a.c.Notify
	}
	body, err := json.Marshal(say)
	if err != nil {
		return &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	current, err := a.ask(ctx, http.MethodPut, id, body)
	if err != nil {
		return err
	}
	if current.id != id {
		return &report.Failure{Kind: report.Partial, Err: fmt.Errorf("the page returned component %s", current.id)}
	}
	return componentsync.Shown(word, string(current.impact))
}

func (a *api) ask(ctx context.Context, method, id string, body []byte) (component, error) {
	answer, err := a.do(ctx, method, "/components/"+id, body)
	if err != nil {
		return component{}, componentsync.ComponentFailure(answer, err)
	}
	current, ok := parse(answer.Body)
	if !ok {
		return component{}, componentsync.NotAPage(answer, "a Cachet component")
	}
	return current, nil
}

func (a *api) do(ctx context.Context, method, path string, body []byte) (httpclient.Response, error) {
	token, err := a.c.Token.Read()
	if err != nil {
		return httpclient.Response{}, &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	prefix, name, word := "/api", "Authorization", "Bearer "+token
	if a.c.Version == 2 {
		prefix, name, word = "/api/v1", "X-Cachet-Token", token
	}
	q := httpclient.Request{
		Method: method, URL: strings.TrimRight(a.c.URL, "/") + prefix + path,
		Header: http.Header{name: {word}, "Accept": {"application/json"}},
		Body:   body, Secrets: []string{token},
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	return a.client.Do(ctx, q)
}

// prove checks that the token is valid, without changing anything: version 2 requires
// a token to list subscribers; version 3 checks the token before it rejects an
// invalid status.
func (a *api) prove(ctx context.Context) error {
	if a.c.Version == 2 {
		_, err := a.do(ctx, http.MethodGet, "/subscribers?per_page=1", nil)
		return err
	}
	one := slices.Min(slices.Collect(maps.Values(a.c.Components)))
	answer, err := a.do(ctx, http.MethodPut, "/components/"+one, []byte(`{"status":99}`))
	if answer.Code == http.StatusUnprocessableEntity {
		return nil
	}
	if err == nil {
		err = componentsync.NotAPage(answer, "Cachet 3's rejection of an invalid status")
	}
	return err
}

// component has the fields of a component that are read.
type component struct {
	id      string
	impact  report.Impact
	enabled bool
}

// parse parses the response of either version: version 2 has the fields in data,
// version 3 in data.attributes; numbers may be text, and a status may be an object.
func parse(body []byte) (component, bool) {
	type fields struct {
		ID      any `json:"id"`
		Status  any `json:"status"`
		Enabled any `json:"enabled"`
	}
	var answer struct {
		Data struct {
			fields
			Attributes *fields `json:"attributes"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return component{}, false
	}
	x := answer.Data.fields
	if a := answer.Data.Attributes; a != nil {
		x.Status, x.Enabled = a.Status, a.Enabled
	}
	if s, ok := x.Status.(map[string]any); ok {
		x.Status = s["value"]
	}
	id, known := number(x.ID)
	status, hasStatus := number(x.Status)
	hidden := x.Enabled == false || x.Enabled == 0.0 || x.Enabled == "0"
	return component{id: strconv.Itoa(id), impact: impact(status), enabled: !hidden}, known && hasStatus
}

// number is an integer, or the text of one.
func number(v any) (int, bool) {
	switch v := v.(type) {
	case float64:
		return int(v), v == float64(int(v))
	case string:
		n, err := strconv.Atoi(v)
		return n, err == nil
	}
	return 0, false
}
