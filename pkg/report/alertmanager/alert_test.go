package alertmanager_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/alertmanager"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGoldenBody(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL + "/"}, Page: "https://{node}.example.org:10090/", Watchdog: true})
	at := time.Date(2026, 3, 1, 3, 6, 0, 0, time.UTC)
	_ = r.Report(t.Context(), reportOf(at, saturated(at.Add(-time.Minute)))) // the fake's clock differs
	full := storm(at.Add(-time.Minute))
	full.Flapping, full.State, full.LastSeen = true, report.Blind, at.Add(-10*time.Second)
	full.Accepted = &report.Accepted{At: at, Until: at.Add(24 * time.Hour), By: "ann", Reason: "known\nsince March"}
	_ = r.Report(t.Context(), reportOf(at, full))
	var body bytes.Buffer
	if err := json.Indent(&body, []byte(f.last()), "", "  "); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, *update, "body.json", body.String()+"\n")
}

func TestHostileServers(t *testing.T) {
	const secret = "s3cr3t-token"
	token := reporttest.Secret(t, secret)
	send := func(test bool) func(context.Context, string, *httpclient.Client) error {
		return func(ctx context.Context, url string, client *httpclient.Client) error {
			r, err := alertmanager.New(alertmanager.Config{URLs: []string{url}, Token: token}, client)
			if err != nil {
				return err
			}
			if test {
				_, err = r.Test(ctx, reportOf(now()))
				return err
			}
			return r.Report(ctx, reportOf(now(), storm(now()), saturated(now())))
		}
	}
	for name, test := range map[string]bool{"report": false, "test": true} {
		t.Run(name, func(t *testing.T) {
			reporttest.Run(t, reporttest.Trial{Secrets: []string{secret}, Believes: true, Send: send(test)})
		})
	}
}

// Treating a login page as success would hide every alert.
func TestWhatIsNoAlertmanager(t *testing.T) {
	url, _ := reporttest.Record(t, reporttest.Reply(200, "<!DOCTYPE html><title>Log in</title>"))
	err := newReporter(t, alertmanager.Config{URLs: []string{url}}).Report(t.Context(), reportOf(now()))
	if kindOf(err) != report.Misconfigured || !strings.Contains(err.Error(), "Log in") {
		t.Errorf("%v", err)
	}
}

func TestCheck(t *testing.T) {
	one := []string{"http://192.0.2.10:9093"}
	for _, c := range []struct {
		c     alertmanager.Config
		field string
	}{
		{alertmanager.Config{}, "urls"},
		{alertmanager.Config{URLs: slices.Repeat(one, 17)}, "urls"},
		{alertmanager.Config{URLs: []string{"192.0.2.10:9093"}}, "urls"},
		{alertmanager.Config{URLs: []string{"ftp://192.0.2.10"}}, "urls"},
		{alertmanager.Config{URLs: []string{"http://"}}, "urls"},
		{alertmanager.Config{URLs: []string{"http://ann:s3cr3t@192.0.2.10"}}, "urls"},
		{alertmanager.Config{URLs: []string{"http://192.0.2.10/?t=s3cr3t"}}, "urls"},
		{alertmanager.Config{URLs: []string{"http://192.0.2.10:9093/api/v2/alerts"}}, "urls"},
		{alertmanager.Config{URLs: []string{one[0], one[0] + "/"}}, "urls"},
		{alertmanager.Config{URLs: one, User: "ann"}, "password_file"},
		{alertmanager.Config{URLs: one, Password: "p"}, "password_file"},
		{alertmanager.Config{URLs: one, User: "ann", Password: "p", Token: "t"}, "token_file"},
		{alertmanager.Config{URLs: one, Page: "node2:10090"}, "page_url"},
		{alertmanager.Config{URLs: one, Page: "http://{node}/#x"}, "page_url"},
		{alertmanager.Config{URLs: one, Page: "http://ann:s3cr3t@{node}/"}, "page_url"},
		{alertmanager.Config{URLs: one}, ""},
		{alertmanager.Config{URLs: []string{one[0], "https://192.0.2.11:9093/alerts"}, User: "ann", Password: "p",
			Page: "http://{node}:10090/"}, ""},
	} {
		err := c.c.Check()
		wrong, is := errors.AsType[*report.FieldError](err)
		switch {
		case c.field == "" && err != nil, c.field != "" && (!is || wrong.Field != c.field):
			t.Errorf("%+v: %v, want a mistake in %q", c.c, err, c.field)
		case err != nil && strings.Contains(err.Error(), "s3cr3t"):
			t.Errorf("shows the secret: %v", err)
		}
		if _, newErr := alertmanager.New(c.c, nil); (newErr == nil) != (err == nil) {
			t.Errorf("%+v: New says %v", c.c, newErr)
		}
	}
}

