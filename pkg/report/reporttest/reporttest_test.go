package reporttest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

const secret = "s3cr3t-word"

func ask(ctx context.Context, url string, client *httpclient.Client) (httpclient.Response, error) {
	return client.Do(ctx, httpclient.Request{
		Method: http.MethodPost, URL: url + "/hook", Body: []byte(secret), Secrets: []string{secret},
		Header: http.Header{"Authorization": {"Bearer " + secret}},
	})
}

// The client survives all of them; it treats every 200 as a success.
func TestTheClientSurvives(t *testing.T) {
	reporttest.Run(t, reporttest.Trial{Secrets: []string{secret}, Believes: true,
		Send: func(ctx context.Context, url string, client *httpclient.Client) error {
			_, err := ask(ctx, url, client)
			return err
		}})
}

// A reporter that parses responses detects invalid ones.
func TestAReaderSurvives(t *testing.T) {
	reporttest.Run(t, reporttest.Trial{Secrets: []string{secret},
		Send: func(ctx context.Context, url string, client *httpclient.Client) error {
			a, err := ask(ctx, url, client)
			if err == nil && string(a.Body) != "ok" {
				err = &report.Failure{Kind: report.Transient, Err: io.ErrUnexpectedEOF}
			}
			return err
		}})
}

func TestTheRecorderKeepsWhatItIsAsked(t *testing.T) {
	url, r := reporttest.Record(t, func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(w, q.Body) })
	client, err := httpclient.New(httpclient.Options{Agent: "nodewatch/1.0"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := ask(t.Context(), url, client)
	if err != nil || string(a.Body) != secret {
		t.Errorf("the handler answered %q, %v", a.Body, err)
	}
	got := r.Drain()
	if len(got) != 1 || got[0].Method != http.MethodPost || got[0].URL != "/hook" || string(got[0].Body) != secret ||
		got[0].Header.Get("User-Agent") != "nodewatch/1.0" {
		t.Errorf("%+v", got)
	}
	if len(r.Requests()) != 0 {
		t.Error("taken requests are kept")
	}
}

func TestLinesAndAccepted(t *testing.T) {
	codes := []int{202, 400, 204}
	url, r := reporttest.Record(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(codes[0])
		codes = codes[1:]
	})
	send := func(body string) {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/a?b=c", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
	}
	for _, body := range []string{"one", "two", "three"} {
		send(body)
	}
	if got, want := r.Accepted(), "one\nthree"; got != want {
		t.Errorf("accepted %q, want %q", got, want)
	}
	codes = []int{500, 200}
	send("four")
	send("")
	if got, want := r.Lines(), "PUT /a?b=c four\nPUT /a?b=c"; got != want {
		t.Errorf("lines %q, want %q", got, want)
	}
}

// A failed counts the errors of a check that is expected to fail.
type failed struct {
	testing.TB
	errors int
}

func (f *failed) Helper()               {}
func (f *failed) Errorf(string, ...any) { f.errors++ }

// A config is valid if its name is short and no other value is wrong.
type config struct{ name, other string }

func (c config) Check() error {
	switch {
	case len(c.name) > 5:
		return report.WrongField("name", "too long")
	case c.other != "":
		return errors.New("wrong")
	}
	return nil
}

func TestTheChecksFail(t *testing.T) {
	valid, create := func() config { return config{name: "node2"} }, config.Check
	long := func(c *config) { c.name = "node2.example.org" }
	for name, c := range map[string]struct {
		errors int
		check  func(f *failed)
	}{
		"a named field": {0, func(f *failed) { reporttest.CheckFields(f, valid, create, map[string]func(*config){"name": long}) }},
		"another field": {1, func(f *failed) { reporttest.CheckFields(f, valid, create, map[string]func(*config){"url": long}) }},
		"no field": {1, func(f *failed) {
			reporttest.CheckFields(f, valid, create, map[string]func(*config){"other": func(c *config) { c.other = "x" }})
		}},
		"nothing is wrong": {2, func(f *failed) {
			reporttest.CheckFields(f, valid, create, map[string]func(*config){"name": func(*config) {}})
		}},
		"created all the same": {1, func(f *failed) {
			reporttest.CheckFields(f, valid, func(config) error { return nil }, map[string]func(*config){"name": long})
		}},
		"the valid one is not": {1, func(f *failed) {
			reporttest.CheckFields(f, func() config { return config{other: "x"} }, create, nil)
		}},
		"the failure": {0, func(f *failed) {
			reporttest.WantFailure(f, &report.Failure{Kind: report.Stale, Err: io.EOF}, report.Stale, "EOF")
		}},
		"another kind": {1, func(f *failed) {
			reporttest.WantFailure(f, &report.Failure{Kind: report.Stale, Err: io.EOF}, report.Partial)
		}},
		"another text": {1, func(f *failed) {
			reporttest.WantFailure(f, &report.Failure{Kind: report.Stale, Err: io.EOF}, report.Stale, "401")
		}},
		"no failure":    {1, func(f *failed) { reporttest.WantFailure(f, nil, report.Stale) }},
		"a golden file": {1, func(f *failed) { reporttest.Golden(f, false, "golden.txt", "other\n") }},
		"the same file": {0, func(f *failed) { reporttest.Golden(f, false, "golden.txt", "golden\n") }},
	} {
		f := &failed{TB: t}
		if c.check(f); f.errors != c.errors {
			t.Errorf("%s: %d errors, want %d", name, f.errors, c.errors)
		}
	}
}
