package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/report/webhook"
)

// Each preset's contract accepts the messages at the beginning of a storm, of 40
// findings at once, and after the end; golden files show them.
func TestEachContractTakesIt(t *testing.T) {
	for _, preset := range all {
		t.Run(preset, func(t *testing.T) {
			url, rec := reporttest.Record(t, backends()[preset].ServeHTTP)
			w := newReporter(t, config(t, preset, url), "")
			send(t, w, storm(t))
			send(t, w, quiet(t))
			send(t, newReporter(t, config(t, preset, url), ""), many(t, 40, "osd & <!channel> @everyone *bold* `code` is 遅い"))
			list := rec.Drain()
			if len(list) != 3 {
				t.Fatalf("%d requests for three reports", len(list))
			}
			for i, name := range []string{"raised", "cleared", "forty"} {
				q := list[i]
				reporttest.Golden(t, *update, preset+"."+name, shown(t, q.Method, q.URL, q.Header, q.Body))
			}
		})
	}
}

// A storm is one message, which lists the worst findings and counts the rest.
func TestAStormIsOneMessage(t *testing.T) {
	for _, preset := range all {
		url, rec := reporttest.Record(t, backends()[preset].ServeHTTP)
		send(t, newReporter(t, config(t, preset, url), ""), many(t, 40, "slow"))
		list := rec.Drain()
		if len(list) != 1 {
			t.Errorf("%s: %d requests", preset, len(list))
			continue
		}
		if preset != "json" && preset != "cloudevents" && !strings.Contains(string(list[0].Body), "and 37 more") {
			t.Errorf("%s: the rest is not counted: %s", preset, list[0].Body)
		}
	}
}

// A hostile server can only make the delivery fail.
func TestHostileServers(t *testing.T) {
	believing := []string{"json", "cloudevents", "template", "oncall", "betterstack"}
	for _, preset := range all {
		t.Run(preset, func(t *testing.T) {
			r, key, header := storm(t), reporttest.Secret(t, signKey), reporttest.Secret(t, "Key header-s3cr3t")
			reporttest.Run(t, reporttest.Trial{
				Secrets: []string{hookSecret, token, signKey, "header-s3cr3t"}, Believes: slices.Contains(believing, preset),
				Send: func(ctx context.Context, url string, client *httpclient.Client) error {
					c := config(t, preset, url)
					c.SignKey, c.HeaderFiles = key, map[string]httpclient.SecretFile{"X-Auth": header}
					w, err := webhook.New(c, client, reporttest.StateFile(t, "", "chat"))
					if err != nil {
						t.Fatal(err)
					}
					return w.Report(ctx, r)
				},
			})
		})
	}
}

// Of two requested waits the longer one counts.
func TestTheLongerRetryAfterCounts(t *testing.T) {
	for header, want := range map[string]time.Duration{"60": time.Minute, "1": 21 * time.Second} {
		url, _ := reporttest.Record(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			reporttest.Reply(429, `{"parameters":{"retry_after":21}}`)(w, nil)
		})
		f := report.FailureOf(newReporter(t, config(t, "telegram", url), "").Report(t.Context(), storm(t)))
		if f == nil || f.After != want {
			t.Errorf("Retry-After %s: %v, want %s", header, f, want)
		}
	}
}

// The response of a server that echoes every header is shown without the secrets.
func TestNoHeaderIsShown(t *testing.T) {
	url, _ := reporttest.Record(t, func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(400)
		for _, name := range []string{"X-Auth", "Authorization"} {
			_, _ = w.Write([]byte(q.Header.Get(name) + " "))
		}
	})
	c := config(t, "ntfy", url)
	c.HeaderFiles = map[string]httpclient.SecretFile{"X-Auth": reporttest.Secret(t, "Key header-s3cr3t")}
	w := newReporter(t, c, "")
	answer, err := w.Test(t.Context(), storm(t))
	if err == nil || strings.Contains(answer+err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "(hidden)") {
		t.Errorf("%q, %v", answer, err)
	}
}

