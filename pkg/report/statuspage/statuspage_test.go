package statuspage_test

import (
	"context"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/report/statuspage"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func config(t *testing.T, url string) statuspage.Config {
	t.Helper()
	c := statuspage.Default()
	c.URL, c.Page, c.Token = url, pageID, reporttest.Secret(t, key)
	c.Components = map[string]string{"node": "ftgks51sfs2d", "storage": "b0lbrjvgnqpc"}
	return c
}

func start(t *testing.T, c statuspage.Config) *statuspage.Reporter {
	t.Helper()
	r, err := statuspage.New(c, reporttest.Client(t, httpclient.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func two() map[string]string {
	return map[string]string{"ftgks51sfs2d": "operational", "b0lbrjvgnqpc": "operational"}
}

// The requests to the page during an outage, from its start to its end.
func TestComponentsFollowTheNode(t *testing.T) {
	f, url := newFake(t, two())
	got := f.Transcript(t, f.deliver(t, start(t, config(t, url))), reporttest.Outage()...)
	reporttest.Golden(t, *update, "components.txt", got)
	if diff := cmp.Diff(two(), f.components); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownCanBeShownAsSomething(t *testing.T) {
	f, url := newFake(t, two())
	c := config(t, url)
	c.Unknown = "degraded_performance"
	if err := start(t, c).Report(t.Context(), reporttest.At(0, "storage=unknown")); err != nil {
		t.Fatal(err)
	}
	if got := f.components["b0lbrjvgnqpc"]; got != "degraded_performance" {
		t.Errorf("shows %s", got)
	}
}

// Each rule of the page rejects requests as the API does, and the failure states the
// remedy.
func TestWhatThePageRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*statuspage.Config, *fake)
		kind   report.FailureKind
		want   string
	}{
		"a wrong key": {func(c *statuspage.Config, _ *fake) { c.Token = reporttest.Secret(t, "wrong-key") },
			report.Misconfigured, "401"},
		"another page":    {func(c *statuspage.Config, _ *fake) { c.Page = "other" }, report.Misconfigured, "404"},
		"a lost key file": {func(c *statuspage.Config, _ *fake) { c.Token = "/nonexistent" }, report.Misconfigured, "secret"},
		"one wrong component": {func(c *statuspage.Config, _ *fake) {
			c.Components = map[string]string{"node": "ftgks51sfs2d", "storage": "gone"}
		}, report.Partial, "component gone"},
		"too much, 420": {func(_ *statuspage.Config, f *fake) { f.limit, f.limitCode = 1, 420 }, report.Throttled, "420"},
		"too much, 429": {func(_ *statuspage.Config, f *fake) { f.limit = 1 }, report.Throttled, "429"},
	} {
		t.Run(name, func(t *testing.T) {
			f, url := newFake(t, two())
			conf := config(t, url)
			c.change(&conf, f)
			err := start(t, conf).Report(t.Context(), reporttest.At(0, "storage=major_outage node=major_outage"))
			got := reporttest.WantFailure(t, err, c.kind, "statuspage: ", c.want)
			if c.kind == report.Throttled && (got.After < time.Minute || got.After > 2*time.Minute) {
				t.Errorf("to wait %s", got.After)
			}
		})
	}
}

// Ten nodes that share a key change at the same time and retry as soon as they may;
// the page throttles none of them.
func TestAFleetStaysUnderTheLimit(t *testing.T) {
	components := map[string]string{}
	f, url := newFake(t, components)
	var fleet []*statuspage.Reporter
	for n := range 10 {
		c := config(t, url)
		c.Components = map[string]string{}
		for _, name := range []string{"node", "storage", "network", "guests"} {
			id := name + string(rune('0'+n))
			c.Components[name], components[id] = id, "operational"
		}
		fleet = append(fleet, start(t, c))
	}
	left := len(fleet)
	for second := 0; left > 0 && second < 300; second += 5 {
		now := time.Duration(second) * time.Second
		f.now = reporttest.Noon.Add(now)
		left = 0
		for _, r := range fleet {
			err := r.Report(t.Context(), reporttest.At(now,
				"node=major_outage storage=major_outage network=partial_outage guests=degraded_performance"))
			if err != nil {
				left++
			}
			if err != nil && !strings.Contains(err.Error(), "limited to 6 requests per minute") {
				t.Fatalf("after %s: %v", now, err)
			}
		}
	}
	for id, shows := range f.components {
		if shows == "operational" {
			t.Errorf("%s was never told", id)
		}
	}
}

func TestAnAnswerThatOnlyLooksLikeSuccess(t *testing.T) {
	for _, body := range []string{
		`{"id":"ftgks51sfs2d","status":"operational"}`, // another state
		`{"id":"x","status":"major_outage"}`,           // another component
	} {
		url, _ := reporttest.Record(t, reporttest.Reply(200, body))
		c := config(t, url)
		c.Components = map[string]string{"node": "ftgks51sfs2d"}
		err := start(t, c).Report(t.Context(), reporttest.At(0, "node=major_outage"))
		reporttest.WantFailure(t, err, report.Misconfigured)
	}
}

func TestTestReadsAndChangesNothing(t *testing.T) {
	f, url := newFake(t, two())
	now := reporttest.At(0, "storage=major_outage")
	now.Test = true
	got, err := start(t, config(t, url)).Test(t.Context(), now)
	want := "read, nothing changed: node (ftgks51sfs2d) shows operational, storage (b0lbrjvgnqpc) shows operational"
	if got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if asked := f.Lines(); strings.Contains(asked, "PATCH") || strings.Contains(asked, "POST") {
		t.Errorf("asked %s", asked)
	}
	c := config(t, url)
	c.Token = reporttest.Secret(t, "wrong-key")
	if got, err := start(t, c).Test(t.Context(), now); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a wrong key: %q, %v", got, err)
	}
}

