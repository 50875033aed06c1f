package componentsync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// page is a status page with its components' states and the requests it received.
type page struct {
	shows map[string]string
	fails map[string]error // keyed by "read x" or "write x"
	log   []string
}

func (p *page) Read(_ context.Context, id string) (string, error) {
	p.log = append(p.log, "read "+id)
	if err := p.fails["read "+id]; err != nil {
		return "", err
	}
	return p.shows[id], nil
}

func (p *page) Write(_ context.Context, id, state string) error {
	p.log = append(p.log, "write "+id+" "+state)
	if err := p.fails["write "+id]; err != nil {
		return err
	}
	p.shows[id] = state
	return nil
}

// asked returns the requests since its last call.
func (p *page) asked() string {
	defer func() { p.log = nil }()
	return strings.Join(p.log, ", ")
}

// state leaves a component unchanged if its impact is unknown.
func word(i report.Impact) string {
	if i == report.Unknown {
		return ""
	}
	return string(i)
}

var three = map[string]string{"node": "n", "storage": "s", "network": "w"}

const fine, bad, worse = "operational", "degraded_performance", "major_outage"

func newPage() *page {
	return &page{shows: map[string]string{"n": fine, "s": fine, "w": bad}, fails: map[string]error{}}
}

func TestOnlyChangesAreWritten(t *testing.T) {
	p := newPage()
	b := componentsync.New(p, three, word, componentsync.NewRateLimiter(60))
	for _, step := range []struct {
		name, now, want string
	}{
		{"a start reads once and writes what differs", "storage=operational network=operational",
			"read n, read s, read w, write w operational"},
		{"nothing changed", "storage=operational network=operational", ""},
		{"bad news first", "storage=degraded_performance network=operational node=major_outage",
			"write n major_outage, write s degraded_performance"},
		{"unknown leaves what is shown", "storage=unknown network=operational node=unknown", ""},
		{"back", "storage=operational network=operational", "write n operational, write s operational"},
		{"a component that the report lacks is left", "network=operational", ""},
	} {
		if err := b.Sync(t.Context(), reporttest.At(0, step.now)); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if got := p.asked(); got != step.want {
			t.Errorf("%s: asked %q, want %q", step.name, got, step.want)
		}
	}
}

// A restart in the middle of an outage does not make the page show that it is over.
func TestARestartTakesNothingBackTooEarly(t *testing.T) {
	p := newPage() // w is bad
	b := componentsync.New(p, three, word, componentsync.NewRateLimiter(60))
	for _, step := range []struct {
		minute    int
		now, want string
	}{
		{0, "storage=degraded_performance network=operational", "read s, write s degraded_performance, read n, read w"},
		{1, "storage=operational network=operational", "write s operational"}, // states written in this run may be improved
		{2, "storage=operational network=major_outage", "write w major_outage"},
		{2, "storage=operational network=operational", "write w operational"},
	} {
		r := reporttest.At(time.Duration(step.minute)*time.Minute, step.now)
		r.Started = reporttest.Noon
		if err := b.Sync(t.Context(), r); err != nil {
			t.Error(err)
		}
		if got := p.asked(); got != step.want {
			t.Errorf("minute %d: asked %q, want %q", step.minute, got, step.want)
		}
	}
	p = newPage()
	b = componentsync.New(p, three, word, componentsync.NewRateLimiter(60))
	for minute, want := range []string{"read n, read s, read w", "", "", "write w operational"} {
		r := reporttest.At(time.Duration(minute)*time.Minute, "storage=operational network=operational")
		r.Started = reporttest.Noon
		if err := b.Sync(t.Context(), r); err != nil || p.asked() != want {
			t.Errorf("minute %d: %v", minute, err)
		}
	}
}

func TestTwoOfOursOnOneOfThePagesShowTheWorse(t *testing.T) {
	p := newPage()
	b := componentsync.New(p, map[string]string{"storage": "s", "network": "s"}, word, componentsync.NewRateLimiter(60))
	if err := b.Sync(t.Context(), reporttest.At(0, "network=degraded_performance storage=major_outage")); err != nil {
		t.Fatal(err)
	}
	if err := b.Sync(t.Context(), reporttest.At(0, "network=degraded_performance storage=operational")); err != nil {
		t.Fatal(err)
	}
	if got, want := p.asked(), "read s, write s major_outage, write s degraded_performance"; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
}

