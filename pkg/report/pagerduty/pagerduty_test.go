package pagerduty_test

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
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient/httpclienttest"
	"github.com/nodewatch/nodewatch/pkg/report/pagerduty"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// at is a Report so many minutes after noon with a finding for each word
// "rule/subject=severity".
func at(minutes int, words string) report.Report {
	r := report.Report{
		Site: "rl1", Node: "node2", At: noon.Add(time.Duration(minutes) * time.Minute), Status: report.Operational, Version: "1.2.0",
		Components: []report.Component{{Name: "storage", Status: report.Operational, State: report.Seen}},
	}
	for word := range strings.FieldsSeq(words) {
		name, severity, _ := strings.Cut(word, "=")
		rule, subject, _ := strings.Cut(name, "/")
		r.Findings = append(r.Findings, report.Finding{
			Rule: rule, Subject: subject, Component: "storage", Severity: report.Severity(severity), Impact: report.MajorOutage,
			State: report.Seen, Since: noon, Summary: "disk I/O hangs on " + subject,
		})
	}
	return r
}

func secret(t *testing.T, text string) httpclient.SecretFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "routing.key")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return httpclient.SecretFile(path)
}

func config(t *testing.T, url string) pagerduty.Config {
	t.Helper()
	c := pagerduty.Default()
	c.URL, c.Key = url, secret(t, key)
	return c
}