func TestHostileServers(t *testing.T) {
	for name, words := range map[string]string{"bad": "node=major_outage storage=major_outage", "fine": "storage=operational"} {
		t.Run(name, func(t *testing.T) {
			reporttest.Run(t, reporttest.Trial{Secrets: []string{key}, Send: func(ctx context.Context, url string,
				client *httpclient.Client) error {
				c := config(t, url)
				c.Incidents, c.Name = true, "Node 2"
				r, err := statuspage.New(c, client)
				if err != nil {
					t.Fatal(err)
				}
				return r.Report(ctx, reporttest.At(0, words))
			}})
		})
	}
}

func TestCheck(t *testing.T) {
	reporttest.CheckFields(t, func() statuspage.Config { return config(t, "https://192.0.2.1/v1") }, func(c statuspage.Config) error {
		_, err := statuspage.New(c, nil)
		return err
	}, map[string]func(*statuspage.Config){
		"url":                 func(c *statuspage.Config) { c.URL = "ftp://192.0.2.1" },
		"page_id":             func(c *statuspage.Config) { c.Page = "a/b" },
		"token_file":          func(c *statuspage.Config) { c.Token = "" },
		"components":          func(c *statuspage.Config) { c.Components = nil },
		"components.disk":     func(c *statuspage.Config) { c.Components = map[string]string{"disk": "x"} },
		"requests_per_minute": func(c *statuspage.Config) { c.Requests = 61 },
		"unknown":             func(c *statuspage.Config) { c.Unknown = "operational" },
		"public_name":         func(c *statuspage.Config) { c.Incidents = true },
		"incident_from":       func(c *statuspage.Config) { c.Incidents, c.Name, c.From = true, "Node 2", "operational" },
		"titles.broken": func(c *statuspage.Config) {
			c.Incidents, c.Name, c.Titles = true, "Node 2", map[string]string{"broken": "x"}
		},
		"texts.operational": func(c *statuspage.Config) {
			c.Incidents, c.Name, c.Texts = true, "Node 2", map[string]string{"operational": " "}
		},
		"titles": func(c *statuspage.Config) { c.Incidents, c.Name = true, strings.Repeat("é", 250) },
		"texts": func(c *statuspage.Config) {
			c.Incidents, c.Name, c.Texts = true, "Node 2", map[string]string{"major_outage": strings.Repeat("{name}", 5000)}
		},
	})
}
