package cachet_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/cachet"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func config(t *testing.T, url string, version int) cachet.Config {
	t.Helper()
	c := cachet.Default()
	c.URL, c.Version, c.Token, c.Components = url, version, reporttest.Secret(t, key), map[string]string{"node": "1", "storage": "7"}
	return c
}

func start(t *testing.T, c cachet.Config) *cachet.Reporter {
	t.Helper()
	r, err := cachet.New(c, reporttest.Client(t, httpclient.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestComponentsFollowTheNode(t *testing.T) {
	for _, version := range []int{2, 3} {
		f, url := newFake(t, version)
		x := start(t, config(t, url, version))
		got := f.Transcript(t, func(r report.Report) error {
			f.now = r.At
			return x.Report(t.Context(), r)
		}, reporttest.Outage()...)
		reporttest.Golden(t, *update, fmt.Sprintf("version%d.txt", version), got)
		if f.mails > 0 || f.hidden["1"] || f.hidden["7"] {
			t.Errorf("version %d: %d mails to subscribers, hidden %v", version, f.mails, f.hidden)
		}
	}
}

// Version 2 hides components without enabled, and shows the others.
func TestWhatIsHiddenStaysHidden(t *testing.T) {
	f, url := newFake(t, 2)
	f.hidden["7"] = true
	c := config(t, url, 2)
	c.Notify = true
	if err := start(t, c).Report(t.Context(), reporttest.At(0, "storage=major_outage node=major_outage")); err != nil {
		t.Fatal(err)
	}
	if f.hidden["1"] || !f.hidden["7"] || f.mails != 2 {
		t.Errorf("hidden %v, %d mails", f.hidden, f.mails)
	}
}

func TestUnknown(t *testing.T) {
	for _, c := range []struct {
		version int
		unknown string
		want    int
	}{{3, "unknown", 5}, {3, "skip", 1}, {3, "partial_outage", 3}, {2, "unknown", 1}, {2, "skip", 1}, {2, "degraded_performance", 2}} {
		f, url := newFake(t, c.version)
		conf := config(t, url, c.version)
		conf.Unknown = c.unknown
		if err := start(t, conf).Report(t.Context(), reporttest.At(0, "storage=unknown")); err != nil || f.status["7"] != c.want {
			t.Errorf("version %d, %s: shows %d, want %d; %v", c.version, c.unknown, f.status["7"], c.want, err)
		}
	}
}

func TestWhatThePageRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		version int
		change  func(*cachet.Config, *fake)
		kind    report.FailureKind
		want    string
	}{
		"2: a wrong token": {2, func(c *cachet.Config, _ *fake) { c.Token = reporttest.Secret(t, "wrong-token") },
			report.Misconfigured, "401"},
		"3: a wrong token": {3, func(c *cachet.Config, _ *fake) { c.Token = reporttest.Secret(t, "wrong-token") },
			report.Misconfigured, "401"},
		"3: a token without":     {3, func(_ *cachet.Config, f *fake) { f.able = false }, report.Misconfigured, "403"},
		"a lost token file":      {3, func(c *cachet.Config, _ *fake) { c.Token = "/nonexistent" }, report.Misconfigured, "secret"},
		"3 that is configured 2": {3, func(c *cachet.Config, _ *fake) { c.Version = 2 }, report.Misconfigured, "404"},
		"2 that is configured 3": {2, func(c *cachet.Config, _ *fake) { c.Version = 3 }, report.Misconfigured, "404"},
		"one component is gone":  {3, func(_ *cachet.Config, f *fake) { delete(f.status, "7") }, report.Partial, "component 7"},
		"3: 300 in a minute": {3, func(_ *cachet.Config, f *fake) { f.times = make([]time.Time, 300); fill(f.times) },
			report.Throttled, "429"},
		"2: a status it has not":  {2, func(_ *cachet.Config, f *fake) { f.version = 2; f.status["7"] = 0 }, "", ""},
		"3: answers with another": {3, func(_ *cachet.Config, f *fake) { f.first = true }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, url := newFake(t, c.version)
			conf := config(t, url, c.version)
			c.change(&conf, f)
			err := start(t, conf).Report(t.Context(), reporttest.At(0, "storage=major_outage node=major_outage"))
			if c.kind == "" {
				if err != nil || f.status["7"] != 4 || f.status["1"] != 4 {
					t.Errorf("%v, shows %v", err, f.status)
				}
				return
			}
			if got := reporttest.WantFailure(t, err, c.kind, c.want); c.kind == report.Throttled && got.After != time.Minute {
				t.Errorf("to wait %s", got.After)
			}
		})
	}
}