func start(t *testing.T, c pagerduty.Config, kept statefile.File) *pagerduty.Reporter {
	t.Helper()
	client, err := httpclient.New(httpclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := pagerduty.New(c, client, kept)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func kept(t *testing.T, dir string) statefile.File {
	t.Helper()
	f, err := statefile.In(dir, "oncall")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func deliverTo(t *testing.T, p *pagerduty.Reporter, r report.Report) {
	t.Helper()
	if err := p.Report(t.Context(), r); err != nil {
		t.Errorf("%s: %v", r.At.Format(time.TimeOnly), err)
	}
}

// gist is what was sent: action, key without what is common, severity.
func (f *fake) gist(t *testing.T) string {
	t.Helper()
	var words []string
	for line := range strings.Lines(f.take()) {
		var x taken
		if err := jsonOf(line, &x); err != nil {
			t.Fatal(err)
		}
		word := x.Action + " " + strings.TrimPrefix(x.DedupKey, "nodewatch/rl1/node2/finding/")
		if x.Payload != nil {
			word += " " + x.Payload.Severity
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func TestOnlyChangesAndWorseningAreSent(t *testing.T) {
	f, url := newFake(t)
	p := start(t, config(t, url), statefile.File{})
	for n, step := range []struct{ now, want string }{
		{"", ""},
		{"storm/client1=warning", "trigger storm/client1 warning"},
		{"storm/client1=warning", ""},
		{"storm/client1=warning disk/sda=info hung=critical", "trigger hung/ critical, trigger disk/sda info"},
		{"storm/client1=critical disk/sda=info hung=critical", "trigger storm/client1 critical"},
		{"storm/client1=warning disk/sda=info hung=critical", ""}, // less bad pages nobody
		{"storm/client1=critical disk/sda=info", "trigger storm/client1 critical, resolve hung/"},
		{"", "resolve disk/sda, resolve storm/client1"},
		{"", ""},
	} {
		deliverTo(t, p, at(n, step.now))
		if got := f.gist(t); got != step.want {
			t.Errorf("minute %d, %s: sent %q, want %q", n, step.now, got, step.want)
		}
	}
	if f.pages != 3 || len(f.alerts) != 0 {
		t.Errorf("%d pages, open %v", f.pages, f.alerts)
	}
}

// What another finding explains pages nobody; an alert that is open is resolved when
// its finding clears.
func TestWhatIsExplainedPagesNobody(t *testing.T) {
	f, url := newFake(t)
	p := start(t, config(t, url), statefile.File{})
	for n, step := range []struct{ now, explained, want string }{
		{"stalled=warning", "", "trigger stalled/ warning"},
		{"storm=critical stalled=critical crc=warning", "stalled crc", "trigger storm/ critical"},
		{"storm=critical crc=warning", "crc", "resolve stalled/"},
		{"crc=warning", "", "trigger crc/ warning, resolve storm/"},
	} {
		r := at(n, step.now)
		for i := range r.Findings {
			if strings.Contains(step.explained, r.Findings[i].Rule) {
				r.Findings[i].ExplainedBy = []report.Ref{{Rule: "storm"}}
			}
		}
		deliverTo(t, p, r)
		if got := f.gist(t); got != step.want {
			t.Errorf("minute %d: sent %q, want %q", n, got, step.want)
		}
	}
}

func full() report.Report {
	r := at(1, "krbd-retry-storm/client4242=critical")
	r.Labels = report.Labels{"rack": "7", "switch": "sw1"}
	f := &r.Findings[0]
	f.State, f.LastSeen = report.Blind, noon.Add(30*time.Second)
	f.Since = noon.Add(-90*time.Second + 250*time.Millisecond)
	f.Evidence = []report.Evidence{{Source: "kmsg", Subject: "osd12", Fact: "41 bad crc lines in 10 s", At: noon}, {Source: "links", Fact: "1.2e6 drops/s", At: noon}}
	f.Against = []report.Evidence{{Source: "ceph", Fact: "no slow requests", At: noon}}
	f.Advice = []report.Advice{{Do: "See what hangs", Command: "cat /sys/kernel/debug/ceph/*/osdc"}, {Do: "Fix the bond's hash policy"}}
	f.Runbook = "https://docs.example.org/runbooks/krbd-retry-storm"
	return r
}

func TestTheWholeEvent(t *testing.T) {
	f, url := newFake(t)
	c := config(t, url)
	c.ClientURL, c.Severities = "http://192.0.2.2:10090", map[string]string{"critical": "error"}
	p := start(t, c, statefile.File{})
	deliverTo(t, p, full())
	deliverTo(t, p, at(2, ""))
	path, got := filepath.Join("testdata", "events.json"), f.take()+"\n"
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

// Whatever is found, the event stays within the limits of the API, and what
// differs only beyond them stays two alerts.
func TestLimits(t *testing.T) {
	f, url := newFake(t)
	p := start(t, config(t, url), statefile.File{})
	long := strings.Repeat("\x01ö", 50000)
	r := at(0, "storm/a=critical storm/b=critical")
	for n := range r.Findings {
		x := &r.Findings[n]
		x.Subject, x.Summary, x.Runbook, x.Rule, x.Component = long+x.Subject, long, "https://"+long, long, report.ComponentName(long)
		for range 1000 {
			x.Evidence = append(x.Evidence, report.Evidence{Source: long, Subject: long, Fact: long})
			x.Advice = append(x.Advice, report.Advice{Do: long, Command: long})
		}
		x.Against = x.Evidence
	}
	r.Labels = report.Labels{}
	for n := range 100 {
		r.Labels[fmt.Sprint(n)] = long
	}
	deliverTo(t, p, r)
	if f.pages != 2 {
		t.Errorf("%d pages", f.pages)
	}
	for k := range f.alerts {
		if len(k) != 255 || !strings.HasPrefix(k, "nodewatch/rl1/node2/finding/") {
			t.Errorf("key of %d bytes: %s", len(k), k)
		}
	}
}

// What was taken is not sent again, and what was not is.
func TestFailuresHalfWay(t *testing.T) {
	for _, c := range []struct {
		code int
		kind report.FailureKind
	}{{429, report.Throttled}, {500, report.Transient}, {503, report.Transient}, {403, report.Misconfigured}} {
		f, url := newFake(t)
		p := start(t, config(t, url), statefile.File{})
		f.fail = []int{0, c.code}
		now := at(0, "hung=critical storm/client1=warning disk/sda=info")
		if got := report.FailureOf(p.Report(t.Context(), now)); got == nil || got.Kind != c.kind {
			t.Errorf("%d: %v", c.code, got)
		}
		deliverTo(t, p, now)
		if got, want := f.gist(t), "trigger hung/ critical, trigger storm/client1 warning, trigger disk/sda info"; got != want {
			t.Errorf("%d: sent %q, want %q", c.code, got, want)
		}
	}
}

func TestWhatTheAPIDoesNotTakeIsNotSentAgain(t *testing.T) {
	f, url := newFake(t)
	p := start(t, config(t, url), statefile.File{})
	odd := "nodewatch/rl1/node2/finding/storm/client1"
	f.garble = map[string]bool{odd: true}
	err := p.Report(t.Context(), at(0, "hung=critical storm/client1=warning"))
	if got := report.FailureOf(err); got == nil || got.Kind != report.Partial || !strings.Contains(err.Error(), odd) || !strings.Contains(err.Error(), "'payload' is odd") {
		t.Errorf("%v", err)
	}
	deliverTo(t, p, at(1, "hung=critical storm/client1=warning"))
	if err := p.Report(t.Context(), at(2, "hung=critical storm/client1=critical")); err == nil {
		t.Error("what is another event now was not tried")
	}
	f.garble = nil
	deliverTo(t, p, at(3, "hung=critical"))
	deliverTo(t, p, at(4, "hung=critical storm/client1=critical"))
	if got, want := f.gist(t), "trigger hung/ critical, trigger storm/client1 critical"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	f.garble = map[string]bool{odd: true}
	if err := p.Report(t.Context(), at(5, "hung=critical")); err == nil {
		t.Error("a resolve that is refused is not reported")
	}
	deliverTo(t, p, at(6, "hung=critical"))
}

// What was refused once and taken then pages again whenever it gets worse.
func TestARefusalIsForgottenOnceTaken(t *testing.T) {
	f, url := newFake(t)
	p := start(t, config(t, url), statefile.File{})
	f.garble = map[string]bool{"nodewatch/rl1/node2/finding/disk/sdb": true}
	if err := p.Report(t.Context(), at(0, "disk/sdb=info")); err == nil {
		t.Fatal("is not refused")
	}
	f.garble = nil
	for minute, severity := range []string{"warning", "info", "warning"} {
		deliverTo(t, p, at(minute, "disk/sdb="+severity))
	}
	if got, want := f.gist(t), "trigger disk/sdb warning, trigger disk/sdb warning"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestWhatIsTooLargeIsForgottenWhenItIsGone(t *testing.T) {
	f, url := newFake(t)
	p := start(t, config(t, url), statefile.File{})
	f.fail = []int{413}
	if got := report.FailureOf(p.Report(t.Context(), at(0, "hung=critical"))); got == nil || got.Kind != report.Partial {
		t.Errorf("%v", got)
	}
	for minute, words := range []string{"hung=critical", "", "hung=critical"} {
		deliverTo(t, p, at(minute, words))
	}
	if got, want := f.gist(t), "trigger hung/ critical"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestAWrongKey(t *testing.T) {
	_, url := newFake(t)
	for text, want := range map[string]string{"short": "5 characters", strings.Repeat("x", 32): "Invalid routing key"} {
		c := config(t, url)
		c.Key = secret(t, text)
		err := start(t, c, statefile.File{}).Report(t.Context(), at(0, "hung=critical"))
		if got := report.FailureOf(err); got == nil || got.Kind != report.Misconfigured || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), text) && text != "short" {
			t.Errorf("%v", err)
		}
	}
}

func TestAStormIsSentInPortions(t *testing.T) {
	f, url := newFake(t)
	p := start(t, config(t, url), statefile.File{})
	var words strings.Builder
	for n := range 120 {
		fmt.Fprintf(&words, "hung/vm%d=critical ", n)
	}
	for n, want := range []int{50, 100, 120} {
		err := p.Report(t.Context(), at(n, words.String()))
		if got := report.FailureOf(err); (want == 120) != (err == nil) || err != nil && got.Kind != report.Throttled || f.pages != want {
			t.Errorf("delivery %d: %d pages, %v", n, f.pages, err)
		}
	}
}

func TestTestPagesAndResolvesAtOnce(t *testing.T) {
	f, url := newFake(t)
	r := at(0, "hung=critical")
	r.Test = true
	got, err := start(t, config(t, url), statefile.File{}).Test(t.Context(), r)
	if err != nil || !strings.HasPrefix(got, "202") {
		t.Errorf("%q, %v", got, err)
	}
	sent := f.take()
	if strings.Count(sent, "\n") != 1 || !strings.Contains(sent, "TEST from nodewatch on node2: please ignore") || !strings.Contains(sent, `"severity":"info"`) || len(f.alerts) != 0 || f.pages != 1 {
		t.Errorf("sent %s, open %v", sent, f.alerts)
	}
	f.fail = []int{0, 500}
	if got, err := start(t, config(t, url), statefile.File{}).Test(t.Context(), r); err == nil || !strings.Contains(err.Error(), "resolve") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOnly202IsASuccess(t *testing.T) {
	for code, body := range map[int]string{
		200: `{"status":"success","dedup_key":"nodewatch/rl1/node2/finding/hung/"}`,
		201: `{}`,
		202: `{"status":"success","dedup_key":"another"}`,
	} {
		url, _ := httpclienttest.Record(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		})
		err := start(t, config(t, url), statefile.File{}).Report(t.Context(), at(0, "hung=critical"))
		if got := report.FailureOf(err); got == nil || got.Kind != report.Misconfigured || !strings.Contains(err.Error(), "not the answer of PagerDuty") {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestHostileServers(t *testing.T) {
	httpclienttest.Run(t, httpclienttest.Trial{Secrets: []string{key}, Send: func(ctx context.Context, url string, client *httpclient.Client) error {
		p, err := pagerduty.New(config(t, url), client, statefile.File{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Report(ctx, full())
	}})
}

func TestCheck(t *testing.T) {
	for field, change := range map[string]func(*pagerduty.Config){
		"url":                func(c *pagerduty.Config) { c.URL = "events.pagerduty.com" },
		"routing_key_file":   func(c *pagerduty.Config) { c.Key = "" },
		"client_url":         func(c *pagerduty.Config) { c.ClientURL = "node2" },
		"severities.fatal":   func(c *pagerduty.Config) { c.Severities = map[string]string{"fatal": "error"} },
		"severities.warning": func(c *pagerduty.Config) { c.Severities = map[string]string{"warning": "ticket"} },
	} {
		c := config(t, "https://192.0.2.1")
		change(&c)
		var wrong *report.FieldError
		if err := c.Check(); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
		if _, err := pagerduty.New(c, nil, statefile.File{}); err == nil {
			t.Errorf("%s: is taken", field)
		}
	}
	if err := config(t, "https://events.eu.pagerduty.com").Check(); err != nil {
		t.Error(err)
	}
}
