package watch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A backend is a reporter that is controlled by a test.
type backend struct {
	mu    sync.Mutex
	got   []report.Report
	times []time.Time
	do    func(context.Context, report.Report) error
	kept  atomic.Int64
	keep  func()
}

func (b *backend) Report(ctx context.Context, r report.Report) error {
	b.mu.Lock()
	b.got, b.times = append(b.got, r), append(b.times, time.Now())
	b.mu.Unlock()
	if b.do == nil {
		return nil
	}
	return b.do(ctx, r)
}

func (b *backend) Test(context.Context, report.Report) (string, error) { return "", nil }

func (b *backend) Persist(report.Report) error {
	if b.keep != nil {
		b.keep()
	}
	b.kept.Add(1)
	return nil
}

func (b *backend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.got)
}

// numbered returns a Report that is identified by its number.
func numbered(n uint64) report.Report {
	return report.Report{Node: "node2", At: time.Now(), Transitions: []report.Transition{{N: n}}}
}

func deliver(b report.Reporter) Delivery {
	return Delivery{Name: "hub", Backend: "test", Reporter: b, Every: 30 * time.Second, Deadline: 10 * time.Second}
}

// pass lets the given number of ticks pass, and enqueues a Report at each.
func pass(p *Dispatcher, ticks int, n uint64) {
	for range ticks {
		p.Enqueue(numbered(n))
		time.Sleep(time.Second)
		synctest.Wait()
	}
}

func TestAChangeIsToldAtOnceAndTheStateAgainEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		defer p.Close(time.Second)
		pass(p, 1, 1)
		if n := b.count(); n != 1 {
			t.Fatalf("the first Report was delivered %d times", n)
		}
		pass(p, 300, 1)
		if n := b.count(); n != 11 {
			t.Errorf("in 300 s it was delivered %d times, want 1 and 10", n)
		}
		pass(p, 1, 2)
		if n := b.count(); n != 12 {
			t.Errorf("a change was not delivered at once: %d", n)
		}
	})
}

func TestTwoNodesSpeakAtDifferentTimes(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 7, 0, time.UTC)
	a, b := nextPhase(at, 30*time.Second, "node1/hub"), nextPhase(at, 30*time.Second, "node2/hub")
	if a.Equal(b) {
		t.Errorf("both at %s", a)
	}
	for _, x := range []time.Time{a, b} {
		if !x.After(at) || x.Sub(at) > 30*time.Second {
			t.Errorf("%s does not follow %s within the interval", x, at)
		}
		if again := nextPhase(x, 30*time.Second, "node1/hub"); x == a && again.Sub(x) != 30*time.Second {
			t.Errorf("%s follows %s", again, x)
		}
	}
}

// One reporter hangs indefinitely and ignores its deadline: neither the loop's
// Enqueue nor the other reporter is delayed, and the reporter is shown as stalled.
func TestAReporterThatHangsDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		bad := &backend{do: func(context.Context, report.Report) error { <-release; return nil }}
		good := &backend{}
		list := []Delivery{deliver(bad), deliver(good)}
		list[1].Name = "oncall"
		p := NewDispatcher("node2", list)
		for n := range uint64(100) {
			before := time.Now()
			p.Enqueue(numbered(n))
			if d := time.Since(before); d != 0 {
				t.Fatalf("Take waited for %s", d)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if bad.count() != 1 || good.count() != 100 {
			t.Errorf("delivered to the one that hangs %d times, the other %d", bad.count(), good.count())
		}
		state := p.State()
		if state[0].State != node.DeliveryStalled || state[1].State != node.DeliveryOK || state[1].Done != 100 {
			t.Errorf("%+v", state)
		}
		before := time.Now()
		p.Close(3 * time.Second)
		if d := time.Since(before); d != 3*time.Second {
			t.Errorf("the end took %s", d)
		}
		close(release)
	})
}

func TestAfterFailuresItIsTriedEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{do: func(context.Context, report.Report) error { return errors.New("no route") }}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		defer p.Close(time.Second)
		pass(p, 3600, 1)
		n := b.count()
		if n < breakAfter+35 || n > breakAfter+60 {
			t.Errorf("%d attempts in an hour", n)
		}
		if s := p.State()[0]; s.State != node.DeliveryOpen || s.Failed["transient"] != uint64(n) || s.Error != "no route" ||
			!s.Last.IsZero() {
			t.Errorf("%+v", s)
		}
		b.do = nil
		pass(p, int((retryMax * 2).Seconds()), 1)
		if s := p.State()[0]; s.State != node.DeliveryOK || s.Error != "" {
			t.Errorf("after it works again: %+v", s)
		}
	})
}

func TestWhatSomebodyMustMendIsTriedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{do: func(context.Context, report.Report) error {
			return &report.Failure{Kind: report.Misconfigured, Err: errors.New("401")}
		}}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		defer p.Close(time.Second)
		for n := range uint64(280) { // a new report each second
			pass(p, 1, n)
		}
		if n := b.count(); n != 1 {
			t.Errorf("%d attempts in 280 s", n)
		}
	})
}

func TestABackendsWishToBeLeftAloneIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{do: func(context.Context, report.Report) error {
			return &report.Failure{Kind: report.Throttled, After: 90 * time.Second, Err: errors.New("429")}
		}}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		defer p.Close(time.Second)
		for n := range uint64(400) {
			pass(p, 1, n)
		}
		for i := 1; i < len(b.times); i++ {
			if gap := b.times[i].Sub(b.times[i-1]); gap < 90*time.Second {
				t.Errorf("asked again after %s", gap)
			}
		}
		if n := b.count(); n < 3 || n > 5 {
			t.Errorf("%d attempts in 400 s", n)
		}
	})
}

// A report that the backend accepted in part, or for which it already has newer data,
// is not resent.
func TestWhatWasTakenInPartIsNotSentAgain(t *testing.T) {
	for _, kind := range []report.FailureKind{report.Partial, report.Stale} {
		synctest.Test(t, func(t *testing.T) {
			b := &backend{do: func(context.Context, report.Report) error {
				return &report.Failure{Kind: kind, Err: errors.New("one of two")}
			}}
			p := NewDispatcher("node2", []Delivery{deliver(b)})
			defer p.Close(time.Second)
			pass(p, 1, 1)
			n := b.count()
			pass(p, 20, 1)
			if b.count() > n+1 { // one interval may have passed
				t.Errorf("%s: sent %d times in 20 s", kind, b.count())
			}
			if s := p.State()[0]; s.State != node.DeliveryOK || s.Failed[string(kind)] == 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A second instance that reports for this node is detected.
func TestABackendThatAlwaysKnowsBetterIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{do: func(context.Context, report.Report) error {
			return &report.Failure{Kind: report.Stale, Err: errors.New("409")}
		}}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		defer p.Close(time.Second)
		for n := range uint64(staleAfter) {
			if s := p.State()[0]; s.State == node.DeliveryOpen {
				t.Errorf("after %d: %+v", n, s)
			}
			pass(p, 1, n)
		}
		if s := p.State()[0]; s.State != node.DeliveryOpen {
			t.Errorf("%+v", s)
		}
		b.do = nil
		pass(p, 1, 100)
		if s := p.State()[0]; s.State != node.DeliveryOK {
			t.Errorf("once it is over: %+v", s)
		}
	})
}

func TestAReporterThatPanicsIsAFailedDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{do: func(context.Context, report.Report) error { panic("nil map") }}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		defer p.Close(time.Second)
		pass(p, 1, 1)
		if s := p.State()[0]; s.State != node.DeliveryRetrying || s.Failed["transient"] != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// A hung disk delays no delivery, and new state is persisted while a delivery hangs.
func TestKeepingAndDeliveringDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := &backend{keep: func() { <-release }}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		for n := range uint64(10) {
			pass(p, 1, n)
		}
		if b.count() != 10 || b.kept.Load() != 0 {
			t.Errorf("the disk hangs: delivered %d, kept %d", b.count(), b.kept.Load())
		}
		close(release)
		p.Close(time.Second)

		hang := &backend{do: func(ctx context.Context, _ report.Report) error { <-ctx.Done(); return ctx.Err() }}
		d := deliver(hang)
		d.Deadline = time.Hour
		p = NewDispatcher("node2", []Delivery{d})
		for n := range uint64(10) {
			pass(p, 1, n)
		}
		if hang.count() != 1 || hang.kept.Load() != 10 {
			t.Errorf("a delivery hangs: delivered %d, kept %d", hang.count(), hang.kept.Load())
		}
		p.Close(time.Second)
		if hang.kept.Load() == 0 {
			t.Error("nothing is kept while a delivery hangs")
		}
	})
}

func TestTheLastReportSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		pass(p, 1, 1)
		p.Close(time.Second)
		if last := b.got[len(b.got)-1]; b.count() != 2 || last.Final == "" {
			t.Errorf("%d Reports, the last: %+v", b.count(), last)
		}
		if b.kept.Load() == 0 {
			t.Error("not kept after the last")
		}
	})
}

func TestTheGistIsWhatMustBeToldAtOnce(t *testing.T) {
	base := func() report.Report {
		return report.Report{
			Components: []report.Component{{Name: "storage", Status: report.Operational}},
			Findings: []report.Finding{{Rule: "bond-lacp", Subject: "bond0", Severity: report.Warning, Impact: report.Operational,
				State: report.Seen}},
		}
	}
	same := base()
	same.At, same.Findings[0].LastSeen, same.Findings[0].Summary = time.Now(), time.Now(), "other words"
	if fingerprint(same) != fingerprint(base()) {
		t.Error("times and texts are delivered at once")
	}
	for name, change := range map[string]func(*report.Report){
		"severity":    func(r *report.Report) { r.Findings[0].Severity = report.Critical },
		"impact":      func(r *report.Report) { r.Findings[0].Impact = report.MajorOutage },
		"sight":       func(r *report.Report) { r.Findings[0].State = report.Blind },
		"accepted":    func(r *report.Report) { r.Findings[0].Accepted = &report.Accepted{} },
		"flapping":    func(r *report.Report) { r.Findings[0].Flapping = true },
		"cleared":     func(r *report.Report) { r.Findings = nil },
		"component":   func(r *report.Report) { r.Components[0].Status = report.Unknown },
		"maintenance": func(r *report.Report) { r.Maintenance = &report.Maintenance{} },
		"transition":  func(r *report.Report) { r.Transitions = []report.Transition{{N: 7}} },
		"restart":     func(r *report.Report) { r.Started = time.Unix(7, 0) },
	} {
		r := base()
		change(&r)
		if fingerprint(r) == fingerprint(base()) {
			t.Errorf("%s: not delivered at once", name)
		}
	}
}

func TestSettleWaitsForTheLastReportToBeTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{do: func(context.Context, report.Report) error { time.Sleep(3 * time.Second); return nil }}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		p.Enqueue(numbered(1))
		time.Sleep(time.Second)
		p.Enqueue(numbered(2)) // during the first delivery
		p.Settle(time.Minute)
		if n := b.count(); n != 2 || b.got[1].Transitions[0].N != 2 {
			t.Errorf("%d delivered", n)
		}
		release := make(chan struct{})
		b.do = func(context.Context, report.Report) error { <-release; return nil }
		p.Enqueue(numbered(3))
		before := time.Now()
		p.Settle(10 * time.Second)
		if d := time.Since(before); d != 10*time.Second {
			t.Errorf("waited %s for one that hangs", d)
		}
		close(release)
		p.Close(time.Second)
	})
}

// A delivery interrupted by the shutdown does not count as failed.
func TestTheEndIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{do: func(ctx context.Context, _ report.Report) error { <-ctx.Done(); return ctx.Err() }}
		p := NewDispatcher("node2", []Delivery{deliver(b)})
		pass(p, 1, 1)
		p.Close(10 * time.Second)
		if s := p.State()[0]; len(s.Failed) != 0 || s.State != node.DeliveryStarting {
			t.Errorf("%+v", s)
		}
	})
}

// A paced is a reporter whose backend asks for less frequent reports.
type paced struct{ *backend }

func (paced) Every() time.Duration { return 5 * time.Minute }

func TestABackendMayWishToHearLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		p := NewDispatcher("node2", []Delivery{deliver(paced{b})})
		defer p.Close(time.Second)
		pass(p, 900, 1)
		if n := b.count(); n != 4 {
			t.Errorf("in 15 min it was delivered %d times, want 1 and 3", n)
		}
	})
}