// Updates beyond the rate limit are made later, with the state at that time.
func TestThePaceIsKeptWithoutLosingAnything(t *testing.T) {
	p := newPage()
	b := componentsync.New(p, three, word, componentsync.NewRateLimiter(4))
	r := reporttest.At(0, "storage=operational network=operational")
	if err := b.Sync(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	p.asked()
	err := b.Sync(t.Context(), reporttest.At(10*time.Second, "storage=degraded_performance network=operational node=major_outage"))
	if f := report.FailureOf(err); f == nil || f.Kind != report.Throttled || f.After != 50*time.Second {
		t.Fatalf("the fifth request: %v", err)
	}
	if got := p.asked(); got != "" {
		t.Errorf("asked %q though the pace forbids it", got)
	}
	if err := b.Sync(t.Context(), reporttest.At(time.Minute,
		"storage=operational network=operational node=degraded_performance")); err != nil {
		t.Fatal(err)
	}
	if got, want := p.asked(), "write n degraded_performance"; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
}

func TestAClockSetBackCostsAtMostAMinute(t *testing.T) {
	pace := componentsync.NewRateLimiter(1)
	ok := func() error { return nil }
	if err := pace.Do(reporttest.At(0, ""), ok); err != nil {
		t.Fatal(err)
	}
	if f := report.FailureOf(pace.Do(reporttest.At(-24*time.Hour, ""), ok)); f == nil || f.After != time.Minute {
		t.Errorf("at once: %v", f)
	}
	if err := pace.Do(reporttest.At(-24*time.Hour+time.Minute, ""), ok); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	target := func() error { return &report.Failure{Kind: report.Throttled, After: time.Hour, Err: errors.New("429")} }
	_ = pace.Do(reporttest.At(0, ""), target)
	if err := pace.Do(reporttest.At(-24*time.Hour, ""), ok); err == nil {
		t.Error("the minute of before is forgotten")
	}
	if err := pace.Do(reporttest.At(-24*time.Hour+time.Minute, ""), ok); err != nil {
		t.Errorf("an hour that was wished for before the clock was set: %v", err)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	p := newPage()
	b := componentsync.New(p, three, word, componentsync.NewRateLimiter(60))
	p.fails["read n"] = &report.Failure{Kind: report.Throttled, After: 90 * time.Second, Err: errors.New("429")}
	for _, c := range []struct {
		at   time.Duration
		want string
		left time.Duration
	}{{0, "read n", 90 * time.Second}, {60 * time.Second, "", 30 * time.Second}, {90 * time.Second, "read n", 90 * time.Second}} {
		f := report.FailureOf(b.Sync(t.Context(), reporttest.At(c.at, "")))
		if f == nil || f.Kind != report.Throttled || f.After != c.left || !strings.Contains(f.Error(), "1 of 1 components not updated") {
			t.Errorf("after %s: %v, want to wait %s", c.at, f, c.left)
		}
		if got := p.asked(); got != c.want {
			t.Errorf("after %s: asked %q", c.at, got)
		}
	}
}

// Nodes that were throttled together do not retry together.
func TestEachNodeWaitsATimeOfItsOwn(t *testing.T) {
	waits := map[time.Duration]bool{}
	for n := range 60 {
		r := reporttest.At(0, "")
		r.Node = fmt.Sprintf("node%d", n)
		err := componentsync.NewRateLimiter(60).Do(r, func() error {
			return &report.Failure{Kind: report.Throttled,
				Err: errors.New("420")}
		})
		f := report.FailureOf(err)
		if f == nil || f.After < time.Minute || f.After > 2*time.Minute {
			t.Fatalf("%v", f)
		}
		waits[f.After] = true
	}
	if len(waits) < 25 {
		t.Errorf("60 nodes have %d waits", len(waits))
	}
}

func TestARefusedComponentDoesNotKeepTheOthers(t *testing.T) {
	p := newPage()
	b := componentsync.New(p, three, word, componentsync.NewRateLimiter(60))
	p.fails["read s"] = &report.Failure{Kind: report.Partial, Err: errors.New("404")}
	words := "storage=major_outage network=operational"
	for after, want := range []string{"read s, read n, read w, write w operational", "", "", "", "", "read s"} {
		f := report.FailureOf(b.Sync(t.Context(), reporttest.At(time.Duration(after)*time.Minute, words)))
		if f == nil || f.Kind != report.Partial || f.Error() != "partial: component s: 404" {
			t.Errorf("minute %d: %v", after, f)
		}
		if got := p.asked(); got != want {
			t.Errorf("minute %d: asked %q, want %q", after, got, want)
		}
	}
	delete(p.fails, "read s")
	if err := b.Sync(t.Context(), reporttest.At(10*time.Minute, words)); err != nil || p.asked() != "read s, write s major_outage" {
		t.Errorf("fixed: %v", err)
	}
	if err := b.Sync(t.Context(), reporttest.At(time.Minute, "storage=operational network=operational")); err != nil ||
		p.asked() != "write s operational" {
		t.Errorf("fixed, and then the clock was set back: %v", err)
	}
}

// A request that fails for the whole page is not repeated for each component.
func TestAWrongTokenIsTriedOnce(t *testing.T) {
	p := newPage()
	p.fails["read n"] = &report.Failure{Kind: report.Misconfigured, Err: errors.New("401")}
	err := componentsync.New(p, three, word, componentsync.NewRateLimiter(60)).Sync(t.Context(),
		reporttest.At(0, "storage=operational network=operational"))
	if f := report.FailureOf(err); f == nil || f.Kind != report.Misconfigured || p.asked() != "read n" {
		t.Errorf("%v", err)
	}
}

func TestOneNodePerComponent(t *testing.T) {
	for code, want := range map[int]report.FailureKind{
		400: report.Partial, 401: report.Misconfigured, 403: report.Misconfigured, 404: report.Partial, 409: report.Partial,
		410: report.Partial,
		405: report.Misconfigured, 422: report.Partial, 429: report.Throttled, 500: report.Transient,
	} {
		kind := want
		if kind == report.Partial {
			kind = report.Misconfigured
		}
		f := report.FailureOf(componentsync.ComponentFailure(httpclient.Response{Code: code},
			&report.Failure{Kind: kind, Err: errors.New("no")}))
		if f == nil || f.Kind != want {
			t.Errorf("%d: %v, want %s", code, f, want)
		}
	}
	if err := componentsync.ComponentFailure(httpclient.Response{Code: 404}, nil); err != nil {
		t.Error(err)
	}
}

func TestAPageThatRefusesEverythingIsMisconfigured(t *testing.T) {
	p := newPage()
	for id := range p.shows {
		p.fails["read "+id] = &report.Failure{Kind: report.Partial, Err: errors.New("404")}
	}
	f := report.FailureOf(componentsync.New(p, three, word, componentsync.NewRateLimiter(60)).Sync(t.Context(),
		reporttest.At(0, "storage=operational network=operational")))
	if f == nil || f.Kind != report.Misconfigured || strings.Count(f.Error(), "404") != 3 {
		t.Errorf("%v", f)
	}
}

func TestAWriteThatMayHaveBeenTakenIsReadBack(t *testing.T) {
	p := newPage()
	b := componentsync.New(p, map[string]string{"node": "n"}, word, componentsync.NewRateLimiter(60))
	p.fails["write n"] = &report.Failure{Kind: report.Transient, Err: errors.New("no response before the deadline")}
	if f := report.FailureOf(b.Sync(t.Context(), reporttest.At(0, "node=major_outage"))); f == nil || f.Kind != report.Transient {
		t.Fatalf("%v", f)
	}
	p.asked()
	delete(p.fails, "write n")
	p.shows["n"] = worse // it had been
	if err := b.Sync(t.Context(), reporttest.At(time.Second, "node=major_outage")); err != nil || p.asked() != "read n" {
		t.Errorf("%v", err)
	}
}

func TestATestOnlyReads(t *testing.T) {
	p := newPage()
	b := componentsync.New(p, three, word, componentsync.NewRateLimiter(60))
	got, err := b.Test(t.Context(), reporttest.At(0, "node=major_outage"))
	if want := "read, nothing changed: network (w) shows degraded_performance, node (n) shows operational, storage (s) shows operational"; got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, want := p.asked(), "read w, read n, read s"; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	got, err = componentsync.New(p, three, word, componentsync.NewRateLimiter(2)).Test(t.Context(), reporttest.At(0, ""))
	if err != nil || !strings.Contains(got, "1 not read: limited to 2 requests per minute") {
		t.Errorf("%q, %v", got, err)
	}
	p.fails["read w"] = &report.Failure{Kind: report.Throttled, After: time.Second, Err: errors.New("429")}
	if got, err := componentsync.New(p, three, word, componentsync.NewRateLimiter(60)).Test(t.Context(), reporttest.At(0, "")); err == nil {
		t.Errorf("nothing could be read: %q", got)
	}
	delete(p.fails, "read w")
	p.fails["read n"] = &report.Failure{Kind: report.Partial, Err: errors.New("404")}
	if _, err := componentsync.New(p, three, word, componentsync.NewRateLimiter(60)).Test(t.Context(), reporttest.At(0, "")); err == nil ||
		!strings.Contains(err.Error(), "component node (n)") {
		t.Errorf("%v", err)
	}
}

func TestCheckComponents(t *testing.T) {
	if err := componentsync.CheckComponents(three); err != nil {
		t.Error(err)
	}
	for field, c := range map[string]map[string]string{
		"components":         {},
		"components.disks":   {"disks": "x"},
		"components.node":    {"node": ""},
		"components.storage": {"storage": "../pages"},
	} {
		var f *report.FieldError
		if err := componentsync.CheckComponents(c); !errors.As(err, &f) || f.Field != field {
			t.Errorf("%v: %v, want a mistake in %s", c, err, field)
		}
	}
}

func TestNamed(t *testing.T) {
	var got []string
	for _, c := range componentsync.Named(reporttest.At(0, "storage=unknown guests=operational node=major_outage"), three) {
		got = append(got, string(c.Name)+"="+string(c.Status))
	}
	if diff := cmp.Diff([]string{"node=major_outage", "storage=unknown"}, got); diff != "" {
		t.Error(diff)
	}
}
