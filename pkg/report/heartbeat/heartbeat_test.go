package heartbeat_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/heartbeat"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// silentDown are the services that infer down from missing beats.
var silentDown = []string{"kener"}

// The node's state in each service for each impact; golden files show the beats.
func TestWhatTheServicesThink(t *testing.T) {
	for _, preset := range all {
		t.Run(preset, func(t *testing.T) {
			s := &service{contract: contracts()[preset]}
			url, rec := reporttest.Record(t, s.ServeHTTP)
			h := newReporter(t, config(t, preset, url))
			var all []reporttest.Request
			maintained := node(report.MajorOutage)
			maintained.Maintenance = &report.Maintenance{Until: at.Add(time.Hour), By: "alice", Reason: "new\nswitch"}
			for i, c := range []struct {
				r    report.Report
				want string
			}{
				{node(report.Operational), "up"}, {node(report.DegradedPerformance), "up"}, {node(report.Unknown), "up"},
				{node(report.UnderMaintenance), "up"},
				{node(report.PartialOutage), "down"}, {node(report.MajorOutage), "down"}, {maintained, "up"},
			} {
				s.node = ""
				c.r.At = at.Add(time.Duration(i) * time.Minute)
				if err := h.Report(t.Context(), c.r); err != nil {
					t.Fatalf("%s: %v", c.r.Status, err)
				}
				if c.want == "down" && slices.Contains(silentDown, preset) {
					c.want = ""
				}
				if s.node != c.want {
					t.Errorf("%s: the service thinks %q, want %q", c.r.Status, s.node, c.want)
				}
				all = append(all, rec.Drain()...)
			}
			reporttest.Golden(t, *update, preset+".txt", beats(all))
		})
	}
}

func TestDownFromAndUnknown(t *testing.T) {
	for _, c := range []struct {
		from    report.Impact
		unknown string
		status  report.Impact
		want    string
	}{
		{report.DegradedPerformance, "up", report.DegradedPerformance, "down"},
		{report.MajorOutage, "up", report.PartialOutage, "up"},
		{report.MajorOutage, "up", report.MajorOutage, "down"},
		{report.PartialOutage, "down", report.Unknown, "down"},
		{report.PartialOutage, "silent", report.Unknown, ""},
		{report.PartialOutage, "silent", report.Operational, "up"},
	} {
		s := &service{contract: kuma}
		url, _ := reporttest.Record(t, s.ServeHTTP)
		conf := config(t, "uptimekuma", url)
		conf.DownFrom, conf.Unknown = c.from, c.unknown
		if err := newReporter(t, conf).Report(t.Context(), node(c.status)); err != nil || s.node != c.want {
			t.Errorf("%+v: %q, %v", c, s.node, err)
		}
	}
}

// The full address, as the service shows it, also works.
func TestWholeAddresses(t *testing.T) {
	for preset, path := range map[string]string{
		"healthchecks": "/" + token, "uptimekuma": "/api/push/" + token + "?status=up&msg=OK&ping=",
		"betterstack": "/api/v1/heartbeat/" + token + "/",
		"oneuptime":   "/heartbeat/" + token, "kener": "/ext/heartbeat/rl1-node2/" + token,
	} {
		s := &service{contract: contracts()[preset]}
		url, _ := reporttest.Record(t, s.ServeHTTP)
		c := heartbeat.Default()
		c.Preset, c.URLFile = preset, reporttest.Secret(t, url+path)
		h := newReporter(t, c)
		if err := h.Report(t.Context(), node(report.Operational)); err != nil || s.node != "up" {
			t.Errorf("%s: %q, %v", preset, s.node, err)
		}
		r := node(report.MajorOutage)
		r.At = r.At.Add(time.Minute)
		s.node = ""
		if err := h.Report(t.Context(), r); err != nil || s.node != "down" && preset != "kener" {
			t.Errorf("%s: %q, %v", preset, s.node, err)
		}
	}
}

func TestHealthchecksBySlug(t *testing.T) {
	for slug, want := range map[string]report.FailureKind{"node2": "", "new": report.Misconfigured, "twice": report.Misconfigured} {
		s := &service{contract: healthchecks}
		url, _ := reporttest.Record(t, s.ServeHTTP)
		c := config(t, "healthchecks", url)
		c.Token, c.Slug = reporttest.Secret(t, "pingkey0000000000000001"), slug
		f := report.FailureOf(newReporter(t, c).Report(t.Context(), node(report.MajorOutage)))
		if want == "" && (f != nil || s.node != "down") || want != "" && (f == nil || f.Kind != want) {
			t.Errorf("%s: %v, %q", slug, f, s.node)
		}
		if c.Create = true; slug == "new" {
			if err := newReporter(t, c).Report(t.Context(), node(report.Operational)); err != nil || s.node != "up" {
				t.Errorf("created: %v, %q", err, s.node)
			}
		}
	}
}

