package icinga_test

import (
	"context"
	"encoding/base64"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/icinga"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// at returns the report that many minutes after noon, with a storage finding of each
// of the severities.
func at(minutes int, severities ...report.Severity) report.Report {
	words := "storage=operational network=operational"
	for _, s := range severities {
		words += " krbd-retry-storm=" + string(s)
	}
	r := reporttest.At(time.Duration(minutes)*time.Minute, words)
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Since, f.Summary = reporttest.Noon.Add(-time.Minute), "disks of 65 guests retry | indefinitely, "+string(f.Severity)
	}
	return r
}

func config(t *testing.T, url string) icinga.Config {
	t.Helper()
	c := icinga.Default()
	c.URL, c.User, c.Password = url, apiUser, reporttest.Secret(t, password)
	c.Services = map[string]string{"node": "nodewatch", "storage": "storage"}
	return c
}

func start(t *testing.T, c icinga.Config, o httpclient.Options) *icinga.Reporter {
	t.Helper()
	r, err := icinga.New(c, reporttest.Client(t, o))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// states are reports of every kind.
func states() map[string]report.Report {
	unseen := at(1)
	unseen.Status, unseen.Components[0].Status, unseen.Components[0].Summary = report.Unknown, report.Unknown,
		"the kernel log cannot be read"
	informed := unseen
	informed.Findings = at(1, report.Info).Findings
	blind := at(1, report.Critical, report.Info)
	blind.Components[0].State, blind.Findings[0].State, blind.Findings[0].LastSeen = report.Blind, report.Blind, reporttest.Noon
	worked := at(1, report.Critical)
	worked.Maintenance = &report.Maintenance{Since: reporttest.Noon, Until: reporttest.Noon.Add(2 * time.Hour), By: "root",
		Reason: "new NIC\nin slot 2"}
	lived := at(1, report.Critical, report.Warning)
	lived.Findings[0].Accepted = &report.Accepted{Until: reporttest.Noon.Add(240 * time.Hour), By: "root"}
	last := at(1)
	last.Final = "nodewatch stops"
	shown := at(1)
	shown.Status, shown.Components[0].Status, shown.Components[0].Summary = report.UnderMaintenance, report.UnderMaintenance, "disks move"
	both := at(1, report.Warning)
	both.Components[0].Status = report.Unknown
	return map[string]report.Report{
		"C unseen, with a warning": both,
		"1 fine":                   at(1), "2 info": at(1, report.Info), "3 warning": at(1, report.Warning, report.Info),
		"4 critical": at(1, report.Critical),
		"5 unseen":   unseen, "6 unseen, with an info": informed, "7 blind while raised": blind, "8 maintenance": worked,
		"9 accepted": lived, "A last": last, "B under maintenance": shown,
	}
}

func TestEveryStateIsReportedInFull(t *testing.T) {
	f, url := newFake(t)
	r := start(t, config(t, url), httpclient.Options{})
	var lines []string
	all := states()
	for _, name := range sorted(all) {
		if err := r.Report(t.Context(), all[name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		lines = append(lines, "# "+name+"\n"+f.Accepted())
	}
	reporttest.Golden(t, *update, "results.txt", strings.Join(lines, "\n")+"\n")
}

func TestLongTextsAreBounded(t *testing.T) {
	f, url := newFake(t)
	r := at(0, report.Critical)
	long := strings.Repeat("ö\n", 1000)
	for range 1000 {
		r.Findings = append(r.Findings, report.Finding{Component: "storage", Severity: report.Warning, Summary: long})
	}
	if err := start(t, config(t, url), httpclient.Options{}).Report(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	text := f.services["node2!storage"].output
	if n := strings.Count(text, "\n"); n != 31 || !strings.HasSuffix(text, "\nand 971 more") || len([]rune(text)) > 32*501 {
		t.Errorf("%d lines, %d characters, ends with %q", n, len([]rune(text)), text[max(0, len(text)-40):])
	}
}

// Each of Icinga's verdicts, once for one of two services and once for both.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		code      int
		status    string
		one, both report.FailureKind
	}{
		{200, "Check result for object 'x' ignored: it is unreachable.", report.Partial, report.Misconfigured},
		{400, "Invalid 'exit_status'.", report.Partial, report.Misconfigured},
		{403, "Passive checks are disabled for object 'x'.", report.Partial, report.Misconfigured},
		{409, "Newer check result already present.", report.Stale, report.Stale},
		{500, "Action execution failed.", report.Transient, report.Transient},
		{503, "Action skipped: Shutting down.", report.Transient, report.Transient},
		{503, "Object 'x' is inactive.", report.Partial, report.Misconfigured},
	} {
		for both, want := range map[bool]report.FailureKind{false: c.one, true: c.both} {
			f, url := newFake(t)
			f.status, f.answers["node2!storage"] = c.status, c.code
			if both {
				f.answers["node2!nodewatch"] = c.code
			}
			err := start(t, config(t, url), httpclient.Options{}).Report(t.Context(), at(0))
			got := report.FailureOf(err)
			if got == nil || got.Kind != want || !strings.Contains(err.Error(), c.status) || !strings.Contains(err.Error(), "node2!") {
				t.Errorf("%d %q, for both: %t: %v, want %s", c.code, c.status, both, err, want)
			}
			if taken := f.services["node2!nodewatch"].exit == 0; taken == both {
				t.Errorf("%d %q, for both: %t: the other was taken: %t", c.code, c.status, both, taken)
			}
		}
	}
}

func TestOneIsRefusedAndTheOtherIsStale(t *testing.T) {
	f, url := newFake(t)
	f.answers["node2!storage"], f.services["node2!nodewatch"].start = 403, float64(reporttest.Noon.Unix()+60)
	err := start(t, config(t, url), httpclient.Options{}).Report(t.Context(), at(0))
	reporttest.WantFailure(t, err, report.Partial)
}

func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	f, url := newFake(t)
	c := config(t, url)
	c.Password = reporttest.Secret(t, "wrong-word")
	if err := start(t, c, httpclient.Options{}).Report(t.Context(), at(0)); err == nil || len(f.Requests()) != 1 {
		t.Errorf("%d requests, %v", len(f.Requests()), err)
	}
}

func TestWhatIcingaRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*icinga.Config, *fake)
		kind   report.FailureKind
		want   string
	}{
		"a wrong password": {func(c *icinga.Config, _ *fake) { c.Password = reporttest.Secret(t, "wrong-word") },
			report.Misconfigured, "401"},
		"a lost password file": {func(c *icinga.Config, _ *fake) { c.Password = "/nonexistent" }, report.Misconfigured, "secret"},
		"another host":         {func(c *icinga.Config, _ *fake) { c.Host = "node3" }, report.Misconfigured, "No objects found"},
		"one service is not":   {func(c *icinga.Config, _ *fake) { c.Services["storage"] = "gone" }, report.Partial, "node2!gone"},
		"passive checks are off": {func(_ *icinga.Config, f *fake) { f.services["node2!storage"].active = true }, report.Partial,
			"Passive checks are disabled"},
		"it knows something newer": {func(_ *icinga.Config, f *fake) {
			for _, s := range f.services {
				s.start = float64(reporttest.Noon.Unix() + 60)
			}
		}, report.Stale, "Newer check result"},
	} {
		t.Run(name, func(t *testing.T) {
			f, url := newFake(t)
			conf := config(t, url)
			c.change(&conf, f)
			err := start(t, conf, httpclient.Options{}).Report(t.Context(), at(0))
			reporttest.WantFailure(t, err, c.kind, c.want)
			word := base64.StdEncoding.EncodeToString([]byte(apiUser + ":" + password))
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), word) {
				t.Errorf("shows the password: %v", err)
			}
		})
	}
}

