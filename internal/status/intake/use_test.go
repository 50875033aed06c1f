package intake_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/test/postgres"
)

// used returns when a token was last used, as the tokens page shows it.
func (b *bench) used(token string) (last time.Time) {
	b.t.Helper()
	b.update(func(tx *store.Tx) error {
		k, _, err := tx.TokenOf(b.t.Context(), b.tokens[token])
		last = k.Used
		return err
	})
	return last
}

// A successful request is recorded as the use of its token, at most once a minute; a
// refused one is not.
func TestLastUse(t *testing.T) {
	seq := uint64(7)
	report := func(change func(*native.Body)) func(*bench) int {
		return func(b *bench) int {
			seq++
			code, _ := b.answer(b.request(with(func(x *native.Body) { x.Seq = seq; change(x) })))
			return code
		}
	}
	push := func(status string) func(*bench) int {
		return func(b *bench) int {
			code, _ := b.post("/v1/components/webmail", "push webmail", form, "status="+status)
			return code
		}
	}
	join := func(nodes ...string) func(*bench) int {
		return func(b *bench) int {
			code, _ := b.post("/v1/join", "join rl1/*", "application/json", `{"node":"`+nodes[0]+`"}`)
			nodes = nodes[1:]
			return code
		}
	}
	alerts := func(version string) func(*bench) int {
		return func(b *bench) int {
			code, _ := b.post("/v1/alertmanager", "alertmanager ", "application/json", `{"version":"`+version+`","alerts":[]}`)
			return code
		}
	}
	for name, c := range map[string]struct {
		token      string
		good, bad  func(*bench) int
		refusedFor int
	}{
		"report": {"node rl1/node2", report(func(*native.Body) {}), report(func(x *native.Body) { x.Node.ID = "rl1/node3" }),
			http.StatusForbidden},
		"test report": {"node rl1/node2", report(func(x *native.Body) { x.Test = "by hand" }),
			report(func(x *native.Body) { x.Status = "fine" }), http.StatusUnprocessableEntity},
		"push":         {"push webmail", push("operational"), push("fine"), http.StatusUnprocessableEntity},
		"join":         {"join rl1/*", join("rl1/node7", "rl1/node8", "rl1/node9"), join("rl2/node1"), http.StatusForbidden},
		"alertmanager": {"alertmanager ", alerts("4"), alerts("5"), http.StatusUnprocessableEntity},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, postgres.SQLite)
			if code := c.bad(b); code != c.refusedFor {
				t.Fatalf("refused with %d, want %d", code, c.refusedFor)
			}
			if got := b.used(c.token); !got.IsZero() {
				t.Errorf("a request that was refused is noted: %v", got)
			}
			for _, step := range []struct{ after, noted time.Duration }{{0, 0}, {59 * time.Second, 0}, {time.Minute, time.Minute}} {
				b.now = noon.Add(step.after)
				if code := c.good(b); code != http.StatusOK {
					t.Fatalf("after %s: %d", step.after, code)
				}
				if got := b.used(c.token); !got.Equal(noon.Add(step.noted)) {
					t.Errorf("after %s: noted %v, want %v", step.after, got, noon.Add(step.noted))
				}
			}
		})
	}
}
