package cachet_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/cachet"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient/httpclienttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// at is a Report so many minutes after noon; the words are "component=impact".
func at(minutes int, words string) report.Report {
	r := report.Report{Site: "rl1", Node: "node2", At: noon.Add(time.Duration(minutes) * time.Minute), Status: report.Operational}
	for word := range strings.FieldsSeq(words) {
		name, impact, _ := strings.Cut(word, "=")
		if name == "node" {
			r.Status = report.Impact(impact)
			continue
		}
		r.Components = append(r.Components, report.Component{Name: report.ComponentName(name), Status: report.Impact(impact)})
	}
	return r
}

func token(t *testing.T, text string) httpclient.SecretFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return httpclient.SecretFile(path)
}

func config(t *testing.T, url string, version int) cachet.Config {
	t.Helper()
	c := cachet.Default()
	c.URL, c.Version, c.Token, c.Components = url, version, token(t, key), map[string]string{"node": "1", "storage": "7"}
	return c
}

func start(t *testing.T, c cachet.Config) *cachet.Reporter {
	t.Helper()
	client, err := httpclient.New(httpclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := cachet.New(c, client)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestComponentsFollowTheNode(t *testing.T) {
	for _, version := range []int{2, 3} {
		f, url := newFake(t, version)
		r := start(t, config(t, url, version))
		var lines []string
		for n, now := range []string{
			"storage=operational", "storage=degraded_performance node=degraded_performance", "storage=partial_outage node=partial_outage",
			"storage=major_outage node=major_outage", "storage=unknown node=unknown", "storage=under_maintenance node=under_maintenance", "storage=operational",
		} {
			f.now = noon.Add(time.Duration(n) * time.Minute)
			if err := r.Report(t.Context(), at(n, now)); err != nil {
				t.Errorf("version %d: %s: %v", version, now, err)
			}
			lines = append(lines, strings.TrimSpace("# "+now+"\n"+f.take()))
		}
		path, got := filepath.Join("testdata", fmt.Sprintf("version%d.txt", version)), strings.Join(lines, "\n")+"\n"
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("version %d (-want +got):\n%s", version, diff)
		}
		if f.mails > 0 || f.hidden["1"] || f.hidden["7"] {
			t.Errorf("version %d: %d mails to subscribers, hidden %v", version, f.mails, f.hidden)
		}
	}
}

// Version 2 hides what is not said to be enabled, and shows what is.
func TestWhatIsHiddenStaysHidden(t *testing.T) {
	f, url := newFake(t, 2)
	f.hidden["7"] = true
	c := config(t, url, 2)
	c.Notify = true
	if err := start(t, c).Report(t.Context(), at(0, "storage=major_outage node=major_outage")); err != nil {
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
		if err := start(t, conf).Report(t.Context(), at(0, "storage=unknown")); err != nil || f.status["7"] != c.want {
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
		"2: a wrong token":        {2, func(c *cachet.Config, _ *fake) { c.Token = token(t, "wrong-token") }, report.Misconfigured, "401"},
		"3: a wrong token":        {3, func(c *cachet.Config, _ *fake) { c.Token = token(t, "wrong-token") }, report.Misconfigured, "401"},
		"3: a token without":      {3, func(_ *cachet.Config, f *fake) { f.able = false }, report.Misconfigured, "403"},
		"a lost token file":       {3, func(c *cachet.Config, _ *fake) { c.Token = "/nonexistent" }, report.Misconfigured, "secret"},
		"3 that is configured 2":  {3, func(c *cachet.Config, _ *fake) { c.Version = 2 }, report.Misconfigured, "404"},
		"2 that is configured 3":  {2, func(c *cachet.Config, _ *fake) { c.Version = 3 }, report.Misconfigured, "404"},
		"one component is gone":   {3, func(_ *cachet.Config, f *fake) { delete(f.status, "7") }, report.Partial, "component 7"},
		"3: 300 in a minute":      {3, func(_ *cachet.Config, f *fake) { f.times = make([]time.Time, 300); fill(f.times) }, report.Throttled, "429"},
		"2: a status it has not":  {2, func(_ *cachet.Config, f *fake) { f.version = 2; f.status["7"] = 0 }, "", ""},
		"3: answers with another": {3, func(_ *cachet.Config, f *fake) { f.first = true }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, url := newFake(t, c.version)
			conf := config(t, url, c.version)
			c.change(&conf, f)
			err := start(t, conf).Report(t.Context(), at(0, "storage=major_outage node=major_outage"))
			got := report.FailureOf(err)
			if c.kind == "" && (err != nil || f.status["7"] != 4 || f.status["1"] != 4) {
				t.Errorf("%v, shows %v", err, f.status)
			}
			if c.kind != "" && (got == nil || got.Kind != c.kind || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %s with %q", err, c.kind, c.want)
			}
			if c.kind == report.Throttled && got.After != time.Minute {
				t.Errorf("to wait %s", got.After)
			}
		})
	}
}

func fill(times []time.Time) {
	for n := range times {
		times[n] = noon
	}
}

func TestAPageThatShowsAnotherStateIsNotBelieved(t *testing.T) {
	for body, want := range map[string]string{
		`{"data":{"id":1,"status":1}}`:                    `was set to major_outage, and shows "operational"`,
		`{"data":{"id":2,"status":4}}`:                    "answered with component 2",
		`{"data":{"id":1}}`:                               "not the answer of a Cachet component",
		`{"data":{"id":"one","status":4}}`:                "not the answer of a Cachet component",
		`{"data":{"id":1,"attributes":{"status":"bad"}}}`: "not the answer of a Cachet component",
	} {
		url, _ := httpclienttest.Record(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		c := config(t, url, 3)
		c.Components = map[string]string{"node": "1"}
		if err := start(t, c).Report(t.Context(), at(0, "node=major_outage")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestTestChangesNothingAndProvesTheToken(t *testing.T) {
	for _, version := range []int{2, 3} {
		f, url := newFake(t, version)
		f.status["7"] = 3
		got, err := start(t, config(t, url, version)).Test(t.Context(), at(0, "storage=major_outage"))
		if want := "read, nothing changed: node (1) shows operational, storage (7) shows partial_outage; the token is valid"; got != want || err != nil {
			t.Errorf("version %d: %q, %v", version, got, err)
		}
		if diff := cmp.Diff(map[string]int{"1": 1, "7": 3}, f.status); diff != "" || f.mails > 0 || f.hidden["1"] {
			t.Errorf("version %d: changed: %s, %d mails", version, diff, f.mails)
		}
		c := config(t, url, version)
		c.Token = token(t, "wrong-token")
		if got, err := start(t, c).Test(t.Context(), at(0, "")); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("version %d with a wrong token: %q, %v", version, got, err)
		}
	}
}

func TestHostileServers(t *testing.T) {
	for _, version := range []int{2, 3} {
		httpclienttest.Run(t, httpclienttest.Trial{Secrets: []string{key}, Send: func(ctx context.Context, url string, client *httpclient.Client) error {
			r, err := cachet.New(config(t, url, version), client)
			if err != nil {
				t.Fatal(err)
			}
			return r.Report(ctx, at(0, "storage=major_outage"))
		}})
	}
}

func TestCheck(t *testing.T) {
	for field, change := range map[string]func(*cachet.Config){
		"url":                 func(c *cachet.Config) { c.URL = "status.example.org" },
		"version":             func(c *cachet.Config) { c.Version = 1 },
		"token_file":          func(c *cachet.Config) { c.Token = "" },
		"components":          func(c *cachet.Config) { c.Components = nil },
		"components.storage":  func(c *cachet.Config) { c.Components["storage"] = "seven" },
		"components.node":     func(c *cachet.Config) { c.Components["node"] = "01" },
		"requests_per_minute": func(c *cachet.Config) { c.Requests = 301 },
		"unknown":             func(c *cachet.Config) { c.Unknown = "under_maintenance" },
	} {
		c := config(t, "https://192.0.2.1", 3)
		change(&c)
		var wrong *report.FieldError
		if err := c.Check(); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
		if _, err := cachet.New(c, nil); err == nil {
			t.Errorf("%s: is taken", field)
		}
	}
	if err := config(t, "https://192.0.2.1/cachet", 2).Check(); err != nil {
		t.Error(err)
	}
}
