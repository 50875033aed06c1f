package receiver_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// good returns a body that is accepted.
func good() native.Body {
	return native.Body{
		Schema: native.Schema, Node: native.Node{ID: "rl1/node2", Name: "node2"}, Seq: 7, SentAt: noon, Interval: 30, TTL: 100,
		Status: report.Operational,
		Agent:  native.Agent{Version: "1.2.3", Boot: "b1", Started: noon.Add(-time.Hour)},
		Components: []native.Component{{ID: "storage", Status: report.Operational, State: report.Seen, Since: noon,
			Summary: "storage: operational"}},
		Findings: []report.Finding{}, Transitions: []native.Transition{},
	}
}

// bench is a Receiver with an adjustable clock.
type bench struct {
	*receiver.Receiver
	t      *testing.T
	schema *receiver.Schema // for the responses
	now    time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	schema, err := receiver.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, schema: schema, now: noon}
	b.Receiver, err = receiver.New(receiver.Config{Tokens: map[string]string{"secret2": "rl1/node2", "secret3": "rl1/node3",
		"secret7": "node7"}, Now: func() time.Time { return b.now }, Next: 45 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// request returns a valid request with the given body.
func request(t *testing.T, body any) *http.Request {
	t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	q := httptest.NewRequest(http.MethodPost, "/v1/report", bytes.NewReader(raw))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer secret2")
	if b, ok := body.(native.Body); ok {
		q.Header.Set("Idempotency-Key", receiver.Key(b))
	}
	return q
}

// answer returns the response, checked against the schema.
func (b *bench) answer(q *http.Request) (code int, text string) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.ServeHTTP(w, q)
	wrong := b.schema.Refusal(w.Body.Bytes())
	if w.Code == http.StatusOK {
		wrong = b.schema.Answer(w.Body.Bytes())
	}
	if len(wrong) > 0 && w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		b.t.Errorf("the answer %q is not as the schema says: %v", w.Body, wrong)
	}
	return w.Code, strings.TrimSpace(w.Body.String())
}

// with returns a good body with a change.
func with(change func(*native.Body)) native.Body {
	b := good()
	change(&b)
	return b
}

// edited returns a good body as JSON with one changed field.
func edited(t *testing.T, old, new string) []byte {
	t.Helper()
	raw, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), old) {
		t.Fatalf("%s is not in %s", old, raw)
	}
	return []byte(strings.Replace(string(raw), old, new, 1))
}