// A stuck judge sends no beats: the same report again sends none.
func TestTheSameReportIsNoBeat(t *testing.T) {
	for _, preset := range all {
		url, rec := reporttest.Record(t, (&service{contract: contracts()[preset]}).ServeHTTP)
		h := newReporter(t, config(t, preset, url))
		if err := h.Report(t.Context(), node(report.Operational)); err != nil {
			t.Fatal(err)
		}
		f := report.FailureOf(h.Report(t.Context(), node(report.Operational)))
		if f == nil || f.Kind != report.Stale || len(rec.Drain()) != 1 {
			t.Errorf("%s: %v", preset, f)
		}
	}
}

// A shutdown is not down: the beats stop, and Healthchecks gets the reason.
func TestTheLastReport(t *testing.T) {
	for _, preset := range all {
		s := &service{contract: contracts()[preset]}
		url, rec := reporttest.Record(t, s.ServeHTTP)
		h := newReporter(t, config(t, preset, url))
		r := node(report.MajorOutage)
		r.Final = "nodewatch stops"
		if err := h.Report(t.Context(), r); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
		if s.node != "" {
			t.Errorf("%s: the service thinks %q", preset, s.node)
		}
		switch list := rec.Drain(); {
		case preset != "healthchecks" && len(list) > 0:
			t.Errorf("%s: %+v", preset, list)
		case preset == "healthchecks" && (len(list) != 1 || list[0].URL != "/"+token+"/log" ||
			string(list[0].Body) != "node2: nodewatch stops; the beats stop\n"):
			t.Errorf("%s: %+v", preset, list)
		}
	}
}

