package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/test/postgres"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A bench is an empty database and a function to open it again.
type bench struct {
	*store.Store
	address config.Address
}

func open(t *testing.T, address string) bench {
	t.Helper()
	a, err := config.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	a.NoSync = true
	s, err := store.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return bench{s, a}
}

func (b bench) update(t *testing.T, f func(*store.Tx) error) {
	t.Helper()
	if err := b.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func (b bench) view(t *testing.T, f func(*store.Tx) error) {
	t.Helper()
	if err := b.View(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// The same tests run on both databases.
func TestStore(t *testing.T) {
	sqlite := func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "status.db") }
	t.Run("SQLite", func(t *testing.T) { suite(t, sqlite) })
	t.Run("PostgreSQL", func(t *testing.T) {
		server := postgres.Start(t)
		suite(t, func(t *testing.T) string { return server.Schema(t) })
		t.Run("Migrate", func(t *testing.T) { copied(t, open(t, sqlite(t)), open(t, server.Schema(t))) })
		t.Run("Backup", func(t *testing.T) { backedUp(t, open(t, server.Schema(t))) })
	})
	t.Run("Backup", func(t *testing.T) { backedUp(t, open(t, sqlite(t))) })
}

func suite(t *testing.T, address func(*testing.T) string) {
	for name, test := range map[string]func(*testing.T, bench){
		"Nodes": nodes, "Timelines": timelines, "Transitions": transitions, "Tokens": tokens, "LastUse": lastUse, "Leases": leases,
		"Gaps": gaps, "Prune": prune,
		"Incidents": incidents, "Declared": declared, "ChangesByHand": changesByHand, "Maintenances": maintenances, "Rollback": rollback,
		"Alerts": alerts, "Reopen": reopen, "Operators": operators, "Sessions": sessions, "HostileText": hostileText, "Requests": requests,
		"Writers": writers,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t, address(t))) })
	}
}

func body(key string) native.Body {
	return native.Body{
		Schema: native.Schema, Node: native.Node{ID: key, Name: "node2", Site: "rl1"}, Seq: 1<<53 - 1, SentAt: noon, Interval: 30, TTL: 100,
		Status: report.Operational,
		Agent:  native.Agent{Version: "1.2.3", Boot: "b1", Started: noon.Add(-time.Hour)},
		Components: []native.Component{{ID: "storage", Status: report.Operational, State: report.Seen, Since: noon,
			Summary: "storage: operational"}},
		Findings: []report.Finding{}, Transitions: []native.Transition{},
	}
}

func nodes(t *testing.T, b bench) {
	p := store.Presence{
		Boot: "b1", Started: noon.Add(-time.Hour + 7), Seq: 1<<53 - 1, Sent: noon, Arrived: noon.Add(time.Second),
		Interval: 30 * time.Second, TTL: 100 * time.Second,
		Final: "reboot", Digest: "x", Answered: []native.Response{{Accepted: 3, ServerTime: noon}}, Silent: noon.Add(time.Minute),
	}
	before := store.Presence{
		Boot: "b0", Started: noon.Add(-2 * time.Hour), Seq: 1, Sent: noon.Add(-time.Minute), Arrived: noon.Add(-time.Minute),
		Interval: time.Minute, TTL: 200 * time.Second,
		Digest: "y", Answered: []native.Response{{Accepted: 1, ServerTime: noon}}, Silence: "no_report",
	}
	old := body("rl1/node2")
	old.Node.Name, old.Node.Site, old.Agent.Version = "old", "rl0", "1.2.2"
	var id int64
	for _, x := range []struct { // created, then with a change of every field that can change
		body     native.Body
		presence store.Presence
	}{{old, before}, {body("rl1/node2"), p}} {
		b.update(t, func(tx *store.Tx) (err error) {
			if id, err = tx.SaveBody(t.Context(), x.body, noon); err != nil {
				return err
			}
			return tx.SavePresence(t.Context(), id, x.presence)
		})
	}
	b.view(t, func(tx *store.Tx) error {
		list, err := tx.Nodes(t.Context())
		want := []store.Node{{ID: id, Key: "rl1/node2", Name: "node2", Site: "rl1", Version: "1.2.3", FirstSeen: noon,
			Body: body("rl1/node2"), BodyAt: noon, Presence: p}}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Error(diff)
		}
		return err
	})
	b.update(t, func(tx *store.Tx) error {
		got, found, err := tx.Presence(t.Context(), "rl1/node3")
		if got != 0 || !found.Arrived.IsZero() {
			t.Errorf("a node that never reported: %d %+v", got, found)
		}
		return err
	})
	b.update(t, func(tx *store.Tx) error {
		gone, err := tx.DeleteNode(t.Context(), "rl1/node2")
		if !gone {
			t.Error("it is not deleted")
		}
		return err
	})
	b.view(t, func(tx *store.Tx) error {
		if _, found, err := tx.Node(t.Context(), "rl1/node2"); found || err != nil {
			t.Errorf("it is still there: %v", err)
		}
		return nil
	})
}