// For a service that does not exist, some versions respond with 500 and no results,
// others with an explicit error. A JSON response may not be Icinga's, and may contain
// the password.
func TestOddAnswers(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte(apiUser + ":" + password))
	for _, c := range []struct {
		code int
		body string
		want report.FailureKind
	}{
		{500, `{"results":[]}`, report.Misconfigured},
		{200, `{"results":[]}`, report.Misconfigured},
		{200, `{"ok":true}`, report.Misconfigured},
		{200, `{"results":[{"code":"fine"}]}`, report.Misconfigured},
		{200, `{"results":[{"code":200,"status":"x"},{"code":403,"status":"` + password + basic + `"}]}`, report.Misconfigured},
		{429, `{"error":429,"status":"slower"}`, report.Throttled},
		{404, `{"error":404,"status":"No objects found."}`, report.Misconfigured},
		{503, `{"error":503,"status":"Shutting down."}`, report.Transient},
	} {
		url, _ := reporttest.Record(t, reporttest.Reply(c.code, c.body))
		err := start(t, config(t, url), httpclient.Options{}).Report(t.Context(), at(0))
		if got := report.FailureOf(err); got == nil || got.Kind != c.want || strings.Contains(err.Error(), password) ||
			strings.Contains(err.Error(), basic) {
			t.Errorf("%d %s: %v, want %s", c.code, c.body, err, c.want)
		}
	}
}

