package instatus_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient/httpclienttest"
	"github.com/nodewatch/nodewatch/pkg/report/instatus"
)

const (
	key    = "5e1a7b0c9d8f4e3a2b1c"
	pageID = "ckf01fvnxywz60a35"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fake is a page of Instatus: who may ask, which words it takes.
type fake struct {
	components map[string]string
	asked      []string
	busy       bool // it has had enough requests
}

func newFake(t *testing.T) (*fake, string) {
	t.Helper()
	f := &fake{components: map[string]string{"app": "OPERATIONAL", "disk": "OPERATIONAL"}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.URL
}

func (f *fake) take() string {
	defer func() { f.asked = nil }()
	return strings.Join(f.asked, "\n")
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
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
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error":{"message":"no"}}`)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "name": "Node 2", "status": f.components[id], "showUptime": true, "group": nil})
}

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

func config(t *testing.T, url string) instatus.Config {
	t.Helper()
	c := instatus.Default()
	c.URL, c.Page, c.Token, c.Components = url, pageID, token(t, key), map[string]string{"node": "app", "storage": "disk"}
	return c
}

func start(t *testing.T, c instatus.Config) *instatus.Reporter {
	t.Helper()
	client, err := httpclient.New(httpclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := instatus.New(c, client)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestComponentsFollowTheNode(t *testing.T) {
	f, url := newFake(t)
	r := start(t, config(t, url))
	var lines []string
	for n, now := range []string{
		"storage=operational", "storage=degraded_performance node=degraded_performance", "storage=partial_outage node=partial_outage",
		"storage=major_outage node=major_outage", "storage=unknown node=unknown", "storage=under_maintenance node=under_maintenance", "storage=operational",
	} {
		if err := r.Report(t.Context(), at(n, now)); err != nil {
			t.Errorf("%s: %v", now, err)
		}
		lines = append(lines, strings.TrimSpace("# "+now+"\n"+f.take()))
	}
	path, got := filepath.Join("testdata", "components.txt"), strings.Join(lines, "\n")+"\n"
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
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnknownCanBeShownAsSomething(t *testing.T) {
	f, url := newFake(t)
	c := config(t, url)
	c.Unknown = "partial_outage"
	if err := start(t, c).Report(t.Context(), at(0, "storage=unknown")); err != nil || f.components["disk"] != "PARTIALOUTAGE" {
		t.Errorf("shows %s, %v", f.components["disk"], err)
	}
}

func TestWhatThePageRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*instatus.Config, *fake)
		kind   report.FailureKind
		want   string
	}{
		"a wrong key":         {func(c *instatus.Config, _ *fake) { c.Token = token(t, "wrong-key") }, report.Misconfigured, "401"},
		"another page":        {func(c *instatus.Config, _ *fake) { c.Page = "other" }, report.Misconfigured, "404"},
		"a lost key file":     {func(c *instatus.Config, _ *fake) { c.Token = "/nonexistent" }, report.Misconfigured, "secret"},
		"one wrong component": {func(c *instatus.Config, _ *fake) { c.Components["node"] = "gone" }, report.Partial, "component gone"},
		"too much":            {func(_ *instatus.Config, f *fake) { f.busy = true }, report.Throttled, "429"},
	} {
		t.Run(name, func(t *testing.T) {
			f, url := newFake(t)
			conf := config(t, url)
			c.change(&conf, f)
			err := start(t, conf).Report(t.Context(), at(0, "storage=major_outage node=major_outage"))
			if got := report.FailureOf(err); got == nil || got.Kind != c.kind || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s with %q", err, c.kind, c.want)
			}
		})
	}
}

func TestAPageThatShowsAnotherStateIsNotBelieved(t *testing.T) {
	url, _ := httpclienttest.Record(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"app","status":"OPERATIONAL"}`)
	})
	c := config(t, url)
	c.Components = map[string]string{"node": "app"}
	if err := start(t, c).Report(t.Context(), at(0, "node=major_outage")); err == nil || !strings.Contains(err.Error(), `was set to MAJOROUTAGE, and shows "OPERATIONAL"`) {
		t.Errorf("%v", err)
	}
}

func TestTestReadsAndChangesNothing(t *testing.T) {
	f, url := newFake(t)
	got, err := start(t, config(t, url)).Test(t.Context(), at(0, "storage=major_outage"))
	if want := "read, nothing changed: node (app) shows OPERATIONAL, storage (disk) shows OPERATIONAL"; got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if asked := f.take(); strings.Contains(asked, "PUT") {
		t.Errorf("asked %s", asked)
	}
}

func TestHostileServers(t *testing.T) {
	httpclienttest.Run(t, httpclienttest.Trial{Secrets: []string{key}, Send: func(ctx context.Context, url string, client *httpclient.Client) error {
		r, err := instatus.New(config(t, url), client)
		if err != nil {
			t.Fatal(err)
		}
		return r.Report(ctx, at(0, "storage=major_outage"))
	}})
}

func TestCheck(t *testing.T) {
	for field, change := range map[string]func(*instatus.Config){
		"url":                 func(c *instatus.Config) { c.URL = "" },
		"page_id":             func(c *instatus.Config) { c.Page = "a?b" },
		"token_file":          func(c *instatus.Config) { c.Token = "" },
		"components":          func(c *instatus.Config) { c.Components = nil },
		"components.storage":  func(c *instatus.Config) { c.Components["storage"] = "" },
		"requests_per_minute": func(c *instatus.Config) { c.Requests = 0 },
		"unknown":             func(c *instatus.Config) { c.Unknown = "green" },
	} {
		c := config(t, "https://192.0.2.1")
		change(&c)
		var wrong *report.FieldError
		if err := c.Check(); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
		if _, err := instatus.New(c, nil); err == nil {
			t.Errorf("%s: is taken", field)
		}
	}
	if err := config(t, "https://192.0.2.1").Check(); err != nil {
		t.Error(err)
	}
}
