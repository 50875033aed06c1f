package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/store"
)

// addOperators adds operators with the role viewer.
func addOperators(t *testing.T, b bench, names ...string) {
	t.Helper()
	b.update(t, func(tx *store.Tx) error {
		for _, name := range names {
			if err := tx.AddOperator(t.Context(), store.Operator{Name: name, Role: store.Viewer, Password: "hash of " + name,
				Created: noon}); err != nil {
				return err
			}
		}
		return nil
	})
}

func operators(t *testing.T, b bench) {
	addOperators(t, b, "lee", "kim")
	named := func(name string) (o store.Operator, found bool) {
		t.Helper()
		b.view(t, func(tx *store.Tx) (err error) {
			o, found, err = tx.OperatorNamed(t.Context(), name)
			return err
		})
		return o, found
	}
	kim, found := named("kim")
	if diff := cmp.Diff(store.Operator{ID: kim.ID, Name: "kim", Role: store.Viewer, Password: "hash of kim", Created: noon}, kim); !found ||
		diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"KIM", "kim ", "", "k%", "ki_"} {
		if o, found := named(name); found {
			t.Errorf("%q is %s", name, o.Name)
		}
	}
	err := b.Update(t.Context(), func(tx *store.Tx) error {
		return tx.AddOperator(t.Context(), store.Operator{Name: "kim", Role: store.Admin, Created: noon})
	})
	if err == nil || !strings.Contains(err.Error(), "operator kim already exists") {
		t.Errorf("a second kim: %v", err)
	}
	if o, _ := named("kim"); o.Role != store.Viewer {
		t.Errorf("the second one changed the first: %+v", o)
	}
	b.update(t, func(tx *store.Tx) error {
		if done, err := tx.SetPassword(t.Context(), "kim", "another"); !done || err != nil {
			t.Errorf("%v %v", done, err)
		}
		if done, err := tx.SetPassword(t.Context(), "nobody", "another"); done || err != nil {
			t.Errorf("nobody: %v %v", done, err)
		}
		if done, err := tx.RemoveOperator(t.Context(), "lee"); !done || err != nil {
			t.Errorf("%v %v", done, err)
		}
		if done, err := tx.RemoveOperator(t.Context(), "lee"); done || err != nil {
			t.Errorf("twice: %v %v", done, err)
		}
		return nil
	})
	b.view(t, func(tx *store.Tx) error {
		all, err := tx.Operators(t.Context())
		kim.Password = "another"
		if diff := cmp.Diff([]store.Operator{kim}, all); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

// A session ends when it expires, when it is ended, when there are too many, when its
// operator is removed, and when the password changes; sessions of other operators stay.
func sessions(t *testing.T, b bench) {
	addOperators(t, b, "kim", "lee")
	begin := func(operator string, begun time.Time) string {
		t.Helper()
		secret := store.NewSecret()
		b.update(t, func(tx *store.Tx) error {
			o, _, err := tx.OperatorNamed(t.Context(), operator)
			if err != nil {
				return err
			}
			return tx.StartSession(t.Context(), secret, o.ID, begun, begun.Add(time.Hour))
		})
		return secret
	}
	of := func(secret string, now time.Time) (name string) {
		t.Helper()
		b.view(t, func(tx *store.Tx) error {
			o, found, err := tx.SessionOf(t.Context(), secret, now)
			if found != (o.Name != "") {
				t.Errorf("%v %+v", found, o)
			}
			name = o.Name
			return err
		})
		return name
	}
	lees := begin("lee", noon)
	secret := begin("kim", noon)
	if of(secret, noon) != "kim" || of(secret, noon.Add(time.Hour)) != "" || of(secret+"x", noon) != "" || of("", noon) != "" {
		t.Error("a session is not its operator's until it expires")
	}
	b.update(t, func(tx *store.Tx) error { return tx.EndSession(t.Context(), secret) })
	if of(secret, noon) != "" {
		t.Error("it does not end")
	}
	var list []string
	for n := range 25 {
		list = append(list, begin("kim", noon.Add(time.Duration(n)*time.Second)))
	}
	now := noon.Add(time.Minute)
	for n, secret := range list {
		if want := n >= 5; (of(secret, now) == "kim") != want {
			t.Errorf("session %d of 25 lasts: %t, want %t", n, !want, want)
		}
	}
	b.update(t, func(tx *store.Tx) error {
		_, err := tx.SetPassword(t.Context(), "kim", "another")
		return err
	})
	last := begin("kim", now)
	if of(list[24], now) != "" || of(last, now) != "kim" || of(lees, now) != "lee" {
		t.Error("another password does not end the sessions, all of them, and nobody else's")
	}
	b.update(t, func(tx *store.Tx) error {
		_, err := tx.RemoveOperator(t.Context(), "kim")
		return err
	})
	if of(last, now) != "" || of(lees, now) != "lee" {
		t.Error("removing an operator does not end the sessions, all of them, and nobody else's")
	}
}

// A text that one database refuses is an error of neither database: its sender gets
// the same response as with any other text.
func hostileText(t *testing.T, b bench) {
	for _, text := range []string{"a\x00b", "a\xffb", "\xed\xa0\x80"} {
		b.update(t, func(tx *store.Tx) error {
			if _, found, err := tx.OperatorNamed(t.Context(), text); found || err != nil {
				t.Errorf("%q: %v %v", text, found, err)
			}
			if _, found, err := tx.Incident(t.Context(), text); found || err != nil {
				t.Errorf("%q: %v %v", text, found, err)
			}
			return tx.Audit(t.Context(), store.Entry{At: noon, Who: text, Action: "test"})
		})
	}
	b.view(t, func(tx *store.Tx) error {
		log, err := tx.AuditLog(t.Context(), 0, 10)
		for n, want := range []string{"\uFFFD", "a\uFFFDb", "a\uFFFDb"} {
			if len(log) != 3 || log[n].Who != want {
				t.Errorf("entry %d of %+v, want %q", n, log, want)
			}
		}
		return err
	})
}
