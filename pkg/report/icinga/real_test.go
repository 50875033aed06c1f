package icinga_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/icinga"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

func (d *daemon) trusting(pool *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

// shown is a service's latest result as Icinga stores it.
type shown struct {
	State int `json:"state"`
	Last  struct {
		Output string   `json:"output"`
		Perf   []string `json:"performance_data"`
		Source string   `json:"check_source"`
		Start  float64  `json:"execution_start"`
		Active bool     `json:"active"`
		TTL    float64  `json:"ttl"`
	} `json:"last_check_result"`
}

func (d *daemon) shows(t *testing.T, service string) shown {
	t.Helper()
	body := d.ask(t.Context(), t, http.MethodGet, "/v1/objects/services/node2!"+service, nil)
	defer func() { _ = body.Close() }()
	var answer struct {
		Results []struct {
			Attrs shown `json:"attrs"`
		} `json:"results"`
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil || len(answer.Results) != 1 {
		t.Fatalf("%+v, %v", answer, err)
	}
	return answer.Results[0].Attrs
}

// now returns a Report of the current time, because Icinga uses its own clock.
func now(severities ...report.Severity) report.Report {
	r := at(0, severities...)
	r.At = time.Now()
	return r
}

func (d *daemon) config(t *testing.T) icinga.Config {
	t.Helper()
	return config(t, d.url)
}

// The states arrive at a real Icinga, with their texts and times. Missing results are
// noticed when the last result is no longer fresh.
func TestARealIcinga(t *testing.T) {
	d := run(t)
	t.Run("states arrive", d.states)
	t.Run("test", d.tests)
	t.Run("refused", d.refuses)
	t.Run("client certificate", d.certificate)
	t.Run("older results", d.older)
	t.Run("silence", d.silence)
}

func (d *daemon) states(t *testing.T) {
	r := start(t, d.config(t), d.options())
	for want, severities := range [][]report.Severity{{report.Info}, {report.Warning}, {report.Critical, report.Warning}} {
		sent := now(severities...)
		if err := r.Report(t.Context(), sent); err != nil {
			t.Fatal(err)
		}
		got := d.shows(t, "storage")
		if got.State != want || got.Last.Source != "node2" || got.Last.TTL != 90 || got.Last.Active ||
			got.Last.Start != float64(sent.At.UnixMilli())/1000 {
			t.Errorf("%v: shows %+v, want state %d", severities, got, want)
		}
		if first, rest, _ := strings.Cut(got.Last.Output, "\n"); !strings.HasPrefix(first, "STORAGE ") ||
			strings.Count(rest, "\n") != len(severities)-1 {
			t.Errorf("says %q", got.Last.Output)
		}
	}
	if diff := cmp.Diff([]string{"info=0;;;0", "warning=1;;;0", "critical=1;;;0"}, d.shows(t, "nodewatch").Last.Perf); diff != "" {
		t.Error(diff)
	}
	unseen := now()
	unseen.Components[0].Status = report.Unknown
	if err := r.Report(t.Context(), unseen); err != nil || d.shows(t, "storage").State != 3 {
		t.Errorf("what cannot be seen shows %d, %v", d.shows(t, "storage").State, err)
	}
}

func (d *daemon) tests(t *testing.T) {
	before := d.shows(t, "storage")
	got, err := start(t, d.config(t), d.options()).Test(t.Context(), now())
	if err != nil || !strings.HasPrefix(got, "nothing changed") {
		t.Errorf("%q, %v", got, err)
	}
	if diff := cmp.Diff(before, d.shows(t, "storage")); diff != "" {
		t.Errorf("a test changed something: %s", diff)
	}
}

func (d *daemon) refuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*icinga.Config)
		kind   report.FailureKind
		want   string
	}{
		"a wrong password": {func(c *icinga.Config) { c.Password = reporttest.Secret(t, "wrong-word") }, report.Misconfigured, "401"},
		"no permission": {func(c *icinga.Config) { c.User, c.Password = "reader", reporttest.Secret(t, "lesen") },
			report.Misconfigured, "404"},
		"another host":       {func(c *icinga.Config) { c.Host = "node3" }, report.Misconfigured, "No objects found"},
		"one service is not": {func(c *icinga.Config) { c.Services["storage"] = "gone" }, report.Partial, "node2!gone"},
		"passive checks are off": {func(c *icinga.Config) { c.Services["storage"] = "no passive" }, report.Partial,
			"Passive checks are disabled"},
	} {
		conf := d.config(t)
		c.change(&conf)
		r := start(t, conf, d.options())
		err := r.Report(t.Context(), now(report.Critical))
		if got := report.FailureOf(err); got == nil || got.Kind != c.kind || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s with %q", name, err, c.kind, c.want)
		}
		if got, err := r.Test(t.Context(), now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the test says %q, %v", name, got, err)
		}
	}
	if err := start(t, d.config(t), httpclient.Options{}).Report(t.Context(), now()); err == nil {
		t.Error("a server with an unknown authority is trusted")
	}
}

func (d *daemon) certificate(t *testing.T) {
	c := d.config(t)
	c.User, c.Password = "", ""
	o := d.options()
	o.Cert, o.Key = d.file("node2.crt"), httpclient.SecretFile(d.file("node2.key"))
	if err := start(t, c, o).Report(t.Context(), now(report.Warning)); err != nil || d.shows(t, "storage").State != 1 {
		t.Errorf("shows %d, %v", d.shows(t, "storage").State, err)
	}
}

// A result older than the latest changes nothing, whatever the version responds: 2.13
// reports that it has accepted it.
func (d *daemon) older(t *testing.T) {
	r := start(t, d.config(t), d.options())
	if err := r.Report(t.Context(), now(report.Critical)); err != nil {
		t.Fatal(err)
	}
	old := now()
	old.At = old.At.Add(-time.Hour)
	err := r.Report(t.Context(), old)
	if f := report.FailureOf(err); f != nil && f.Kind != report.Stale {
		t.Errorf("%v", err)
	}
	if got := d.shows(t, "storage"); got.State != 2 {
		t.Errorf("an older result was taken: %+v", got)
	}
}

// silence waits for the event of Icinga's active check, which runs when no fresh
// result has arrived in the expected time.
func (d *daemon) silence(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	events := d.ask(ctx, t, http.MethodPost, "/v1/events", map[string]any{"queue": "silence", "types": []string{"CheckResult"}})
	defer func() { _ = events.Close() }()
	c := d.config(t)
	c.TTL = time.Second
	if err := start(t, c, d.options()).Report(t.Context(), now()); err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(events); ; {
		var e struct {
			Service string `json:"service"`
			Result  struct {
				Active bool   `json:"active"`
				State  int    `json:"state"`
				Output string `json:"output"`
			} `json:"check_result"`
		}
		if err := dec.Decode(&e); err != nil {
			t.Fatalf("no check of Icinga's own: %v", err)
		}
		if e.Service == "storage" && e.Result.Active {
			if e.Result.State != 3 || strings.TrimSpace(e.Result.Output) != "nodewatch is silent" {
				t.Errorf("%+v", e)
			}
			break
		}
	}
	stop()
	_, _ = io.Copy(io.Discard, events)
}
