package intake_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/intake"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/test/postgres"
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

// with returns a good body after a change.
func with(change func(*native.Body)) native.Body {
	b := good()
	change(&b)
	return b
}

// A bench is an Intake with an adjustable clock, and tokens by their purpose.
type bench struct {
	*intake.Intake
	t       *testing.T
	store   *store.Store
	address config.Address
	now     time.Time
	tokens  map[string]string
}

// Both databases store the same data.
func TestIntake(t *testing.T) {
	postgres.Both(t, map[string]func(*testing.T, postgres.Database){
		"Order":                      order,
		"StatesBeginWhenTheyDid":     statesBeginWhenTheyDid,
		"ComponentsThatAreNotListed": componentsThatAreNotListed,
		"TransitionsAreKeptOnce":     transitionsAreKeptOnce,
		"TheDatabaseIsAway":          theDatabaseIsAway,
		"Push":                       push,
		"Alertmanager":               alertmanager,
		"Join":                       join,
	})
}

// newBench returns an Intake on a new database.
func newBench(t *testing.T, database postgres.Database) *bench {
	t.Helper()
	address, err := config.ParseAddress(database(t))
	if err != nil {
		t.Fatal(err)
	}
	address.NoSync = true
	b := &bench{t: t, address: address, now: noon, tokens: map[string]string{}}
	b.open()
	list := []store.Token{
		{Kind: store.NodeToken, Subject: "rl1/node2"}, {Kind: store.NodeToken, Subject: "rl1/node3"},
		{Kind: store.JoinToken, Subject: "rl1/*", Label: "l"},
		{Kind: store.PushToken, Subject: "webmail"}, {Kind: store.AlertmanagerToken},
		{Kind: store.NodeToken, Subject: "expired", Expires: noon},
	}
	b.update(func(tx *store.Tx) error {
		for _, k := range list {
			k.Created = noon.Add(-time.Hour)
			secret := store.NewSecret()
			b.tokens[k.Kind+" "+k.Subject] = secret
			if err := tx.IssueToken(t.Context(), secret, k); err != nil {
				return err
			}
		}
		return nil
	})
	return b
}

// open opens the database and starts an Intake on it.
func (b *bench) open() {
	b.t.Helper()
	s, err := store.Open(b.t.Context(), b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.store = s
	b.t.Cleanup(func() { _ = s.Close() }) // a test may have closed the store
	b.restart()
}

// restart starts an Intake that has only the state in the database.
func (b *bench) restart() {
	b.t.Helper()
	var err error
	b.Intake, err = intake.New(intake.Config{Now: func() time.Time { return b.now }, Next: 45 * time.Second, Rate: 1000,
		Failed: func(err error) { b.t.Log(err) }}, b.store)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan struct{})
	run := b.Run
	go func() { run(ctx); close(ended) }()
	b.t.Cleanup(func() { cancel(); <-ended })
}

func (b *bench) update(f func(*store.Tx) error) {
	b.t.Helper()
	if err := b.store.Update(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
}

// request returns a valid request with the given body; raw bodies have no key.
func (b *bench) request(body any) *http.Request {
	b.t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			b.t.Fatal(err)
		}
	}
	q := httptest.NewRequest(http.MethodPost, "/v1/report", bytes.NewReader(raw))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+b.tokens["node rl1/node2"])
	q.Header.Set("Idempotency-Key", "rl1/node2/b1/7")
	if x, ok := body.(native.Body); ok {
		q.Header.Set("Idempotency-Key", receiver.Key(x))
	}
	return q
}

// certified returns a valid request of the body's node, which presents its
// certificate.
func (b *bench) certified(x native.Body) *http.Request {
	b.t.Helper()
	q := b.request(x)
	q.Header.Del("Authorization")
	cert := &x509.Certificate{URIs: []*url.URL{{Scheme: "nodewatch", Opaque: x.Node.ID}}}
	q.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
	return q
}

