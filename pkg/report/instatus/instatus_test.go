package instatus_test

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/instatus"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

const (
	key    = "5e1a7b0c9d8f4e3a2b1c"
	pageID = "ckf01fvnxywz60a35"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fake is an Instatus page: the permissions, and the accepted states.
type fake struct {
	*reporttest.Recorder
	components map[string]string
	busy       bool // the rate limit has been reached
}

func newFake(t *testing.T) (f *fake, url string) {
	t.Helper()
	f = &fake{components: map[string]string{"app": "OPERATIONAL", "disk": "OPERATIONAL"}}
	url, f.Recorder = reporttest.Record(t, f.answer)
	return f, url
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id, right := strings.CutPrefix(r.URL.Path, "/v1/"+pageID+"/components/")
	_, known := f.components[id]
	code := 200
	switch {
	case f.busy:
		code = 429
	case r.Header.Get("Authorization") != "Bearer "+key:
		code = 401
	case !right || !known:
		code = 404
	case r.Method == http.MethodPut:
		var x struct {
			Status string `json:"status"`
		}
		words := []string{"OPERATIONAL", "UNDERMAINTENANCE", "DEGRADEDPERFORMANCE", "PARTIALOUTAGE", "MINOROUTAGE", "MAJOROUTAGE"}
		if json.Unmarshal(body, &x) != nil || !slices.Contains(words, x.Status) || r.Header.Get("Content-Type") != "application/json" {
			code = 400
			break
		}
		f.components[id] = x.Status
	case r.Method != http.MethodGet:
		code = 405
	}
	if code != 200 {
		reporttest.Reply(code, `{"error":{"message":"no"}}`)(w, r)
		return
	}
	reporttest.JSON(w, code, map[string]any{"id": id, "name": "Node 2", "status": f.components[id], "showUptime": true, "group": nil})
}

func config(t *testing.T, url string) instatus.Config {
	t.Helper()
	c := instatus.Default()
	c.URL, c.Page, c.Token, c.Components = url, pageID, reporttest.Secret(t, key), map[string]string{"node": "app", "storage": "disk"}
	return c
}

func start(t *testing.T, c instatus.Config) *instatus.Reporter {
	t.Helper()
	r, err := instatus.New(c, reporttest.Client(t, httpclient.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestComponentsFollowTheNode(t *testing.T) {
	f, url := newFake(t)
	x := start(t, config(t, url))
	got := f.Transcript(t, func(r report.Report) error { return x.Report(t.Context(), r) }, reporttest.Outage()...)
	reporttest.Golden(t, *update, "components.txt", got)
}

func TestUnknownCanBeShownAsSomething(t *testing.T) {
	f, url := newFake(t)
	c := config(t, url)
	c.Unknown = "partial_outage"
	if err := start(t, c).Report(t.Context(), reporttest.At(0, "storage=unknown")); err != nil || f.components["disk"] != "PARTIALOUTAGE" {
		t.Errorf("shows %s, %v", f.components["disk"], err)
	}
}

func TestWhatThePageRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*instatus.Config, *fake)
		kind   report.FailureKind
		want   string
	}{
		"a wrong key": {func(c *instatus.Config, _ *fake) { c.Token = reporttest.Secret(t, "wrong-key") },
			report.Misconfigured, "401"},
		"another page":        {func(c *instatus.Config, _ *fake) { c.Page = "other" }, report.Misconfigured, "404"},
		"a lost key file":     {func(c *instatus.Config, _ *fake) { c.Token = "/nonexistent" }, report.Misconfigured, "secret"},
		"one wrong component": {func(c *instatus.Config, _ *fake) { c.Components["node"] = "gone" }, report.Partial, "component gone"},
		"too much":            {func(_ *instatus.Config, f *fake) { f.busy = true }, report.Throttled, "429"},
	} {
		t.Run(name, func(t *testing.T) {
			f, url := newFake(t)
			conf := config(t, url)
			c.change(&conf, f)
			err := start(t, conf).Report(t.Context(), reporttest.At(0, "storage=major_outage node=major_outage"))
			reporttest.WantFailure(t, err, c.kind, c.want)
		})
	}
}

func TestAPageThatShowsAnotherStateIsNotBelieved(t *testing.T) {
	url, _ := reporttest.Record(t, reporttest.Reply(200, `{"id":"app","status":"OPERATIONAL"}`))
	c := config(t, url)
	c.Components = map[string]string{"node": "app"}
	if err := start(t, c).Report(t.Context(), reporttest.At(0, "node=major_outage")); err == nil ||
		!strings.Contains(err.Error(), `was set to MAJOROUTAGE, and shows "OPERATIONAL"`) {
		t.Errorf("%v", err)
	}
}

func TestTestReadsAndChangesNothing(t *testing.T) {
	f, url := newFake(t)
	got, err := start(t, config(t, url)).Test(t.Context(), reporttest.At(0, "storage=major_outage"))
	if want := "read, nothing changed: node (app) shows OPERATIONAL, storage (disk) shows OPERATIONAL"; got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if asked := f.Lines(); strings.Contains(asked, "PUT") {
		t.Errorf("asked %s", asked)
	}
}

func TestHostileServers(t *testing.T) {
	reporttest.Run(t, reporttest.Trial{Secrets: []string{key}, Send: func(ctx context.Context, url string,
		client *httpclient.Client) error {
		r, err := instatus.New(config(t, url), client)
		if err != nil {
			t.Fatal(err)
		}
		return r.Report(ctx, reporttest.At(0, "storage=major_outage"))
	}})
}

func TestCheck(t *testing.T) {
	reporttest.CheckFields(t, func() instatus.Config { return config(t, "https://192.0.2.1") }, func(c instatus.Config) error {
		_, err := instatus.New(c, nil)
		return err
	}, map[string]func(*instatus.Config){
		"url":                 func(c *instatus.Config) { c.URL = "" },
		"page_id":             func(c *instatus.Config) { c.Page = "a?b" },
		"token_file":          func(c *instatus.Config) { c.Token = "" },
		"components":          func(c *instatus.Config) { c.Components = nil },
		"components.storage":  func(c *instatus.Config) { c.Components["storage"] = "" },
		"requests_per_minute": func(c *instatus.Config) { c.Requests = 0 },
		"unknown":             func(c *instatus.Config) { c.Unknown = "green" },
	})
}