// Codes of success that are failures, and requested waits in bodies.
func TestLyingAnswers(t *testing.T) {
	for _, c := range []struct {
		preset string
		code   int
		body   string
		kind   report.FailureKind // empty: taken
		after  time.Duration
	}{
		{"slack", 200, "ok", "", 0},
		{"slack", 200, "no_service", report.Misconfigured, 0},
		{"slack", 200, "", report.Misconfigured, 0},
		{"slack", 404, "no_service", report.Misconfigured, 0},
		{"mattermost", 200, "<html>", report.Misconfigured, 0},
		{"discord", 204, "", "", 0},
		{"discord", 200, `{"id":"1"}`, "", 0},
		{"discord", 200, "", report.Misconfigured, 0},
		{"discord", 429, `{"message":"You are being rate limited.","retry_after":0.64,"global":false}`, report.Throttled,
			640 * time.Millisecond},
		{"discord", 429, `{"retry_after":1e300}`, report.Throttled, time.Hour},
		{"discord", 429, `{"retry_after":-4}`, report.Throttled, 0},
		{"ntfy", 200, `{"id":"a","event":"message"}`, "", 0},
		{"ntfy", 200, `{"id":"a","event":"open"}`, report.Misconfigured, 0},
		{"ntfy", 200, `ok`, report.Misconfigured, 0},
		{"telegram", 200, `{"ok":true}`, "", 0},
		{"telegram", 200, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, report.Misconfigured, 0},
		{"telegram", 200, `{"ok":false,"error_code":429,"parameters":{"retry_after":21}}`, report.Throttled, 21 * time.Second},
		{"telegram", 429, `{"ok":false,"error_code":429,"parameters":{"retry_after":35}}`, report.Throttled, 35 * time.Second},
		{"incidentio", 202, `{"status":"success"}`, "", 0},
		{"incidentio", 200, `{"status":"ignored"}`, report.Misconfigured, 0},
		{"json", 204, "", "", 0},
	} {
		url, _ := reporttest.Record(t, reporttest.Reply(c.code, c.body))
		err := newReporter(t, config(t, c.preset, url), "").Report(t.Context(), storm(t))
		f := report.FailureOf(err)
		if c.kind == "" && err != nil || c.kind != "" && (f == nil || f.Kind != c.kind || f.After != c.after) {
			t.Errorf("%s: %d %s: %v, want %s after %s", c.preset, c.code, c.body, err, c.kind, c.after)
		}
	}
}

func TestTestIsMarkedAndHarmless(t *testing.T) {
	for _, preset := range all {
		url, rec := reporttest.Record(t, backends()[preset].ServeHTTP)
		w := newReporter(t, config(t, preset, url), "")
		answer, err := w.Test(t.Context(), storm(t))
		if err != nil || answer == "" {
			t.Errorf("%s: %q, %v", preset, answer, err)
			continue
		}
		list := rec.Drain()
		for i, q := range list {
			reporttest.Golden(t, *update, fmt.Sprintf("%s.test%d", preset, i), shown(t, q.Method, q.URL, q.Header, q.Body))
		}
		if again := report.FailureOf(w.Report(t.Context(), storm(t))); again != nil || len(rec.Drain()) != 1 {
			t.Errorf("%s: after the test nothing is told any more: %v", preset, again)
		}
	}
}

// In mode state every message has the whole report, also at the end.
func TestModeState(t *testing.T) {
	for _, preset := range []string{"json", "cloudevents", "template"} {
		url, rec := reporttest.Record(t, backends()[preset].ServeHTTP)
		c := config(t, preset, url)
		c.Mode = "state"
		if preset == "template" {
			c.Template = `{"node": {{json .Node}}, "worst": {{json .Finding.Summary}}, "final": {{json .Report.Final}}}`
		}
		w := newReporter(t, c, "")
		r := storm(t)
		send(t, w, r)
		r.At = r.At.Add(time.Minute)
		send(t, w, r)
		r.At, r.Final = r.At.Add(time.Second), "stopped"
		send(t, w, r)
		list := rec.Drain()
		if len(list) != 3 {
			t.Fatalf("%s: %d requests", preset, len(list))
		}
		reporttest.Golden(t, *update, preset+".state", shown(t, list[2].Method, list[2].URL, list[2].Header, list[2].Body))
		if list[0].Header.Get("X-Nodewatch-Id") == list[1].Header.Get("X-Nodewatch-Id") {
			t.Errorf("%s: two states with one id", preset)
		}
	}
}
