package pagerduty_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/pagerduty"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// at returns the report that many minutes after noon, of a node whose storage is
// visible.
func at(minutes int, findings string) report.Report {
	return reporttest.At(time.Duration(minutes)*time.Minute, "storage=operational "+findings)
}

func config(t *testing.T, url string) pagerduty.Config {
	t.Helper()
	c := pagerduty.Default()
	c.URL, c.Key = url, reporttest.Secret(t, key)
	return c
}

func start(t *testing.T, c pagerduty.Config, kept statefile.File) *pagerduty.Reporter {
	t.Helper()
	r, err := pagerduty.New(c, reporttest.Client(t, httpclient.Options{}), kept)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func deliverTo(t *testing.T, p *pagerduty.Reporter, r report.Report) {
	t.Helper()
	if err := p.Report(t.Context(), r); err != nil {
		t.Errorf("%s: %v", r.At.Format(time.TimeOnly), err)
	}
}

// gist returns the sent events in short form: action, key without its common part,
// severity.
func (f *fake) gist(t *testing.T) string {
	t.Helper()
	var words []string
	for line := range strings.Lines(f.accepted()) {
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
		{"storm/client1=warning disk/sda=info hung=critical", ""}, // an improvement pages no one
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

// A finding that another one explains pages no one; an open alert is resolved when
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
	f.State, f.LastSeen = report.Blind, reporttest.Noon.Add(30*time.Second)
	f.Since = reporttest.Noon.Add(-90*time.Second + 250*time.Millisecond)
	f.Evidence = []report.Evidence{{Source: "kmsg", Subject: "osd12", Fact: "41 bad crc lines in 10 s", At: reporttest.Noon},
		{Source: "links", Fact: "1.2e6 drops/s", At: reporttest.Noon}}
	f.Against = []report.Evidence{{Source: "ceph", Fact: "no slow requests", At: reporttest.Noon}}
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
	reporttest.Golden(t, *update, "events.json", f.accepted()+"\n")
}

// For any finding, the event is within the limits of the API, and findings that
// differ only beyond them remain two alerts.
func TestLimits(t *testing.T) {
	f, url := newFake(t)
	p := start(t, config(t, url), statefile.File{})
	long := strings.Repeat("\x01ö", 5000)
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

// Accepted events are not resent, and others are.
func TestFailuresHalfWay(t *testing.T) {
	for _, c := range []struct {
		code int
		kind report.FailureKind
	}{{429, report.Throttled}, {500, report.Transient}, {503, report.Transient}, {403, report.Misconfigured}} {
		f, url := newFake(t)
		p := start(t, config(t, url), statefile.File{})
		f.fail = []int{0, c.code}
		now := at(0, "hung=critical storm/client1=warning disk/sda=info")
		reporttest.WantFailure(t, p.Report(t.Context(), now), c.kind)
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
	reporttest.WantFailure(t, err, report.Partial, odd, "'payload' is odd")
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

// An alert that was rejected once and then accepted pages again whenever it gets
// worse.
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
	reporttest.WantFailure(t, p.Report(t.Context(), at(0, "hung=critical")), report.Partial)
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
		c.Key = reporttest.Secret(t, text)
		err := start(t, c, statefile.File{}).Report(t.Context(), at(0, "hung=critical"))
		reporttest.WantFailure(t, err, report.Misconfigured, want)
		if text != "short" && strings.Contains(err.Error(), text) {
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
	sent := f.accepted()
	if strings.Count(sent, "\n") != 1 || !strings.Contains(sent, "TEST from nodewatch on node2: please ignore") ||
		!strings.Contains(sent, `"severity":"info"`) || len(f.alerts) != 0 || f.pages != 1 {
		t.Errorf("sent %s, open %v", sent, f.alerts)
	}
	f.fail = []int{0, 500}
	if got, err := start(t, config(t, url), statefile.File{}).Test(t.Context(), r); err == nil ||
		!strings.Contains(err.Error(), "resolve") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOnly202IsASuccess(t *testing.T) {
	for code, body := range map[int]string{
		200: `{"status":"success","dedup_key":"nodewatch/rl1/node2/finding/hung/"}`,
		201: `{}`,
		202: `{"status":"success","dedup_key":"another"}`,
	} {
		url, _ := reporttest.Record(t, reporttest.Reply(code, body))
		err := start(t, config(t, url), statefile.File{}).Report(t.Context(), at(0, "hung=critical"))
		reporttest.WantFailure(t, err, report.Misconfigured, "the response is not PagerDuty's")
	}
}

func TestHostileServers(t *testing.T) {
	reporttest.Run(t, reporttest.Trial{Secrets: []string{key}, Send: func(ctx context.Context, url string,
		client *httpclient.Client) error {
		p, err := pagerduty.New(config(t, url), client, statefile.File{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Report(ctx, full())
	}})
}

func TestCheck(t *testing.T) {
	reporttest.CheckFields(t, func() pagerduty.Config { return config(t, "https://events.eu.pagerduty.com") },
		func(c pagerduty.Config) error {
			_, err := pagerduty.New(c, nil, statefile.File{})
			return err
		}, map[string]func(*pagerduty.Config){
			"url":                func(c *pagerduty.Config) { c.URL = "events.pagerduty.com" },
			"routing_key_file":   func(c *pagerduty.Config) { c.Key = "" },
			"client_url":         func(c *pagerduty.Config) { c.ClientURL = "node2" },
			"severities.fatal":   func(c *pagerduty.Config) { c.Severities = map[string]string{"fatal": "error"} },
			"severities.warning": func(c *pagerduty.Config) { c.Severities = map[string]string{"warning": "ticket"} },
		})
}