func TestTestReportsAndChangesNothing(t *testing.T) {
	f, url := newFake(t)
	got, err := start(t, config(t, url), httpclient.Options{}).Test(t.Context(), at(0))
	if want := "nothing changed: Icinga accepts passive results for 2 services of node2: node, storage"; got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if f.Accepted() != "" {
		t.Error("a result was taken")
	}
	f.services["node2!storage"].active = true
	for name, change := range map[string]func(*icinga.Config){
		"Passive checks are disabled": func(*icinga.Config) {},
		"No objects found":            func(c *icinga.Config) { c.Services = map[string]string{"node": "gone"} },
		"401":                         func(c *icinga.Config) { c.Password = reporttest.Secret(t, "wrong-word") },
	} {
		c := config(t, url)
		change(&c)
		if got, err := start(t, c, httpclient.Options{}).Test(t.Context(), at(0)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	believer, _ := reporttest.Record(t, reporttest.Reply(200, `{"results":[{"code":200,"status":"yes"}]}`))
	if got, err := start(t, config(t, believer), httpclient.Options{}).Test(t.Context(), at(0)); err == nil {
		t.Errorf("one that takes everything: %q", got)
	}
}

func TestHostileServers(t *testing.T) {
	reporttest.Run(t, reporttest.Trial{Secrets: []string{password, base64.StdEncoding.EncodeToString([]byte(apiUser + ":" + password))},
		Send: func(ctx context.Context, url string, client *httpclient.Client) error {
			r, err := icinga.New(config(t, url), client)
			if err != nil {
				t.Fatal(err)
			}
			return r.Report(ctx, at(0, report.Critical))
		}})
}

func TestCheck(t *testing.T) {
	reporttest.CheckFields(t, func() icinga.Config { return config(t, "https://192.0.2.30:5665") }, func(c icinga.Config) error {
		_, err := icinga.New(c, nil)
		return err
	}, map[string]func(*icinga.Config){
		"url":              func(c *icinga.Config) { c.URL = "192.0.2.30:5665" },
		"user":             func(c *icinga.Config) { c.User = "" },
		"password_file":    func(c *icinga.Config) { c.Password = "" },
		"host":             func(c *icinga.Config) { c.Host = "node2!x" },
		"services":         func(c *icinga.Config) { c.Services = nil },
		"services.disks":   func(c *icinga.Config) { c.Services["disks"] = "x" },
		"services.storage": func(c *icinga.Config) { c.Services["storage"] = "" },
		"services.node":    func(c *icinga.Config) { c.Services["node"] = "a!b" },
		"ttl":              func(c *icinga.Config) { c.TTL = 0 },
	})
	c := config(t, "https://192.0.2.30:5665")
	c.User = "a:b"
	if err := c.Check(); err == nil {
		t.Error("a user with a colon is taken")
	}
	c.User, c.Password = "", "" // the client certificate identifies the client
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}
