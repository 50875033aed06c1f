package checks

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), config.Address{Path: filepath.Join(t.TempDir(), "status.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test no longer needs the data
	return s
}

// of returns a configuration with checks of components a, b, c...
func of(concurrent int, every time.Duration, addresses ...string) config.Config {
	c := config.Config{Checks: config.Checks{Concurrent: concurrent}, Groups: []config.Group{{}}}
	for i, address := range addresses {
		k := &config.Check{Prober: "http", Address: address, Every: every, Timeout: 10 * time.Second, Failure: report.MajorOutage,
			Probe: blackbox.DefaultModule}
		c.Groups[0].Components = append(c.Groups[0].Components, config.Component{ID: string(rune('a' + i)), Check: k})
	}
	return c
}

func timeline(t *testing.T, s *store.Store, name string) (line uptime.Timeline) {
	t.Helper()
	k := store.Key{Kind: store.Checked, Name: name}
	if err := s.View(t.Context(), func(tx *store.Tx) error {
		lines, err := tx.Timelines(t.Context(), []store.Key{k}, time.Time{}.Add(time.Hour))
		line = lines[k]
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return line
}

// waitFor calls do until the timeline of a ends as wanted.
func waitFor(t *testing.T, s *store.Store, want string, do func()) uptime.Timeline {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		do()
		var states []string
		line := timeline(t, s, "a")
		for _, c := range line {
			states = append(states, string(c.State))
		}
		if got := strings.Join(states, " "); got == want {
			return line
		} else if time.Now().After(deadline) {
			t.Fatalf("%q, want %q", got, want)
		}
		time.Sleep(time.Millisecond)
	}
}

// One of two hubs runs the checks; when it ends, the other one continues from the
// recorded state.
func TestOneHubChecks(t *testing.T) {
	var broken atomic.Bool
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if broken.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(srv.Close)
	s := openStore(t)
	start := func(name string) (*Runner, func()) {
		r := New(s, name)
		r.Set(of(4, 20*time.Millisecond, srv.URL))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		return r, func() { stop(); <-ended }
	}
	record := func(r *Runner, leaseFor time.Duration) {
		t.Helper()
		if err := r.Record(t.Context(), leaseFor); err != nil {
			t.Fatal(err)
		}
	}
	first, stop := start("first")
	record(first, time.Hour)
	second, stopSecond := start("second")
	t.Cleanup(stopSecond)
	both := func() { record(first, time.Hour); record(second, time.Hour) }
	waitFor(t, s, "operational", both)
	before := time.Now()
	broken.Store(true)
	line := waitFor(t, s, "operational major_outage", both)
	if line[1].Reason != Failed || line[1].At.Before(before.Add(-time.Second)) {
		t.Errorf("%+v", line)
	}
	if n := second.Count(time.Now()); n.Active || n.Good+n.Bad+n.Blind != 0 {
		t.Errorf("the hub without the lease: %+v", n)
	}
	stop()
	if err := s.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Lease(t.Context(), "checks", "first", -time.Hour) // it ends
		return err
	}); err != nil {
		t.Fatal(err)
	}
	broken.Store(false)
	waitFor(t, s, "operational major_outage operational", func() { record(second, time.Hour) })
	if n := second.Count(time.Now()); !n.Active || n.Good < confirm {
		t.Errorf("the hub with the lease: %+v", n)
	}
	if latest := second.Latest(); len(latest) != 1 || latest[0].Component != "a" || latest[0].State.State != report.Operational ||
		latest[0].At.IsZero() {
		t.Errorf("%+v", latest)
	}
}

// No more checks run at once than the limit allows, and each gets its turn.
func TestBudget(t *testing.T) {
	var now, most atomic.Int64
	var asked [26]atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			continue
		}
		asked[q.URL.Path[1]-'a'].Store(true)
		time.Sleep(time.Millisecond) // so that checks overlap
	}))
	t.Cleanup(srv.Close)
	var addresses []string
	for i := range 20 {
		addresses = append(addresses, srv.URL+"/"+string(rune('a'+i)))
	}
	s := openStore(t)
	r := New(s, "hub")
	r.Set(of(3, 10*time.Millisecond, addresses...))
	if err := r.Record(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	all := func() bool {
		for i := range 20 {
			if !asked[i].Load() {
				return false
			}
		}
		return true
	}
	for deadline := time.Now().Add(time.Minute); !all(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("some checks never had their turn")
		}
	}
	stop()
	<-ended
	if n := most.Load(); n > 3 {
		t.Errorf("%d at once", n)
	}
}

// A check whose probe changes starts again; an unchanged one keeps its state.
func TestReload(t *testing.T) {
	r := New(nil, "hub")
	r.Set(of(1, time.Minute, "http://127.0.0.1:1/", "http://127.0.0.1:2/"))
	for _, e := range r.list {
		e.streak.now.State = report.MajorOutage
	}
	r.Set(of(1, time.Hour, "http://127.0.0.1:1/", "http://127.0.0.1:3/", "http://127.0.0.1:4/"))
	var states []string
	for _, k := range r.Latest() {
		states = append(states, k.Component+" "+string(k.State.State))
	}
	if got := strings.Join(states, ","); got != "a major_outage,b ,c " {
		t.Error(got)
	}
}

// While checks run, the configuration is reloaded and several readers read the states: the
// states shown belong to one configuration, and each check is shown with its own address.
func TestReloadWhileChecksRun(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { _, _ = w.Write([]byte(q.URL.Path)) }))
	t.Cleanup(srv.Close)
	configurations := []config.Config{
		of(4, time.Millisecond, srv.URL+"/1", srv.URL+"/2", srv.URL+"/3"),
		of(2, 2*time.Millisecond, srv.URL+"/1", srv.URL+"/other"),
		of(8, time.Millisecond),
	}
	shows := map[string]bool{}
	for _, c := range configurations {
		r := New(nil, "hub")
		r.Set(c)
		shows[asks(r.Latest())] = true
	}
	if len(shows) != 3 {
		t.Fatalf("the configurations show %v", shows)
	}
	s := openStore(t)
	r := New(s, "hub")
	r.Set(configurations[0])
	if err := r.Record(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var all sync.WaitGroup
	all.Go(func() { r.Run(ctx) })
	all.Go(func() {
		for ctx.Err() == nil {
			if got := asks(r.Latest()); !shows[got] {
				t.Errorf("what is shown is of no configuration: %q", got)
			}
			_ = r.Count(time.Now())
		}
	})
	all.Go(func() {
		for ctx.Err() == nil {
			if err := r.Record(ctx, time.Hour); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for n := 0; (n < 300 || r.Count(time.Now()).Good < 50) && ctx.Err() == nil; n++ {
		r.Set(configurations[n%3])
	}
	r.Set(configurations[0])
	waitFor(t, s, "operational", func() {})
	stop()
	all.Wait()
	if n := r.running; n != 0 {
		t.Errorf("%d checks are counted as running", n)
	}
}

// asks returns the probes that are shown.
func asks(list []Latest) string {
	var all []string
	for _, k := range list {
		all = append(all, k.Component+" "+k.Asks)
	}
	return strings.Join(all, ", ")
}