func change(minute int, state report.Impact) uptime.Change {
	return uptime.Change{At: noon.Add(time.Duration(minute) * time.Minute), State: state}
}

func timelines(t *testing.T, b bench) {
	key := store.Key{Kind: store.Checked, Name: "web"}
	bad := change(10, report.MajorOutage)
	bad.Reason, bad.Backfilled = "no_answer", true
	rewrite := func(from int, changes ...uptime.Change) {
		t.Helper()
		b.update(t, func(tx *store.Tx) error {
			id, err := tx.Signal(t.Context(), key, store.Signal{Summary: "x"})
			if err != nil {
				return err
			}
			return tx.Rewrite(t.Context(), id, noon.Add(time.Duration(from)*time.Minute), changes)
		})
	}
	recorded := func(from int, want ...uptime.Change) {
		t.Helper()
		b.view(t, func(tx *store.Tx) error {
			got, err := tx.Timelines(t.Context(), []store.Key{key, {Kind: store.Checked, Name: "none"}},
				noon.Add(time.Duration(from)*time.Minute))
			if diff := cmp.Diff(map[store.Key]uptime.Timeline{key: want}, got); diff != "" {
				t.Error(diff)
			}
			return err
		})
	}
	rewrite(0, change(0, report.Operational), bad, change(20, report.Operational))
	recorded(0, change(0, report.Operational), bad, change(20, report.Operational))
	recorded(15, bad, change(20, report.Operational))
	rewrite(5, change(5, report.PartialOutage))
	recorded(0, change(0, report.Operational), change(5, report.PartialOutage))
	rewrite(5)
	recorded(0, change(0, report.Operational))
	rewrite(7, change(7, report.Unknown), change(7, report.DegradedPerformance)) // of two changes at the same time, the last one counts
	recorded(0, change(0, report.Operational), change(7, report.DegradedPerformance))
	b.view(t, func(tx *store.Tx) error {
		got, err := tx.States(t.Context(), store.Checked, "")
		if diff := cmp.Diff(map[string]uptime.Change{"web": change(7, report.DegradedPerformance)}, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

func transitions(t *testing.T, b bench) {
	x := native.Transition{ID: "run/1", Run: noon.Add(time.Nanosecond),
		Transition: report.Transition{N: 1, At: noon, Rule: "r", Subject: "bond0", Component: "storage", From: "clear", To: "warning",
			Impact: report.PartialOutage, ImpactFrom: report.Operational, Summary: "s"}}
	b.update(t, func(tx *store.Tx) error {
		id, err := tx.SaveBody(t.Context(), body("rl1/node2"), noon)
		if err != nil {
			return err
		}
		for _, want := range []bool{true, false} {
			if added, err := tx.AddTransition(t.Context(), id, x, noon); added != want || err != nil {
				t.Errorf("added %v, want %v: %v", added, want, err)
			}
		}
		got, err := tx.Transitions(t.Context(), id, noon, 10)
		if diff := cmp.Diff([]native.Transition{x}, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

func tokens(t *testing.T, b bench) {
	secrets := []string{store.NewSecret(), store.NewSecret(), store.NewSecret()}
	issue := func(n int) error {
		return b.Update(t.Context(), func(tx *store.Tx) error {
			return tx.IssueToken(t.Context(), secrets[n], store.Token{Kind: store.NodeToken, Subject: "rl1/node2", Label: "l",
				Created: noon, CreatedBy: "kim", Expires: noon.Add(time.Hour)})
		})
	}
	if err := errors.Join(issue(0), issue(1)); err != nil {
		t.Fatal(err)
	}
	if err := issue(2); err == nil || !strings.Contains(err.Error(), "revoke one first (token 1") {
		t.Errorf("a third one: %v", err)
	}
	b.update(t, func(tx *store.Tx) error {
		if done, err := tx.RevokeToken(t.Context(), 1, noon); !done || err != nil {
			t.Errorf("not revoked: %v", err)
		}
		return nil
	})
	if err := issue(2); err != nil {
		t.Errorf("in place of a revoked one: %v", err)
	}
	b.view(t, func(tx *store.Tx) error {
		for n, valid := range []bool{false, true, true} {
			k, known, err := tx.TokenOf(t.Context(), secrets[n])
			if !known || k.Valid(noon) != valid || k.Valid(noon.Add(time.Hour)) || err != nil {
				t.Errorf("token %d: %+v %v", n, k, err)
			}
		}
		if _, known, err := tx.TokenOf(t.Context(), store.NewSecret()); known || err != nil {
			t.Errorf("an unknown token is known: %v", err)
		}
		log, err := tx.AuditLog(t.Context(), 0, 10)
		if len(log) != 3 || log[0].Action != "token.create" || log[0].Who != "kim" || strings.Contains(fmt.Sprint(log), store.TokenPrefix) {
			t.Errorf("%+v", log)
		}
		return err
	})
}

// The last use is recorded to the minute, and never decreases.
func lastUse(t *testing.T, b bench) {
	secret := store.NewSecret()
	for n, c := range []struct{ seen, now, noted time.Duration }{
		{-1, 0, 0}, {0, 59 * time.Second, 0}, {0, time.Minute, time.Minute}, {0, 90 * time.Second, 90 * time.Second},
		{0, 80 * time.Second, 90 * time.Second}, // used on another hub whose clock is behind
	} {
		b.update(t, func(tx *store.Tx) error {
			if n == 0 {
				if err := tx.IssueToken(t.Context(), secret, store.Token{Kind: store.AlertmanagerToken, Created: noon}); err != nil {
					return err
				}
			}
			k, _, err := tx.TokenOf(t.Context(), secret)
			if err != nil {
				return err
			}
			if c.seen >= 0 {
				k.Used = noon.Add(c.seen)
			}
			if err := tx.UseToken(t.Context(), k, noon.Add(c.now)); err != nil {
				return err
			}
			k, _, err = tx.TokenOf(t.Context(), secret)
			if !k.Used.Equal(noon.Add(c.noted)) {
				t.Errorf("step %d: %v, want %v", n, k.Used, noon.Add(c.noted))
			}
			return err
		})
	}
}

func leases(t *testing.T, b bench) {
	held := func(holder string, ttl time.Duration) (got bool) {
		t.Helper()
		b.update(t, func(tx *store.Tx) (err error) {
			got, err = tx.Lease(t.Context(), "work", holder, ttl)
			return err
		})
		return got
	}
	if !held("a", time.Hour) || held("b", time.Hour) || !held("a", -time.Second) || !held("b", time.Hour) || held("a", time.Hour) {
		t.Error("the lease is not with one holder until it expires")
	}
}

func gaps(t *testing.T, b bench) {
	for _, beat := range []struct {
		hub    string
		second int
	}{{"a", 0}, {"a", 5}, {"b", 12}, {"a", 100}, {"b", 101}} {
		b.update(t, func(tx *store.Tx) error {
			return tx.Beat(t.Context(), beat.hub, noon, noon.Add(time.Duration(beat.second)*time.Second), 15*time.Second)
		})
	}
	b.view(t, func(tx *store.Tx) error {
		got, err := tx.Gaps(t.Context(), noon)
		if diff := cmp.Diff([]store.Gap{{noon.Add(12 * time.Second), noon.Add(100 * time.Second)}}, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

// Everything that is in force stays, however old. Old entries that are no longer in force
// are deleted, a few rows at a time; all others stay.
func prune(t *testing.T, b bench) {
	key := store.Key{Kind: store.Pushed, Name: "web"}
	early, late := noon.Add(time.Minute), noon.Add(9*time.Minute)
	var node int64
	expired, revoked, valid, later := store.NewSecret(), store.NewSecret(), store.NewSecret(), store.NewSecret()
	old, current := store.NewSecret(), store.NewSecret() // of sessions
	b.update(t, func(tx *store.Tx) error {
		id, err := tx.Signal(t.Context(), key, store.Signal{})
		if err != nil {
			return err
		}
		err = tx.Rewrite(t.Context(), id, noon, uptime.Timeline{change(0, report.Operational), change(1, report.MajorOutage),
			change(2, report.Operational), change(9, report.MajorOutage)})
		var made error
		node, made = tx.SaveBody(t.Context(), body("rl1/node2"), noon)
		for n, at := range []time.Time{early, early, late} {
			_, added := tx.AddTransition(t.Context(), node, native.Transition{ID: fmt.Sprint(n),
				Transition: report.Transition{At: at, Rule: "r", From: "clear", To: "info"}}, noon)
			err = errors.Join(err, added)
		}
		for secret, expires := range map[string]time.Time{expired: early, revoked: {}, valid: {}, later: late} {
			err = errors.Join(err, tx.IssueToken(t.Context(), secret, store.Token{Kind: store.AlertmanagerToken, Created: noon,
				Expires: expires}))
		}
		k, _, found := tx.TokenOf(t.Context(), revoked)
		_, ended := tx.RevokeToken(t.Context(), k.ID, early)
		err = errors.Join(err, made, found, ended, tx.AddOperator(t.Context(),
			store.Operator{Name: "kim", Role: store.Viewer, Created: noon}))
		operator, _, found := tx.OperatorNamed(t.Context(), "kim")
		return errors.Join(err, found,
			tx.StartSession(t.Context(), old, operator.ID, noon, early), tx.StartSession(t.Context(), current, operator.ID, noon, late),
			tx.Beat(t.Context(), "a", noon, noon, time.Second), tx.Beat(t.Context(), "b", noon, early, time.Second),
			tx.Beat(t.Context(), "c", noon, late, time.Second))
	})
	// Two changes, transitions, tokens and hubs are old, and one session and gap.
	for n, want := range []int64{6, 4, 0} {
		b.update(t, func(tx *store.Tx) error {
			deleted, err := tx.Prune(t.Context(), noon.Add(5*time.Minute), 1)
			if deleted != want {
				t.Errorf("call %d: %d deleted, want %d", n, deleted, want)
			}
			return err
		})
	}
	b.view(t, func(tx *store.Tx) error {
		got, err := tx.Timelines(t.Context(), []store.Key{key}, noon)
		if diff := cmp.Diff(uptime.Timeline{change(2, report.Operational), change(9, report.MajorOutage)}, got[key]); diff != "" {
			t.Error(diff)
		}
		list, read := tx.Transitions(t.Context(), node, noon, 10)
		if len(list) != 1 || list[0].ID != "2" {
			t.Errorf("transitions: %+v", list)
		}
		err = errors.Join(err, read)
		for secret, want := range map[string]bool{expired: false, revoked: false, valid: true, later: true} {
			k, known, read := tx.TokenOf(t.Context(), secret)
			if known != want {
				t.Errorf("token %+v: known %v, want %v", k, known, want)
			}
			err = errors.Join(err, read)
		}
		if _, known, read := tx.SessionOf(t.Context(), current, noon); !known || read != nil {
			t.Errorf("a session that lasts is gone: %v", read)
		}
		gaps, read := tx.Gaps(t.Context(), noon)
		if diff := cmp.Diff([]store.Gap{{early, late}}, gaps); diff != "" {
			t.Error(diff)
		}
		return errors.Join(err, read)
	})
}

func rollback(t *testing.T, b bench) {
	stop := errors.New("stop")
	err := b.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.Audit(t.Context(), store.Entry{At: noon, Who: "operator", Action: "token.create"}), stop)
	})
	if !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	b.view(t, func(tx *store.Tx) error {
		if list, err := tx.AuditLog(t.Context(), 0, 10); len(list) > 0 || err != nil {
			t.Errorf("kept: %v, %v", list, err)
		}
		return nil
	})
	if err := b.View(t.Context(), func(tx *store.Tx) error { return tx.Audit(t.Context(), store.Entry{At: noon}) }); err == nil {
		t.Error("a view may write")
	}
}

func alerts(t *testing.T, b bench) {
	b.update(t, func(tx *store.Tx) error {
		return errors.Join(
			tx.Fire(t.Context(), store.Alert{Fingerprint: "1", Component: "web", Impact: report.DegradedPerformance, Name: "Slow",
				Starts: noon}),
			tx.Fire(t.Context(), store.Alert{Fingerprint: "2", Component: "web", Impact: report.MajorOutage, Name: "Down", Starts: noon}),
			tx.Fire(t.Context(), store.Alert{Fingerprint: "2", Component: "web", Impact: report.PartialOutage, Name: "Down", Starts: noon}))
	})
	for _, want := range []report.Impact{report.PartialOutage, report.DegradedPerformance} {
		b.update(t, func(tx *store.Tx) error {
			a, err := tx.WorstAlert(t.Context(), "web")
			if a.Impact != want {
				t.Errorf("%+v, want %s", a, want)
			}
			return errors.Join(err, tx.Resolve(t.Context(), "2"))
		})
	}
	b.view(t, func(tx *store.Tx) error {
		a, err := tx.WorstAlert(t.Context(), "mail")
		if a.Impact != report.Operational {
			t.Errorf("%+v", a)
		}
		return err
	})
}

// Opening a database again changes nothing; several hubs may open it at once.
func reopen(t *testing.T, b bench) {
	b.update(t, func(tx *store.Tx) error { return tx.Audit(t.Context(), store.Entry{At: noon, Who: "kim"}) })
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			s, err := store.Open(t.Context(), b.address)
			if err != nil {
				t.Error(err)
				return
			}
			err = s.View(t.Context(), func(tx *store.Tx) error {
				log, err := tx.AuditLog(t.Context(), 0, 10)
				if len(log) != 1 {
					t.Errorf("%d entries", len(log))
				}
				return err
			})
			if err := errors.Join(err, s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// Concurrent writers lose nothing.
func writers(t *testing.T, b bench) {
	other, err := store.Open(t.Context(), b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}()
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			s := b.Store
			if n%2 == 1 {
				s = other
			}
			for k := range 10 {
				err := s.Update(t.Context(), func(tx *store.Tx) error {
					id, err := tx.SaveBody(t.Context(), body(fmt.Sprintf("rl1/node%d", k)), noon)
					if err != nil {
						return err
					}
					if err := tx.SavePresence(t.Context(), id, store.Presence{Started: noon, Sent: noon, Arrived: noon}); err != nil {
						return err
					}
					_, err = tx.AddTransition(t.Context(), id, native.Transition{ID: fmt.Sprint(n),
						Transition: report.Transition{At: noon}}, noon)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.view(t, func(tx *store.Tx) error {
		for k := range 10 {
			n, _, err := tx.Node(t.Context(), fmt.Sprintf("rl1/node%d", k))
			if err != nil {
				return err
			}
			if list, err := tx.Transitions(t.Context(), n.ID, noon, 100); len(list) != 8 || err != nil {
				t.Errorf("node %d: %d transitions, want 8: %v", k, len(list), err)
			}
		}
		return nil
	})
}