func fill(times []time.Time) {
	for n := range times {
		times[n] = reporttest.Noon
	}
}

func TestAPageThatShowsAnotherStateIsNotBelieved(t *testing.T) {
	for body, want := range map[string]string{
		`{"data":{"id":1,"status":1}}`:                    `was set to major_outage, and shows "operational"`,
		`{"data":{"id":2,"status":4}}`:                    "returned component 2",
		`{"data":{"id":1}}`:                               "the response is not a Cachet component",
		`{"data":{"id":"one","status":4}}`:                "the response is not a Cachet component",
		`{"data":{"id":1,"attributes":{"status":"bad"}}}`: "the response is not a Cachet component",
	} {
		url, _ := reporttest.Record(t, reporttest.Reply(200, body))
		c := config(t, url, 3)
		c.Components = map[string]string{"node": "1"}
		if err := start(t, c).Report(t.Context(), reporttest.At(0, "node=major_outage")); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestTestChangesNothingAndProvesTheToken(t *testing.T) {
	for _, version := range []int{2, 3} {
		f, url := newFake(t, version)
		f.status["7"] = 3
		got, err := start(t, config(t, url, version)).Test(t.Context(), reporttest.At(0, "storage=major_outage"))
		if want := "read, nothing changed: node (1) shows operational, storage (7) shows partial_outage; the token is valid"; got != want ||
			err != nil {
			t.Errorf("version %d: %q, %v", version, got, err)
		}
		if diff := cmp.Diff(map[string]int{"1": 1, "7": 3}, f.status); diff != "" || f.mails > 0 || f.hidden["1"] {
			t.Errorf("version %d: changed: %s, %d mails", version, diff, f.mails)
		}
		c := config(t, url, version)
		c.Token = reporttest.Secret(t, "wrong-token")
		if got, err := start(t, c).Test(t.Context(), reporttest.At(0, "")); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("version %d with a wrong token: %q, %v", version, got, err)
		}
	}
}

func TestHostileServers(t *testing.T) {
	for _, version := range []int{2, 3} {
		reporttest.Run(t, reporttest.Trial{Secrets: []string{key}, Send: func(ctx context.Context, url string,
			client *httpclient.Client) error {
			r, err := cachet.New(config(t, url, version), client)
			if err != nil {
				t.Fatal(err)
			}
			return r.Report(ctx, reporttest.At(0, "storage=major_outage"))
		}})
	}
}

func TestCheck(t *testing.T) {
	reporttest.CheckFields(t, func() cachet.Config { return config(t, "https://192.0.2.1/cachet", 3) }, func(c cachet.Config) error {
		_, err := cachet.New(c, nil)
		return err
	}, map[string]func(*cachet.Config){
		"url":                 func(c *cachet.Config) { c.URL = "status.example.org" },
		"version":             func(c *cachet.Config) { c.Version = 1 },
		"token_file":          func(c *cachet.Config) { c.Token = "" },
		"components":          func(c *cachet.Config) { c.Components = nil },
		"components.storage":  func(c *cachet.Config) { c.Components["storage"] = "seven" },
		"components.node":     func(c *cachet.Config) { c.Components["node"] = "01" },
		"requests_per_minute": func(c *cachet.Config) { c.Requests = 301 },
		"unknown":             func(c *cachet.Config) { c.Unknown = "under_maintenance" },
	})
	if err := config(t, "https://192.0.2.1/cachet", 2).Check(); err != nil {
		t.Error(err)
	}
}
