// Package icinga sends passive check results to Icinga 2: in each interval one for
// each configured service of the node's host, with the time until which it is fresh,
// so that missing results are noticed.
package icinga

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A Reporter delivers to one Icinga. It stores nothing: each delivery is the whole
// state.
type Reporter struct {
	c      Config
	client *httpclient.Client
}

// New returns a Reporter.
func New(c Config, client *httpclient.Client) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("icinga: %w", err)
	}
	return &Reporter{c, client}, nil
}

// Report implements report.Reporter.
func (i *Reporter) Report(ctx context.Context, r report.Report) error {
	var bad []error
	var stale error
	good := 0
	for _, x := range componentsync.Named(r, i.c.Services) {
		err := i.send(ctx, i.c.result(r, x))
		f := report.FailureOf(err)
		switch {
		case f == nil:
			good++
		case f.Kind == report.Partial:
			bad = append(bad, f.Err)
		case f.Kind == report.Stale:
			stale = f.Err
		default:
			return failure(f.Kind, errors.Join(append(bad, f.Err)...), f)
		}
	}
	switch {
	case len(bad) > 0 && good == 0 && stale == nil:
		return failure(report.Misconfigured, errors.Join(bad...), nil)
	case len(bad) > 0:
		return failure(report.Partial, errors.Join(bad...), nil)
	case stale != nil:
		return failure(report.Stale, stale, nil)
	}
	return nil
}

func failure(kind report.FailureKind, err error, like *report.Failure) error {
	f := &report.Failure{Kind: kind, Err: err}
	if like != nil {
		f.After = like.After
	}
	return fmt.Errorf("icinga: %w", f)
}

// Test implements report.Reporter. It sends results that are marked as tests, without
// the state: Icinga checks the password, the permission, the service and whether it
// accepts passive results before it reports the missing state.
func (i *Reporter) Test(ctx context.Context, r report.Report) (string, error) {
	names := slices.Sorted(maps.Keys(i.c.Services))
	for _, name := range names {
		object := i.c.object(r, report.ComponentName(name))
		said, err := i.ask(ctx, result{Type: "Service", Service: object,
			Output: fmt.Sprintf("TEST from nodewatch on %s: please ignore", r.Node)})
		if err != nil && said.missed("exit_status") {
			continue
		}
		if err == nil {
			err = &report.Failure{Kind: report.Misconfigured,
				Err: fmt.Errorf("%s: took a result without a state: is this Icinga 2?", object)}
		}
		return "", fmt.Errorf("icinga: %w", err)
	}
	return fmt.Sprintf("nothing changed: Icinga accepts passive results for %d services of %s: %s", len(names), i.c.host(r),
		strings.Join(names, ", ")), nil
}

// send sends one result.
func (i *Reporter) send(ctx context.Context, x result) error {
	_, err := i.ask(ctx, x)
	return err
}

// ask posts a result, and parses Icinga's verdict on its service.
func (i *Reporter) ask(ctx context.Context, x result) (said, error) {
	q := httpclient.Request{
		Method: http.MethodPost, URL: strings.TrimRight(i.c.URL, "/") + "/v1/actions/process-check-result",
		Header: http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}},
	}
	if i.c.User != "" {
		password, err := i.c.Password.Read()
		if err != nil {
			return said{}, &report.Failure{Kind: report.Misconfigured, Err: err}
		}
		basic := base64.StdEncoding.EncodeToString([]byte(i.c.User + ":" + password))
		q.Header.Set("Authorization", "Basic "+basic)
		q.Secrets = []string{password, basic}
	}
	var err error
	if q.Body, err = json.Marshal(x); err != nil {
		return said{}, &report.Failure{Kind: report.Partial, Err: err}
	}
	a, err := i.client.Do(ctx, q)
	s, readable := parse(a.Body)
	switch {
	case err != nil && (!readable || a.Code == http.StatusUnauthorized || a.Code == http.StatusTooManyRequests):
		return said{}, err
	case !readable:
		return said{}, componentsync.NotAPage(a, "Icinga 2's")
	}
	return s, s.failure(x.Service, a)
}