// answer returns the response. No response contains a secret.
func (b *bench) answer(q *http.Request) (code int, text string) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.ServeHTTP(w, q)
	for what, secret := range b.tokens {
		if strings.Contains(w.Body.String(), secret) {
			b.t.Errorf("the answer holds the secret of %s: %s", what, w.Body)
		}
	}
	return w.Code, strings.TrimSpace(w.Body.String())
}

// told sends a report, which must be accepted.
func (b *bench) told(x native.Body) {
	b.t.Helper()
	if code, text := b.answer(b.certified(x)); code != http.StatusOK {
		b.t.Fatalf("%d %s", code, text)
	}
}

func (b *bench) nodes() (n int) {
	b.t.Helper()
	err := b.store.View(b.t.Context(), func(tx *store.Tx) error {
		list, err := tx.Nodes(b.t.Context())
		n = len(list)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// line returns the record of a signal: minute and state of each change.
func (b *bench) line(k store.Key) (words []string) {
	b.t.Helper()
	err := b.store.View(b.t.Context(), func(tx *store.Tx) error {
		lines, err := tx.Timelines(b.t.Context(), []store.Key{k}, noon.Add(-24*time.Hour))
		for _, c := range lines[k] {
			words = append(words, strings.TrimSpace(c.At.Format("15:04:05")+" "+string(c.State)+" "+c.Reason))
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return words
}

func storage(node string) store.Key {
	return store.Key{Kind: store.OfNode, Owner: node, Name: "storage"}
}

// Each rule of the protocol has a request that violates it; none of these is stored.
func TestWhatIsRefused(t *testing.T) {
	header := func(name, value string) func(*bench, *http.Request) {
		return func(_ *bench, q *http.Request) { q.Header.Set(name, value) }
	}
	bearer := func(what string) func(*bench, *http.Request) {
		return func(b *bench, q *http.Request) { q.Header.Set("Authorization", "Bearer "+b.tokens[what]) }
	}
	compressed := func(_ *bench, q *http.Request) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := io.Copy(z, q.Body); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		q.Body = io.NopCloser(&packed)
		q.Header.Set("Content-Encoding", "gzip")
	}
	edited := func(old, new string) []byte {
		raw, err := json.Marshal(good())
		if err != nil || !strings.Contains(string(raw), old) {
			t.Fatalf("%s is not in %s: %v", old, raw, err)
		}
		return []byte(strings.Replace(string(raw), old, new, 1))
	}
	components := func(n int) native.Body {
		return with(func(b *native.Body) {
			for n := range n {
				b.Components = append(b.Components, native.Component{ID: fmt.Sprint(n), Status: report.Operational, State: report.Seen,
					Since: noon})
			}
		})
	}
	small := edited(`"components":[{`, `"components":[`+strings.Repeat("{},", 10_000)+`{`) // 10,001 that fit into a body
	b := newBench(t, postgres.SQLite)
	for name, c := range map[string]struct {
		body   any
		change func(*bench, *http.Request)
		code   int
		says   string
	}{
		"good":                 {good(), nil, 200, `{"accepted_seq":7,"server_time":"2026-11-22T12:00:00Z","next_interval_s":45}`},
		"unknown fields":       {edited(`"seq":7`, `"seq":7,"later":{"x":1}`), nil, 200, "accepted_seq"},
		"no token":             {good(), func(_ *bench, q *http.Request) { q.Header.Del("Authorization") }, 401, "no token"},
		"an unknown token":     {good(), header("Authorization", "Bearer nws_x"), 401, "unknown, expired or revoked"},
		"an expired token":     {good(), bearer("node expired"), 401, "expired"},
		"not a bearer":         {good(), header("Authorization", "Basic x"), 401, "no token"},
		"another node's token": {good(), bearer("node rl1/node3"), 403, "does not belong to rl1/node2"},
		"a push token":         {good(), bearer("push webmail"), 403, "of kind push, not node"},
		"no JSON type":         {good(), header("Content-Type", "text/plain"), 415, ""},
		"an unknown encoding":  {good(), header("Content-Encoding", "br"), 400, "br"},
		"not compressed":       {good(), header("Content-Encoding", "gzip"), 400, "gzip"},
		"too large":            {bytes.Repeat([]byte(" "), native.MaxBody+1), nil, 413, `"max_bytes":65536`},
		"another key":          {good(), header("Idempotency-Key", "rl1/node2/b1/8"), 422, "rl1/node2/b1/7"},
		"no JSON":              {[]byte("{"), nil, 422, "not a single JSON document"},
		"deep JSON":            {[]byte(strings.Repeat("[", 60000)), nil, 422, "not a single JSON document"},
		"another schema":       {edited("report/1", "report/2"), nil, 422, `"field":"schema"`},
		"another state": {edited(`"status":"operational","since"`, `"status":"fine","since"`), nil, 422,
			`"field":"components[0].status"`},
		"500 components":                {components(500), nil, 422, "maxItems: got 501, want 64"},
		"10,000 components":             {components(10_000), nil, 413, `"max_bytes":65536`},
		"10,000, compressed":            {components(10_000), compressed, 413, `"max_bytes":65536`},
		"10,000 small ones":             {small, nil, 422, `"field":"components"`},
		"10,000, compressed small ones": {small, compressed, 422, `"field":"components"`},
		"a test":                        {with(func(b *native.Body) { b.Test = "TEST" }), nil, 200, "accepted_seq"},
	} {
		t.Run(name, func(t *testing.T) {
			b.update(func(tx *store.Tx) error {
				_, err := tx.DeleteNode(t.Context(), "rl1/node2")
				return err
			})
			b.restart()
			q := b.request(c.body)
			if c.change != nil {
				c.change(b, q)
			}
			code, text := b.answer(q)
			if code != c.code || !strings.Contains(text, c.says) || strings.Count(text, `"field"`) > 20 {
				t.Errorf("%d %s, want %d saying %s", code, text, c.code, c.says)
			}
			kept := c.code == 200 && name != "a test"
			if (b.nodes() == 1) != kept {
				t.Errorf("%d nodes are kept", b.nodes())
			}
			n := b.Count()
			if (n.Taken == 1) != kept || (n.Unknown == 1) != (name == "unknown fields") || c.code != 200 && n.Refused[c.code] != 1 {
				t.Errorf("counted %+v", n)
			}
		})
	}
}

// A body that decompresses to a huge size is decompressed only up to the limit.
func TestABombIsNotUnpacked(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 50<<20)) // into memory
	_ = z.Close()
	b := newBench(t, postgres.SQLite)
	q := b.request(zipped.Bytes())
	q.Header.Set("Content-Encoding", "gzip")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	code, text := b.answer(q)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; code != http.StatusRequestEntityTooLarge || used > 20<<20 {
		t.Errorf("%d %s, and %d bytes of memory", code, text, used)
	}
}

// The order of reports is judged from the database: a restart loses nothing.
func order(t *testing.T, database postgres.Database) {
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
	b := newBench(t, database)
	const again = `{"accepted_seq":7,"server_time":"2026-11-22T12:00:00Z","next_interval_s":45}`
	for name, steps := range map[string][]step{
		"a newer one":           {{0, seq(7), 200, ""}, {0, seq(8), 200, ""}, {0, seq(100), 200, ""}},
		"an older one":          {{0, seq(7), 200, ""}, {0, seq(6), 409, `"reason":"old_seq","accepted_seq":7`}},
		"the same one":          {{0, seq(7), 200, again}, {time.Second, seq(7), 200, again}},
		"the same one, later":   {{0, seq(7), 200, again}, {time.Second, seq(8), 200, ""}, {2 * time.Second, seq(7), 200, again}},
		"a restart in one boot": {{0, seq(7), 200, ""}, {0, boot("b1", time.Hour, false), 409, "old_seq"}},
		"a reboot":              {{0, seq(7), 200, ""}, {0, boot("b2", 0, false), 200, ""}, {0, seq(8), 409, "other_instance"}},
		"a reboot, no clock": {{0, seq(7), 200, ""}, {100 * time.Second, boot("b2", -2*time.Hour, false), 409, "other_instance"},
			{101 * time.Second, boot("b2", -2*time.Hour, false), 200, ""}},
		"after a shutdown": {{0, boot("b2", 0, true), 200, ""}, {0, boot("b3", -time.Hour, false), 200, ""}},
		"the boot id comes later": {{0, boot("", 0, false), 200, ""},
			{0, func(b *native.Body) { boot("b2", 0, false)(b); b.Seq = 4 }, 200, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			for i, s := range steps {
				b.now = noon.Add(s.after)
				x := with(s.change)
				x.Node.ID = url.PathEscape(name)
				if code, text := b.answer(b.certified(x)); code != s.code || !strings.Contains(text, s.says) {
					t.Errorf("step %d: %d %s, want %d saying %s", i, code, text, s.code, s.says)
				}
				b.restart()
			}
		})
	}
}

// The record begins with the first report. A state begins at the node's time, or, if
// the node's clock is off, within the time since its previous report.
func statesBeginWhenTheyDid(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	at := func(seq uint64, after, skew, since time.Duration, status report.Impact) func(node string) {
		return func(node string) {
			b.now = noon.Add(after)
			b.told(with(func(x *native.Body) {
				x.Node.ID, x.Seq, x.SentAt = node, seq, b.now.Add(skew)
				x.Components[0].Status, x.Components[0].Since = status, noon.Add(since)
				if status != report.Operational {
					x.Components[0].Reason = "r"
				}
			}))
		}
	}
	const s, m = time.Second, time.Minute
	first := at(1, 0, 0, -time.Hour, report.Operational)
	for name, c := range map[string]struct {
		steps []func(string)
		want  []string
	}{
		"the first":      {[]func(string){first}, []string{"12:00:00 operational"}},
		"the same again": {[]func(string){first, at(2, 30*s, 0, -time.Hour, report.Operational)}, []string{"12:00:00 operational"}},
		"as the node says": {[]func(string){first, at(2, 30*s, 0, 12*s, report.MajorOutage)},
			[]string{"12:00:00 operational", "12:00:12 major_outage r"}},
		"held back": {[]func(string){first, at(2, m, 0, 20*m, report.Operational), at(3, 90*s, 0, 50*s, report.MajorOutage)},
			[]string{"12:00:00 operational", "12:00:50 major_outage r"}},
		"in the future": {[]func(string){first, at(2, 30*s, 0, time.Hour, report.MajorOutage)},
			[]string{"12:00:00 operational", "12:00:30 major_outage r"}},
		"a clock that is off": {[]func(string){first, at(2, 30*s, time.Hour, time.Hour+20*s, report.MajorOutage)},
			[]string{"12:00:00 operational", "12:00:20 major_outage r"}},
		"off and long ago": {[]func(string){first, at(2, 30*s, -time.Hour, -24*time.Hour, report.MajorOutage)},
			[]string{"12:00:00 major_outage r"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range c.steps {
				step(url.PathEscape(name))
			}
			if diff := cmp.Diff(c.want, b.line(storage(url.PathEscape(name)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A component that its node no longer lists becomes unknown; a shutdown keeps the
// states.
func componentsThatAreNotListed(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	b.told(good())
	b.now = noon.Add(time.Minute)
	b.told(with(func(x *native.Body) {
		x.Seq, x.Components, x.Final = 8, []native.Component{}, &native.Final{Reason: "reboot"}
	}))
	if diff := cmp.Diff([]string{"12:00:00 operational"}, b.line(storage("rl1/node2"))); diff != "" {
		t.Errorf("after a shutdown: %s", diff)
	}
	b.told(with(func(x *native.Body) { x.Seq, x.Components = 9, []native.Component{} }))
	if diff := cmp.Diff([]string{"12:00:00 operational", "12:01:00 unknown not_reported"}, b.line(storage("rl1/node2"))); diff != "" {
		t.Error(diff)
	}
}

func transitionsAreKeptOnce(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	one := func(n uint64) native.Transition {
		return native.Transition{ID: fmt.Sprint(n), Run: noon, Transition: report.Transition{N: n, At: noon, Rule: "r",
			Component: "storage", From: "clear", To: "info", Impact: report.Operational}}
	}
	for seq, list := range [][]native.Transition{{one(1), one(2)}, {one(2), one(3)}} {
		b.told(with(func(b *native.Body) { b.Seq, b.Transitions = uint64(seq+1), list }))
	}
	err := b.store.View(t.Context(), func(tx *store.Tx) error {
		n, _, err := tx.Node(t.Context(), "rl1/node2")
		if err != nil {
			return err
		}
		list, err := tx.Transitions(t.Context(), n.ID, noon, 10)
		if len(list) != 3 {
			t.Errorf("%d transitions, want 3", len(list))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A certificate authenticates the node in its URI.
func TestACertificateSpeaksForItsNode(t *testing.T) {
	b := newBench(t, postgres.SQLite)
	for n, c := range []struct {
		uri  string
		code int
	}{{"nodewatch:rl1/node2", 200}, {"nodewatch:rl1/node3", 403}, {"spiffe://rl1/node2", 401}, {"", 401}} {
		q := b.certified(with(func(b *native.Body) { b.Seq = uint64(n + 1) }))
		cert := q.TLS.PeerCertificates[0]
		cert.URIs = nil
		if u, err := url.Parse(c.uri); err == nil && c.uri != "" {
			cert.URIs = []*url.URL{u}
		}
		if code, text := b.answer(q); code != c.code {
			t.Errorf("%s: %d %s, want %d", c.uri, code, text, c.code)
		}
		q = b.certified(good())
		q.TLS.VerifiedChains = nil
		if code, text := b.answer(q); code != http.StatusUnauthorized {
			t.Errorf("a certificate that is not verified: %d %s", code, text)
		}
	}
}

// A sender that exceeds its rate has to wait; other senders do not.
func TestRateLimit(t *testing.T) {
	b := newBench(t, postgres.SQLite)
	var err error
	b.Intake, err = intake.New(intake.Config{Now: func() time.Time { return b.now }, Rate: 2,
		Failed: func(err error) { t.Error(err) }}, b.store)
	if err != nil {
		t.Fatal(err)
	}
	go b.Run(t.Context())
	refused := 0
	for n := range uint64(40) {
		if code, _ := b.answer(b.request(with(func(x *native.Body) { x.Seq, x.Test = n+1, "TEST" }))); code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 20 {
		t.Errorf("%d of 40 are refused, want 20", refused)
	}
	q := b.request(with(func(x *native.Body) { x.Node.ID = "rl1/node3" }))
	q.Header.Set("Authorization", "Bearer "+b.tokens["node rl1/node3"])
	if code, text := b.answer(q); code != 200 {
		t.Errorf("another node: %d %s", code, text)
	}
	b.now = noon.Add(time.Second)
	if code, text := b.answer(b.request(good())); code != 200 {
		t.Errorf("a second later: %d %s", code, text)
	}
}

// While the database is unavailable a report is refused temporarily; later it is
// accepted.
func theDatabaseIsAway(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, b.request(good()))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" || b.Count().Failures != 1 {
		t.Errorf("%d %s %+v", w.Code, w.Header(), b.Count())
	}
	b.open()
	b.told(good())
}

// Any request gets a response, and only valid reports are stored.
func FuzzReport(f *testing.F) {
	raw, err := json.Marshal(good())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, "rl1/node2/b1/7", "")
	f.Add([]byte("{}"), "", "gzip")
	f.Fuzz(func(t *testing.T, body []byte, key, encoding string) {
		b := newBench(t, postgres.SQLite)
		q := b.request(body)
		q.Header.Set("Idempotency-Key", key)
		q.Header.Set("Content-Encoding", encoding)
		code, text := b.answer(q)
		if kept := b.nodes() == 1; kept && code != 200 || code >= 500 {
			t.Errorf("%d %s", code, text)
		}
	})
}