// For each rule of the protocol there is a request that violates it; no such body is
// kept.
func TestWhatIsRefused(t *testing.T) {
	b := newBench(t)
	header := func(name, value string) func(*http.Request) {
		return func(q *http.Request) { q.Header.Set(name, value) }
	}
	for _, c := range []struct {
		name   string
		body   any
		change func(*http.Request)
		code   int
		says   string
	}{
		{"good", good(), nil, 200, `{"accepted_seq":7,"server_time":"2026-11-22T12:00:00Z","next_interval_s":45}`},
		{"another path", good(), func(q *http.Request) { q.URL.Path = "/v2/report" }, 404, ""},
		{"another method", good(), func(q *http.Request) { q.Method = http.MethodPut }, 405, ""},
		{"no token", good(), func(q *http.Request) { q.Header.Del("Authorization") }, 401, "unknown"},
		{"an unknown token", good(), header("Authorization", "Bearer secret9"), 401, "unknown"},
		{"not a bearer", good(), header("Authorization", "Basic secret2"), 401, "unknown"},
		{"another node's token", good(), header("Authorization", "Bearer secret3"), 403, "does not belong to rl1/node2"},
		{"no JSON type", good(), header("Content-Type", "text/plain"), 415, ""},
		{"an unknown encoding", good(), header("Content-Encoding", "br"), 400, "br"},
		{"not compressed", good(), header("Content-Encoding", "gzip"), 400, "gzip"},
		{"too large", bytes.Repeat([]byte(" "), native.MaxBody+1), nil, 413, `"max_bytes":65536`},
		{"no key", good(), func(q *http.Request) { q.Header.Del("Idempotency-Key") }, 422, "Idempotency-Key"},
		{"another key", good(), header("Idempotency-Key", "rl1/node2/b1/8"), 422, "rl1/node2/b1/7"},
		{"no JSON", []byte("{"), nil, 422, "not a single JSON document"},
		{"two bodies", append(edited(t, "{", "{"), "{}"...), nil, 422, "not a single JSON document"},
		{"another schema", edited(t, "report/1", "report/2"), nil, 422, `"field":"schema"`},
		{"a missing field", edited(t, `"seq":7,`, ""), nil, 422, "seq"},
		{"a fraction", edited(t, `"seq":7`, `"seq":7.5`), nil, 422, `"field":"seq"`},
		{"a status of another world", edited(t, `"status":"operational","since"`, `"status":"fine","since"`), nil, 422,
			`"field":"components[0].status"`},
		{"no such time", edited(t, `"sent_at":"2026-11-22T`, `"sent_at":"2026-13-22T`), nil, 422, `"field":"sent_at"`},
		{"a local time", edited(t, `"sent_at":"2026-11-22T12:00:00Z"`, `"sent_at":"2026-11-22T12:00:00+01:00"`), nil, 422,
			`"field":"sent_at"`},
		{"no lists", edited(t, `"findings":[]`, `"findings":null`), nil, 422, `"field":"findings"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(b.Node("rl1/node2").Bodies)
			q := request(t, c.body)
			if c.change != nil {
				c.change(q)
			}
			code, text := b.answer(q)
			if code != c.code || !strings.Contains(text, c.says) {
				t.Errorf("%d %s, want %d saying %s", code, text, c.code, c.says)
			}
			if got := len(b.Node("rl1/node2").Bodies) - before; (got == 1) != (code == 200) || got > 1 {
				t.Errorf("%d bodies are kept", got)
			}
		})
	}
}

// A body that decompresses to a very large size is decompressed only up to the limit.
func TestABombIsNotUnpacked(t *testing.T) {
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20)) // into memory
	_ = z.Close()
	q := request(t, bytes.Repeat(zipped.Bytes(), 50)) // a file of several members is one stream
	q.Header.Set("Content-Encoding", "gzip")
	b := newBench(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	code, text := b.answer(q)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; code != http.StatusRequestEntityTooLarge || used > 20<<20 {
		t.Errorf("%d %s, and %d bytes of memory", code, text, used)
	}
}

func TestOrder(t *testing.T) {
	type step struct {
		after  time.Duration
		change func(*native.Body)
		code   int
		says   string
	}
	seq := func(n uint64) func(*native.Body) { return func(b *native.Body) { b.Seq = n } }
	boot := func(id string, started time.Duration, final bool) func(*native.Body) {
		return func(b *native.Body) {
			b.Agent.Boot, b.Agent.Started, b.Seq = id, noon.Add(started), 3
			if final {
				b.Final = &native.Final{Reason: "reboot"}
			}
		}
	}
	for name, steps := range map[string][]step{
		"a newer one":           {{0, seq(7), 200, ""}, {0, seq(8), 200, ""}, {0, seq(100), 200, ""}},
		"an older one":          {{0, seq(7), 200, ""}, {0, seq(6), 409, `"reason":"old_seq","accepted_seq":7`}},
		"a restart in one boot": {{0, seq(7), 200, ""}, {0, boot("b1", time.Hour, false), 409, "old_seq"}},
		"a reboot":              {{0, seq(7), 200, ""}, {0, boot("b2", 0, false), 200, ""}, {0, seq(8), 409, "other_instance"}},
		"a reboot, no clock": {{0, seq(7), 200, ""}, {100 * time.Second, boot("b2", -2*time.Hour, false), 409, "other_instance"},
			{101 * time.Second, boot("b2", -2*time.Hour, false), 200, ""}},
		"after a last report": {{0, boot("b2", 0, true), 200, ""}, {0, boot("b3", -time.Hour, false), 200, ""}},
		"the boot id comes later": {{0, boot("", 0, false), 200, ""},
			{0, func(b *native.Body) { boot("b2", 0, false)(b); b.Seq = 4 }, 200, ""}, {0, boot("", 0, false), 200, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for i, s := range steps {
				b.now = noon.Add(s.after)
				if code, text := b.answer(request(t, with(s.change))); code != s.code || !strings.Contains(text, s.says) {
					t.Errorf("step %d: %d %s, want %d saying %s", i, code, text, s.code, s.says)
				}
			}
		})
	}
}

// The same key gets the same response, and the report is stored once.
func TestARepetitionIsTakenOnce(t *testing.T) {
	b := newBench(t)
	_, first := b.answer(request(t, good()))
	b.now = noon.Add(time.Second)
	code, second := b.answer(request(t, good()))
	if code != 200 || first != second || len(b.Node("rl1/node2").Bodies) != 1 {
		t.Errorf("%d %s, then %s", code, second, first)
	}
}

func TestTransitionsAreKeptOnce(t *testing.T) {
	b := newBench(t)
	one := func(n uint64) native.Transition {
		return native.Transition{ID: string(rune('a' + n)), Run: noon,
			Transition: report.Transition{N: n, At: noon, Rule: "r", Component: "storage", From: "clear", To: "info",
				Impact: report.Operational}}
	}
	for seq, list := range [][]native.Transition{{one(1), one(2)}, {one(2), one(3)}} {
		if code, text := b.answer(request(t, with(func(b *native.Body) { b.Seq, b.Transitions = uint64(seq+1), list }))); code != 200 {
			t.Fatalf("%d %s", code, text)
		}
	}
	got := b.Node("rl1/node2")
	if diff := cmp.Diff([]native.Transition{one(1), one(2), one(3)}, got.Transitions); diff != "" || got.Repeated != 1 {
		t.Errorf("%d repeated, (-want +got):\n%s", got.Repeated, diff)
	}
}

func TestChangesAreThoseOfTheStatus(t *testing.T) {
	b := newBench(t)
	for i, status := range []report.Impact{report.Operational, report.Operational, report.MajorOutage, report.MajorOutage,
		report.Operational} {
		body := with(func(b *native.Body) {
			b.Seq = uint64(i + 1)
			b.Components[0].Status, b.Components[0].Since = status, noon.Add(time.Duration(i)*time.Minute)
		})
		if code, text := b.answer(request(t, body)); code != 200 {
			t.Fatalf("%d %s", code, text)
		}
	}
	var got []string
	for _, c := range b.Node("rl1/node2").Changes("storage") {
		got = append(got, c.Since.Format("04")+" "+string(c.Status))
	}
	if diff := cmp.Diff([]string{"00 operational", "02 major_outage", "04 operational"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"rl1/node2"}, b.IDs()); diff != "" {
		t.Error(diff)
	}
}

// A certificate is valid for the node in its URI.
func TestACertificateSpeaksForItsNode(t *testing.T) {
	r, err := receiver.New(receiver.Config{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]int{"nodewatch:rl1/node2": 200, "nodewatch:rl1/node3": 403, "spiffe://rl1/node2": 401, "": 401} {
		q := request(t, good())
		cert := &x509.Certificate{}
		if u, err := url.Parse(uri); err == nil && uri != "" {
			cert.URIs = []*url.URL{u}
		}
		q.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", uri, w.Code, w.Body, want)
		}
		q.TLS.VerifiedChains = nil
		w = httptest.NewRecorder()
		if r.ServeHTTP(w, q); w.Code != http.StatusUnauthorized {
			t.Errorf("%s, not verified: %d", uri, w.Code)
		}
	}
}

// The schema in the documentation is the same as the one used for checks.
func TestDocsSchemaIsFresh(t *testing.T) {
	path := filepath.Join("..", "..", "..", "..", "docs", "report-protocol.schema.json")
	if *update {
		if err := os.WriteFile(path, receiver.Document, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(receiver.Document), string(got)); diff != "" {
		t.Errorf("docs/report-protocol.schema.json (-want +got):\n%s", diff)
	}
}
