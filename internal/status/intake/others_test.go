package intake_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/test/postgres"
)

// post sends a body with a token.
func (b *bench) post(path, token, kind, body string) (code int, text string) {
	b.t.Helper()
	q := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	q.Header.Set("Content-Type", kind)
	q.Header.Set("Authorization", "Bearer "+b.tokens[token])
	return b.answer(q)
}

const form = "application/x-www-form-urlencoded"

func push(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	key := store.Key{Kind: store.Pushed, Name: "webmail"}
	for n, c := range []struct {
		kind, body string
		code       int
		says       string
	}{
		{form, "status=operational", 200, "server_time"},
		{form, "status=operational&summary=fine&ttl_s=300", 200, ""},
		{"application/json", `{"status": "major_outage", "summary": "IMAP is down", "ttl_s": 300}`, 200, ""},
		{form, "status=fine", 422, "must be one of operational"},
		{form, "status=operational&status=operational", 422, "twice"},
		{form, "state=operational", 422, "valid are status, summary, ttl_s"},
		{form, "status=operational&ttl_s=-1", 422, "ttl_s"},
		{form, "status=operational&ttl_s=99999999999", 422, "ttl_s"},
		{form, "status=operational&summary=" + strings.Repeat("x", 301), 422, "summary"},
		{form, strings.Repeat("x", 9000), 413, `"max_bytes":8192`},
		{"text/plain", "status=operational", 415, ""},
		{"application/json", "{", 422, ""},
	} {
		b.now = noon.Add(time.Duration(n) * time.Minute)
		if code, text := b.post("/v1/components/webmail", "push webmail", c.kind, c.body); code != c.code ||
			!strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s, want %d saying %s", c.body, code, text, c.code, c.says)
		}
	}
	if diff := cmp.Diff([]string{"12:00:00 operational", "12:02:00 major_outage"}, b.line(key)); diff != "" {
		t.Error(diff)
	}
	if code, _ := b.post("/v1/components/other", "push webmail", form, "status=operational"); code != http.StatusForbidden {
		t.Errorf("another component: %d", code)
	}
	if code, _ := b.post("/v1/components/webmail", "node rl1/node2", form, "status=operational"); code != http.StatusForbidden {
		t.Errorf("a node's token: %d", code)
	}
	var expired int
	b.update(func(tx *store.Tx) error {
		list, err := tx.Expired(t.Context(), noon.Add(time.Hour), 10)
		expired = len(list)
		return err
	})
	if expired != 1 {
		t.Errorf("%d expired, want 1", expired)
	}
}

func alert(fingerprint, status, component, severity string, starts time.Time) string {
	return fmt.Sprintf(`{"status":%q,"fingerprint":%q,"startsAt":%q,"labels":{"alertname":"Down","component":%q,"severity":%q}}`, status,
		fingerprint, starts.Format(time.RFC3339), component, severity)
}

func alertmanager(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	send := func(minute int, alerts ...string) (int, string) {
		b.now = noon.Add(time.Duration(minute) * time.Minute)
		return b.post("/v1/alertmanager", "alertmanager ", "application/json",
			`{"version":"4","status":"firing","alerts":[`+strings.Join(alerts, ",")+`]}`)
	}
	began := noon.Add(30 * time.Second)
	for n, c := range []struct {
		alerts []string
		says   string
	}{
		{nil, `{"taken":0,"ignored":0}`},
		{[]string{alert("1", "firing", "web", "warning", began), alert("2", "firing", "", "critical", began)}, `{"taken":1,"ignored":1}`},
		{[]string{alert("3", "firing", "web", "critical", began.Add(time.Minute))}, `"taken":1`},
		{[]string{alert("1", "firing", "web", "warning", began)}, ``}, // again: changes nothing
		{[]string{alert("3", "resolved", "web", "critical", began)}, ``},
		{[]string{alert("1", "resolved", "web", "warning", began)}, ``},
	} {
		if code, text := send(n, c.alerts...); code != http.StatusOK || !strings.Contains(text, c.says) {
			t.Errorf("step %d: %d %s", n, code, text)
		}
	}
	want := []string{"12:00:30 degraded_performance", "12:01:30 major_outage", "12:04:00 degraded_performance", "12:05:00 operational"}
	if diff := cmp.Diff(want, b.line(store.Key{Kind: store.Alerted, Name: "web"})); diff != "" {
		t.Error(diff)
	}
	for body, want := range map[string]int{"{": 422, `{"version":"5"}`: 422, strings.Repeat(" ", 1<<20+1): 413,
		`{"version":"4","alerts":[` + strings.Repeat("{},", 1000) + "{}]}": 422} {
		if code, text := b.post("/v1/alertmanager", "alertmanager ", "application/json", body); code != want {
			t.Errorf("%.30s: %d %s, want %d", body, code, text, want)
		}
	}
}

func join(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	join := func(node string) (int, string) {
		return b.post("/v1/join", "join rl1/*", "application/json", fmt.Sprintf(`{"node":%q}`, node))
	}
	code, text := join("rl1/node9")
	var got struct{ Token string }
	if err := json.Unmarshal([]byte(text), &got); err != nil || code != http.StatusOK || !strings.HasPrefix(got.Token, store.TokenPrefix) {
		t.Fatalf("%d %s %v", code, text, err)
	}
	b.tokens["node rl1/node9"] = got.Token
	x := good()
	x.Node.ID = "rl1/node9"
	q := b.request(x)
	q.Header.Set("Authorization", "Bearer "+got.Token)
	if code, text := b.answer(q); code != http.StatusOK {
		t.Errorf("with the new token: %d %s", code, text)
	}
	for node, want := range map[string]int{"rl1/node9": 409, "rl1/node2": 409, "rl2/node1": 403, "rl1/a/b": 403, "": 422,
		"two words": 422} {
		if code, text := join(node); code != want {
			t.Errorf("%q: %d %s, want %d", node, code, text, want)
		}
	}
}
