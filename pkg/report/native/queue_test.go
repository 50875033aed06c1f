package native_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// down is a backend that is down while the variable is true.
func down(is *bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		if *is {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return *is
	}
}

func wantQueue(t *testing.T, x *native.Reporter, want report.Queue) {
	t.Helper()
	if diff := cmp.Diff(want, x.Queue()); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

// keys returns the runs and numbers of transitions, by id.
func keys(list []native.Transition) (all []string) {
	for _, x := range list {
		all = append(all, fmt.Sprintf("%s %d %s", x.Run.Format(time.TimeOnly), x.N, x.ID))
	}
	return all
}

func TestTransitionsWaitUntilTheyAreAcknowledged(t *testing.T) {
	isDown := true
	url, rc, _ := backend(t, receiver.Config{}, down(&isDown))
	x := reporter(t, url, statefile.File{})
	for n := range uint64(3) {
		if x.Report(t.Context(), withTransitions(calm(time.Duration(n)*time.Second), 1, n+1)) == nil {
			t.Fatal("the backend is down, and the report passes for told")
		}
	}
	wantQueue(t, x, report.Queue{Waiting: 3, Unsaved: 3})
	isDown = false
	for n := range 3 {
		if err := x.Report(t.Context(), withTransitions(calm(time.Duration(10+n)*time.Second), 1, 3)); err != nil {
			t.Fatal(err)
		}
	}
	wantQueue(t, x, report.Queue{})
	got := rc.Node("rl1/node2")
	want := []string{
		"11:00:00 1 20261122T110000.000000000Z/1", "11:00:00 2 20261122T110000.000000000Z/2", "11:00:00 3 20261122T110000.000000000Z/3",
	}
	if diff := cmp.Diff(want, keys(got.Transitions)); diff != "" || got.Repeated != 0 || len(got.Bodies) != 3 {
		t.Errorf("%d bodies, %d repeated, (-want +got):\n%s", len(got.Bodies), got.Repeated, diff)
	}
}

// Transitions that left the ring before they were queued are counted; those removed by
// a filter are not.
func TestGapsAreCounted(t *testing.T) {
	gap := func(r report.Report) report.Report { return r }
	filtered := report.Filter{NotRules: []string{"other"}}.Apply
	for _, c := range []struct {
		name   string
		filter func(report.Report) report.Report
		rings  [][]uint64 // numbers; 0: a transition of another rule
		want   report.Queue
	}{
		{"no gap", gap, [][]uint64{{1, 2}, {1, 2, 3}}, report.Queue{Waiting: 3, Unsaved: 3}},
		{"a gap", gap, [][]uint64{{1, 2}, {5, 6}}, report.Queue{Waiting: 4, Unsaved: 4, Dropped: 2}},
		{"a gap at the start", gap, [][]uint64{{4}}, report.Queue{Waiting: 1, Unsaved: 1, Dropped: 3}},
		{"filtered", filtered, [][]uint64{{1, 0, 3}, {0, 3, 0, 0, 6}}, report.Queue{Waiting: 3, Unsaved: 3}},
		{"all filtered", filtered, [][]uint64{{0, 0}, {0, 0, 3}}, report.Queue{Waiting: 1, Unsaved: 1}},
		{"all filtered, and gone", filtered, [][]uint64{{0, 0}, {3}}, report.Queue{Waiting: 1, Unsaved: 1}},
		{"filtered, and a gap", filtered, [][]uint64{{1, 0}, {5, 0}}, report.Queue{Waiting: 2, Unsaved: 2, Dropped: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := reporter(t, "http://192.0.2.1", statefile.File{})
			for _, ring := range c.rings {
				r := calm(0)
				for i, n := range ring {
					first := uint64(1)
					for j, m := range ring {
						if m != 0 {
							first = m - uint64(j)
							break
						}
					}
					one := withTransitions(calm(0), first+uint64(i), first+uint64(i)).Transitions[0]
					if n == 0 {
						one.Rule = "other"
					}
					r.Transitions = append(r.Transitions, one)
				}
				if err := x.Persist(c.filter(r)); err != nil {
					t.Fatal(err)
				}
			}
			wantQueue(t, x, c.want)
		})
	}
}

func TestAFullQueueDropsTheOldestAndCounts(t *testing.T) {
	isDown := true
	url, rc, rec := backend(t, receiver.Config{}, down(&isDown))
	x := reporter(t, url, statefile.File{})
	const all = native.MostWaiting + 250
	for from := uint64(1); from < all; from += 50 {
		if err := x.Persist(withTransitions(calm(0), from, from+49)); err != nil {
			t.Fatal(err)
		}
	}
	wantQueue(t, x, report.Queue{Waiting: native.MostWaiting, Unsaved: native.MostWaiting, Dropped: 250})
	isDown = false
	if err := x.Report(t.Context(), withTransitions(calm(time.Minute), all-199, all)); err != nil {
		t.Fatal(err)
	}
	got := rc.Node("rl1/node2")
	if n := len(got.Transitions); n != native.MostWaiting || got.Transitions[0].N != 251 || got.Transitions[n-1].N != all ||
		got.Repeated != 0 {
		t.Errorf("%d transitions, the first %d, %d repeated", n, got.Transitions[0].N, got.Repeated)
	}
	if b := got.Latest(); b.Dropped != 250 || b.Waiting != 0 {
		t.Errorf("the last body says %d dropped, %d waiting", b.Dropped, b.Waiting)
	}
	for _, q := range rec.Drain() {
		if n := len(plain(t, q)); n > native.MaxBody {
			t.Errorf("a body has %d bytes", n)
		}
	}
	wantQueue(t, x, report.Queue{Dropped: 250})
}

// A transition that is dropped while in transit, and arrives, is not lost.
func TestWhatArrivesIsNotDropped(t *testing.T) {
	var x *native.Reporter
	flood := true
	url, rc, _ := backend(t, receiver.Config{}, func(http.ResponseWriter, *http.Request) bool {
		for from := uint64(11); flood && from < native.MostWaiting; from += 50 {
			_ = x.Persist(withTransitions(calm(time.Second), from, from+49)) // kept nowhere
		}
		flood = false
		return false
	})
	x = reporter(t, url, statefile.File{})
	if err := x.Report(t.Context(), withTransitions(calm(0), 1, 10)); err != nil {
		t.Fatal(err)
	}
	wantQueue(t, x, report.Queue{})
	if got := rc.Node("rl1/node2"); len(got.Transitions) != native.MostWaiting+10 {
		t.Errorf("%d transitions arrived", len(got.Transitions))
	}
}

// Numbers begin again with each run; transitions waiting from an earlier one keep
// their id.
func TestRunsStayApart(t *testing.T) {
	isDown, dir := true, t.TempDir()
	url, rc, _ := backend(t, receiver.Config{}, down(&isDown))
	x := reporter(t, url, reporttest.StateFile(t, dir, "status"))
	first := withTransitions(calm(0), 1, 2)
	if err := x.Persist(first); err != nil {
		t.Fatal(err)
	}
	wantQueue(t, x, report.Queue{Waiting: 2})
	_ = x.Report(t.Context(), withTransitions(first, 3, 3)) // the backend is down; the third is not on disk
	wantQueue(t, x, report.Queue{Waiting: 3, Unsaved: 1})

	isDown = false
	again := calm(time.Minute)
	again.Started = reporttest.Noon.Add(30 * time.Second)
	again = withTransitions(again, 1, 2)
	y := reporter(t, url, reporttest.StateFile(t, dir, "status"))
	wantQueue(t, y, report.Queue{Waiting: 2})
	if err := y.Report(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"11:00:00 1 20261122T110000.000000000Z/1", "11:00:00 2 20261122T110000.000000000Z/2",
		"12:00:30 1 20261122T120030.000000000Z/1", "12:00:30 2 20261122T120030.000000000Z/2",
	}
	if diff := cmp.Diff(want, keys(rc.Node("rl1/node2").Transitions)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// A transition whose acknowledgement could not be stored is resent with the same id.
	z := reporter(t, url, reporttest.StateFile(t, dir, "status"))
	again.At = again.At.Add(time.Second)
	if err := z.Report(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	got := rc.Node("rl1/node2")
	if diff := cmp.Diff(want, keys(got.Transitions)); diff != "" || got.Repeated != 4 {
		t.Errorf("%d repeated, (-want +got):\n%s", got.Repeated, diff)
	}
	if err := z.Persist(again); err != nil {
		t.Fatal(err)
	}
	wantQueue(t, reporter(t, url, reporttest.StateFile(t, dir, "status")), report.Queue{})
}

// A reporter queues each transition of a run once, even if it is created again with
// another configuration.
func TestAReloadRepeatsNothing(t *testing.T) {
	dir := t.TempDir()
	url, rc, _ := backend(t, receiver.Config{}, nil)
	for n := range uint64(4) {
		x, r := reporter(t, url, reporttest.StateFile(t, dir, "status")), withTransitions(calm(time.Duration(n)*time.Second), 1, n)
		if err := x.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := x.Persist(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := rc.Node("rl1/node2"); len(got.Transitions) != 3 || got.Repeated != 0 {
		t.Errorf("%d transitions, %d repeated", len(got.Transitions), got.Repeated)
	}
}

// An unreadable or invalid state loses its content, and is reported.
func TestABrokenStateIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		err  bool
		want report.Queue
	}{
		"garbage": {"}{", true, report.Queue{}},
		"no rule": {`{"transitions": [{"id": "a/1", "n": 1, "from": "clear", "to": "info", "impact": "operational"}]}`, false,
			report.Queue{Dropped: 1}},
		"no number":       {`{"transitions": [{"id": "a/0", "rule": "r", "component": "c", "from": "clear", "to": "info", "impact": "operational"}]}`, false, report.Queue{Dropped: 1}},
		"no vocabulary":   {`{"transitions": [{"id": "a/1", "n": 1, "rule": "r", "component": "c", "from": "clear", "to": "sideways", "impact": "operational"}, {"id": ""}, {"id": "a/2", "n": 2, "rule": "r", "component": "c", "from": "info", "to": "info", "impact": "operational", "impact_from": "bad"}]}`, false, report.Queue{Dropped: 3}},
		"another's words": {`{"seq": 9007199254740993, "transitions": [{"id": "a/1", "n": 1, "rule": "r", "component": "c", "from": "clear", "to": "info", "impact": "operational"}]}`, false, report.Queue{Waiting: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "reporter-status.json"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			url, rc, _ := backend(t, receiver.Config{}, nil)
			x := reporter(t, url, reporttest.StateFile(t, dir, "status"))
			wantQueue(t, x, c.want)
			if err := x.Persist(calm(0)); (err != nil) != c.err {
				t.Errorf("the first Persist says %v", err)
			}
			if err := x.Persist(calm(0)); err != nil {
				t.Errorf("the second Keep says %v", err)
			}
			err := x.Report(t.Context(), withTransitions(calm(0), 1, 1))
			if got := rc.Node("rl1/node2"); err != nil || len(got.Transitions) != 1+c.want.Waiting {
				t.Errorf("after it %d transitions are reported: %v", len(got.Transitions), err)
			}
		})
	}
}

// Without a change of the queue nothing is written: a new state alone is not a
// reason.
func TestKeepWritesOnlyWhatChanged(t *testing.T) {
	dir := t.TempDir()
	url, _, _ := backend(t, receiver.Config{}, nil)
	x := reporter(t, url, reporttest.StateFile(t, dir, "status"))
	path := filepath.Join(dir, "reporter-status.json")
	step := func(r report.Report, written bool) {
		t.Helper()
		_ = os.Remove(path)
		if err := x.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := x.Persist(r); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); (err == nil) != written {
			t.Errorf("at %s: written: %v, want %v", r.At, err == nil, written)
		}
	}
	step(calm(0), false)
	step(withTransitions(calm(time.Second), 1, 1), true)
	step(withTransitions(calm(2*time.Second), 1, 1), false)
	step(withTransitions(calm(3*time.Second), 1, 2), true)
}

func TestKeepAndReportRunAtOnce(t *testing.T) {
	url, rc, _ := backend(t, receiver.Config{}, nil)
	x := reporter(t, url, reporttest.StateFile(t, t.TempDir(), "status"))
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range uint64(50) {
			if err := x.Persist(withTransitions(calm(0), 1, n+1)); err != nil {
				t.Error(err)
			}
		}
	})
	for n := range uint64(50) {
		if err := x.Report(t.Context(), withTransitions(calm(time.Duration(n)*time.Second), 1, n+1)); err != nil {
			t.Error(err)
		}
		_ = x.Queue()
	}
	wg.Wait()
	if err := x.Report(t.Context(), withTransitions(calm(time.Minute), 1, 50)); err != nil {
		t.Error(err)
	}
	if got := rc.Node("rl1/node2"); len(got.Transitions) != 50 || got.Repeated != 0 {
		t.Errorf("%d transitions, %d repeated", len(got.Transitions), got.Repeated)
	}
}

// Waiting transitions are written to disk even while a delivery hangs.
func TestKeepDoesNotWaitForADelivery(t *testing.T) {
	var x *native.Reporter
	dir := t.TempDir()
	url, _, _ := backend(t, receiver.Config{}, func(w http.ResponseWriter, _ *http.Request) bool {
		if err := x.Persist(withTransitions(calm(time.Second), 1, 5)); err != nil {
			t.Error(err)
		}
		wantQueue(t, x, report.Queue{Waiting: 5})
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	x = reporter(t, url, reporttest.StateFile(t, dir, "status"))
	if err := x.Report(t.Context(), withTransitions(calm(0), 1, 2)); err == nil {
		t.Error("the delivery passes for a success")
	}
	wantQueue(t, reporter(t, url, reporttest.StateFile(t, dir, "status")), report.Queue{Waiting: 5})
}