// Two findings whose long subjects differ only near the end are two alerts.
func TestLongSubjectsStayApart(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}})
	a, b := saturated(now()), saturated(now())
	a.Subject, b.Subject = strings.Repeat("é", 300)+"1", strings.Repeat("é", 300)+"2"
	deliverTo(t, r, reportOf(now(), a, b, a))
	if got := len(decoded(t, f.last())); got != 2 {
		t.Errorf("%d alerts", got)
	}
}

// FuzzAlertsAreValid: for any configuration and findings, the member accepts the
// alert, names and values are bounded, and configured labels never replace
// nodewatch's own.
func FuzzAlertsAreValid(f *testing.F) {
	f.Add("switch", "sw1", "krbd-retry-storm", "bond0", "a summary", "https://example.org/#a", "node2")
	f.Add("rack-row", "7", "", "", "", "", "")
	f.Add("alertname", "mine", "rule", strings.Repeat("x", 300), "\x00\xff", "javascript:x", "a b/c?d#e")
	f.Add("__name__", "é", "é-ü", "\n", strings.Repeat("y", 5000), "ftp://x", "[::1]")
	f.Add("9", "9", "9-9", "s", "s", "http://\x7f", "%zz")
	member := newFake(f)
	client := reporttest.Client(f, httpclient.Options{})
	f.Fuzz(func(t *testing.T, label, text, rule, subject, summary, runbook, node string) {
		r, err := alertmanager.New(alertmanager.Config{URLs: []string{member.URL}, Page: "http://{node}:10090/"}, client)
		if err != nil {
			t.Fatal(err)
		}
		x := saturated(now())
		x.Rule, x.Subject, x.Summary, x.Runbook = rule, subject, summary, runbook
		x.Evidence = []report.Evidence{{Source: text, Subject: subject, Fact: strings.Repeat(summary, 3)}}
		x.Advice = []report.Advice{{Do: summary, Command: text}}
		p := reportOf(now(), x)
		p.Node, p.Labels = node, report.Labels{label: text, label + "-": text}
		deliverTo(t, r, p)
		list := decoded(t, member.last())
		if len(list) != 1 || !strings.HasPrefix(list[0].Labels["alertname"], "Nodewatch") || list[0].Labels["severity"] != "warning" {
			t.Fatalf("%s", member.last())
		}
		member.Drain()
		printable := !strings.ContainsFunc(rule, unicode.IsControl) && utf8.ValidString(rule) && len(rule) <= 256
		if got := list[0].Labels["rule"]; printable && got != strings.TrimSpace(rule) {
			t.Errorf("the rule %q is told as %q", rule, got)
		}
		for _, v := range slices.Concat(slices.Collect(maps.Values(list[0].Labels)), slices.Collect(maps.Values(list[0].Annotations))) {
			if v == "" || len(v) > 8192 || !utf8.ValidString(v) || strings.Contains(v, "\x00") {
				t.Errorf("the text %q", v)
			}
		}
		for k, v := range list[0].Labels {
			if len(k) > 256 || len(v) > 256 || strings.HasPrefix(k, "__") {
				t.Errorf("%q=%q", k, v)
			}
		}
	})
}