// At most five pings are sent a minute; repetitions leave one for new states.
func TestHealthchecksIsPingedAtMostFiveTimesAMinute(t *testing.T) {
	s := &service{contract: healthchecks}
	url, rec := reporttest.Record(t, s.ServeHTTP)
	h := newReporter(t, config(t, "healthchecks", url))
	for i := range 12 {
		r := node(report.Operational)
		r.At = at.Add(time.Duration(i) * 5 * time.Second)
		if err := h.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(rec.Drain()); n != 4 {
		t.Errorf("%d repetitions in a minute, want 4", n)
	}
	bad := node(report.MajorOutage)
	bad.At = at.Add(56 * time.Second)
	if err := h.Report(t.Context(), bad); err != nil || s.node != "down" {
		t.Errorf("what is new has no ping left: %v", err)
	}
	good := node(report.Operational)
	good.At = at.Add(58 * time.Second)
	f := report.FailureOf(h.Report(t.Context(), good))
	if f == nil || f.Kind != report.Throttled || f.After != 2*time.Second || s.node != "down" {
		t.Errorf("a sixth ping: %v", f)
	}
	good.At = at.Add(60 * time.Second)
	if err := h.Report(t.Context(), good); err != nil || s.node != "up" {
		t.Errorf("after the minute: %v, %q", err, s.node)
	}
}

// The length of the body is what the service last reported to store.
func TestTheBodyObeysPingBodyLimit(t *testing.T) {
	s := &service{contract: healthchecks, header: http.Header{}}
	url, rec := reporttest.Record(t, s.ServeHTTP)
	h := newReporter(t, config(t, "healthchecks", url))
	r := node(report.MajorOutage)
	r.Findings[0].Summary = strings.Repeat("é", 60_000)
	for i, c := range []struct {
		limit string
		most  int
	}{{"100", 10_000}, {"nonsense", 100}, {"-1", 100}, {"999999999", 100}, {"2", 100_000}, {"0", 0}, {"1000", 0}, {"", 1000}} {
		s.header["Ping-Body-Limit"] = []string{c.limit}
		r.At = at.Add(time.Duration(i) * time.Minute)
		if err := h.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		body := string(rec.Drain()[0].Body)
		if len(body) > c.most || len(body) < c.most-4 || strings.ToValidUTF8(body, "") != body {
			t.Errorf("answer %d: a body of %d bytes, want %d", i, len(body), c.most)
		}
	}
}

func TestLyingAnswers(t *testing.T) {
	for _, c := range []struct {
		preset string
		code   int
		body   string
		kind   report.FailureKind // empty: taken
	}{
		{"healthchecks", 200, "OK", ""},
		{"healthchecks", 201, "Created", ""},
		{"healthchecks", 200, "OK (not found)", report.Misconfigured},
		{"healthchecks", 200, "OK (rate limited)", report.Throttled},
		{"healthchecks", 409, "ambiguous slug", report.Misconfigured},
		{"uptimekuma", 200, `{"ok":true}`, ""},
		{"uptimekuma", 200, `{"ok":false,"msg":"x"}`, report.Misconfigured},
		{"uptimekuma", 404, `{"ok":false,"msg":"Monitor not found or not active."}`, report.Misconfigured},
		{"gatus", 200, "", ""},
		{"gatus", 200, "<html>", report.Misconfigured},
		{"gatus", 500, "database is locked", report.Transient},
		{"kener", 200, `{"status":"OK"}`, ""},
		{"kener", 200, `{"status":null}`, report.Misconfigured},
		{"kener", 200, `{"status":"x","error":"y"}`, report.Misconfigured},
		{"kener", 400, `{"error":"Invalid secret"}`, report.Misconfigured},
	} {
		url, _ := reporttest.Record(t, reporttest.Reply(c.code, c.body))
		f := report.FailureOf(newReporter(t, config(t, c.preset, url)).Report(t.Context(), node(report.Operational)))
		if c.kind == "" && f != nil || c.kind != "" && (f == nil || f.Kind != c.kind) {
			t.Errorf("%s: %d %s: %v, want %s", c.preset, c.code, c.body, f, c.kind)
		}
	}
}

func TestHostileServers(t *testing.T) {
	believing := []string{"betterstack", "oneuptime", "plain", "gatus"} // Gatus's success is an empty body
	for _, preset := range all {
		t.Run(preset, func(t *testing.T) {
			reporttest.Run(t, reporttest.Trial{
				Secrets: []string{token}, Believes: slices.Contains(believing, preset),
				Send: func(ctx context.Context, url string, client *httpclient.Client) error {
					h, err := heartbeat.New(config(t, preset, url), client)
					if err != nil {
						t.Fatal(err)
					}
					return h.Report(ctx, node(report.Operational))
				},
			})
		})
	}
}

func TestTest(t *testing.T) {
	for _, preset := range all {
		s := &service{contract: contracts()[preset]}
		url, rec := reporttest.Record(t, s.ServeHTTP)
		answer, err := newReporter(t, config(t, preset, url)).Test(t.Context(), node(report.Unknown))
		if err != nil || !strings.HasPrefix(answer, "20") || s.node == "down" {
			t.Errorf("%s: %q, %v; the service thinks %q", preset, answer, err, s.node)
		}
		if (preset == "healthchecks") != (s.node == "") {
			t.Errorf("%s: the service thinks %q", preset, s.node)
		}
		if strings.Contains(answer, "unverified") != (preset == "oneuptime") {
			t.Errorf("%s: %q", preset, answer)
		}
		reporttest.Golden(t, *update, preset+".test.txt", beats(rec.Drain()))
	}
}

// A wrong token is reported, for every service that rejects it.
func TestAWrongToken(t *testing.T) {
	for _, preset := range []string{"healthchecks", "uptimekuma", "gatus", "betterstack", "kener"} {
		url, _ := reporttest.Record(t, (&service{contract: contracts()[preset]}).ServeHTTP)
		c := config(t, preset, url)
		c.Token = reporttest.Secret(t, "an0ther-t0ken")
		f := report.FailureOf(newReporter(t, c).Report(t.Context(), node(report.Operational)))
		if f == nil || f.Kind != report.Misconfigured || strings.Contains(f.Error(), "an0ther") {
			t.Errorf("%s: %v", preset, f)
		}
	}
}

func TestSecretsThatCannotBeRead(t *testing.T) {
	for name, change := range map[string]func(*heartbeat.Config){
		"token":   func(c *heartbeat.Config) { c.Token = "/nonexistent/token" },
		"address": func(c *heartbeat.Config) { c.URL, c.Token, c.URLFile = "", "", "/nonexistent/url" },
		"scheme": func(c *heartbeat.Config) {
			c.URL, c.Token, c.URLFile = "", "", reporttest.Secret(t, "hc-ping.com/"+token)
		},
	} {
		c := config(t, "healthchecks", "https://192.0.2.1")
		change(&c)
		f := report.FailureOf(newReporter(t, c).Report(t.Context(), node(report.Operational)))
		if f == nil || f.Kind != report.Misconfigured || strings.Contains(f.Error(), token) {
			t.Errorf("%s: %v", name, f)
		}
	}
}
