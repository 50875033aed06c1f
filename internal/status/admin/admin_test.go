package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/nodewatch/nodewatch/internal/status/checks"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const password = "correct horse battery"

// A bench is an Admin with a fleet of four nodes, one of them hostile.
type bench struct {
	*testing.T
	admin *Admin
	store *store.Store
	now   time.Time
	hash  string
	proxy config.Proxy
}

func newBench(t *testing.T, operators ...string) *bench {
	t.Helper()
	s, err := store.Open(t.Context(), config.Address{Path: filepath.Join(t.TempDir(), "status.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test no longer needs the data
	b := &bench{T: t, store: s, now: noon}
	c, err := config.Parse("f", []byte("page: {title: Example hosting, time_zone: Europe/Stockholm}\ngroups: [{id: vps, name: VPS, components: [{id: node-1, name: Node 1, node: rl1/node1}, {id: web, name: Web}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	b.admin, err = New(Config{
		Store: s, Now: func() time.Time { return b.now }, Failed: func(err error) { t.Errorf("failed: %v", err) },
		Config: func() config.Config { c.Operators.Proxy = b.proxy; return c },
		Checks: func() []checks.Latest {
			return []checks.Latest{{Component: "web", Asks: "http http://192.0.2.1/", At: noon,
				Result: checks.Result{State: report.MajorOutage, Detail: hostile}}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Cheaper than HashPassword, and sufficient for a test.
	salt := []byte("sixteen bytes...")
	b.hash = phc(8, 1, salt, argon2.IDKey([]byte(password), salt, 1, 8, 1, hashLength))
	b.update(func(tx *store.Tx) error {
		for n := range 4 {
			if err := addNode(t.Context(), tx, n); err != nil {
				return err
			}
		}
		for _, role := range operators {
			if err := tx.AddOperator(t.Context(), store.Operator{Name: "the-" + role, Role: role, Password: b.hash,
				Created: noon}); err != nil {
				return err
			}
		}
		return nil
	})
	return b
}

// hostile is a text that a node, a service or an operator may send.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>`

func addNode(ctx context.Context, tx *store.Tx, n int) error {
	body := native.Body{
		Node:  native.Node{ID: fmt.Sprintf("rl1/node%d", n), Site: "rl1", Labels: report.Labels{"rack": hostile}},
		Agent: native.Agent{Version: "1.2.3"}, Status: report.Operational,
		Inventory: report.Labels{"client": "librbd"}, Components: []native.Component{{ID: "storage", Status: report.Operational,
			Detail: hostile}},
	}
	if n == 1 {
		body.Inventory["client"], body.Status = "krbd", report.MajorOutage
		body.Findings = []report.Finding{{
			Rule: "libceph-crc-storm", Severity: report.Critical, Impact: report.MajorOutage, Summary: "78 disks " + hostile,
			Runbook:  "javascript:alert(1)",
			Evidence: []report.Evidence{{Source: "kmsg", Fact: "1,204 bad CRCs"}},
			Advice:   []report.Advice{{Do: "Limit bond0", Command: "tc qdisc add"}, {Do: "Change the hash policy"}},
			Guests:   &report.Guests{Hit: 2, Total: 3, Names: []string{"100", "101"}},
		}, {
			Rule: "krbd-stalled", Severity: report.Critical, Impact: report.MajorOutage, Summary: "2 disks do not complete",
			ExplainedBy: []report.Ref{{Rule: "libceph-crc-storm"}},
		}}
	}
	id, err := tx.SaveBody(ctx, body, noon)
	if err != nil {
		return err
	}
	if err := tx.SavePresence(ctx, id, store.Presence{Boot: "b", Started: noon, Arrived: noon, Interval: 30 * time.Second,
		TTL: 100 * time.Second}); err != nil {
		return err
	}
	_, err = tx.AddTransition(ctx, id, native.Transition{ID: "1",
		Transition: report.Transition{At: noon.Add(-time.Minute), Rule: "r", From: "clear", To: "critical", Summary: hostile}}, noon)
	return err
}

func (b *bench) update(f func(*store.Tx) error) {
	b.Helper()
	if err := b.store.Update(b.Context(), f); err != nil {
		b.Fatal(err)
	}
}

// A browser keeps the cookies of one operator.
type browser struct {
	*bench
	from, host string
	cookies    map[string]string
	headers    map[string]string
}

func (b *bench) browser() *browser {
	return &browser{bench: b, from: "192.0.2.9:1234", host: "hub.example.org", cookies: map[string]string{}, headers: map[string]string{}}
}

func (x *browser) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	x.Helper()
	q := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	q.RemoteAddr, q.Host = x.from, x.host
	if method == http.MethodPost {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range x.headers {
		q.Header.Set(name, value)
	}
	for name, value := range x.cookies {
		q.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	x.admin.ServeHTTP(w, q)
	for _, c := range w.Result().Cookies() {
		x.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(x.cookies, c.Name)
		}
	}
	return w
}

func (x *browser) get(path string, code int) string {
	x.Helper()
	w := x.do(http.MethodGet, path, nil)
	if w.Code != code {
		x.Errorf("GET %s: %d %s, want %d", path, w.Code, w.Header().Get("Location"), code)
	}
	return w.Body.String()
}

var field = regexp.MustCompile(`name="(csrf|revision)" value="([^"]*)"`)

// post sends a form with the fields that the page at from provides.
func (x *browser) post(from, path string, code int, pairs ...string) *httptest.ResponseRecorder {
	x.Helper()
	form := url.Values{}
	for _, m := range field.FindAllStringSubmatch(x.do(http.MethodGet, from, nil).Body.String(), -1) {
		form.Set(m[1], m[2])
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	w := x.do(http.MethodPost, path, form)
	if w.Code != code {
		x.Errorf("POST %s: %d, want %d\n%s", path, w.Code, code, w.Body)
	}
	return w
}

func (b *bench) signedIn(role string) *browser {
	b.Helper()
	x := b.browser()
	x.post("/login", "/login", http.StatusSeeOther, "name", "the-"+role, "password", password)
	return x
}

// As long as no operator can sign in, only requests from this machine may read the
// fleet.
func TestFirstUse(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		from, host, header string
		code               int
	}{
		{"127.0.0.1:1", "127.0.0.1:10092", "", 200}, {"[::1]:1", "localhost:10092", "", 200}, {"127.0.0.1:1", "[::1]:10092", "", 200},
		{"192.0.2.9:1", "127.0.0.1:10092", "", 303}, {"127.0.0.1:1", "evil.example.org", "", 303},
		{"127.0.0.1:1", "192.0.2.1:10092", "", 303},
		{"127.0.0.1:1", "127.0.0.1:10092", "X-Forwarded-For", 303}, {"127.0.0.1:1", "localhost", "Forwarded", 303},
	} {
		x := b.browser()
		x.from, x.host = c.from, c.host
		if c.header != "" {
			x.headers[c.header] = "192.0.2.9"
		}
		x.get("/", c.code)
		if x.do(http.MethodPost, "/incidents", url.Values{"csrf": {visitor{}.CSRF()}}).Code != http.StatusForbidden {
			t.Errorf("%+v: it may write", c)
		}
	}
	x := b.browser()
	x.from, x.host = "127.0.0.1:1", "localhost"
	x.get("/nodes/rl1/node1", 200)
	x.get("/tokens", 403)
	x.get("/audit", 403)
	draft, plan := automatic("draft"), incident.Maintenance{Ref: "plan", Title: "Hidden plan", Starts: noon, Ends: noon.Add(time.Hour),
		Created: noon}
	draft.Title, draft.Published = "Hidden draft", time.Time{}
	shown := automatic("shown")
	b.update(func(tx *store.Tx) error {
		return errors.Join(tx.SaveIncident(t.Context(), &draft), tx.SaveIncident(t.Context(), &shown),
			tx.SaveMaintenance(t.Context(), &plan))
	})
	x.get("/incidents/shown", 200)
	x.get("/incidents/draft", 404)
	x.get("/maintenance/plan", 404)
	if page := x.get("/incidents", 200) + x.get("/maintenance", 200); strings.Contains(page, "Hidden") || !strings.Contains(page, "shown") {
		t.Errorf("whoever is on this machine reads drafts:\n%s", page)
	}
	b.update(func(tx *store.Tx) error {
		return tx.AddOperator(t.Context(), store.Operator{Name: "kim", Role: store.Viewer, Password: b.hash, Created: noon})
	})
	x.get("/", 303)
}

func TestSignIn(t *testing.T) {
	b := newBench(t, store.Viewer)
	x := b.browser()
	if w := x.do(http.MethodGet, "/nodes/rl1/node1?x=1", nil); w.Header().Get("Location") != "/login?to=%2Fnodes%2Frl1%2Fnode1%3Fx%3D1" {
		t.Error(w.Header())
	}
	for _, c := range [][2]string{{"the-viewer", "wrong password"}, {"nobody", password}, {"", ""},
		{"the-viewer", strings.Repeat("x", 1000)}} {
		x.post("/login", "/login", http.StatusUnauthorized, "name", c[0], "password", c[1])
	}
	w := x.post("/login", "/login", http.StatusSeeOther, "name", "the-viewer", "password", password, "to", "/checks")
	if w.Header().Get("Location") != "/checks" {
		t.Error(w.Header())
	}
	if c := w.Header().Get("Set-Cookie"); !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") ||
		strings.Contains(c, "Secure") {
		t.Error(c)
	}
	x.get("/", 200)
	x.post("/login", "/login", http.StatusTooManyRequests, "name", "the-viewer", "password", password)
	other := b.browser()
	other.from = "192.0.2.10:1"
	other.post("/login", "/login", http.StatusUnauthorized, "name", "the-viewer", "password", "wrong password")
	other.post("/login", "/login", http.StatusTooManyRequests, "name", "the-viewer", "password", password)
	b.now = b.now.Add(time.Minute)
	other.headers["X-Forwarded-Proto"] = "https"
	w = other.post("/login", "/login", http.StatusSeeOther, "name", "the-viewer", "password", password, "to", "https://evil.example.org/")
	if c := w.Header().Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-") || !strings.Contains(c, "Secure") ||
		w.Header().Get("Location") != "/" {
		t.Errorf("%s to %s", c, w.Header().Get("Location"))
	}
	if n, want := b.admin.SignIns(), (SignIns{Succeeded: 2, Failed: 5, Limited: 2}); n != want {
		t.Errorf("%+v, want %+v", n, want)
	}
	x.post("/", "/logout", http.StatusSeeOther)
	x.get("/", 303)
	b.now = b.now.Add(sessionFor)
	other.get("/", 303)
}

// A form is accepted only from a page that was served to this session.
func TestForgedForms(t *testing.T) {
	b := newBench(t, store.Admin)
	x := b.signedIn(store.Admin)
	form := url.Values{"kind": {"node"}, "subject": {"rl1/node1"}}
	for name, token := range map[string]string{"none": "", "of nobody": visitor{}.CSRF(), "of another": visitor{secret: "x"}.CSRF()} {
		form.Set("csrf", token)
		if w := x.do(http.MethodPost, "/tokens", form); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	x.headers["Sec-Fetch-Site"] = "cross-site"
	x.post("/tokens", "/tokens", http.StatusForbidden, "kind", "node", "subject", "rl1/node1")
	x.headers = map[string]string{"Origin": "https://evil.example.org"}
	x.post("/tokens", "/tokens", http.StatusForbidden, "kind", "node", "subject", "rl1/node1")
	x.headers = map[string]string{}
	x.post("/tokens", "/tokens", http.StatusRequestEntityTooLarge, "kind", "node", "subject", strings.Repeat("x", maxForm))
	x.post("/tokens", "/tokens", http.StatusOK, "kind", "node", "subject", "rl1/node1")
}

// Each role may do only what it permits, and pages escape all texts that others
// provide.
func TestRolesAndHostileText(t *testing.T) {
	b := newBench(t, store.Roles()...)
	admin := b.signedIn(store.Admin)
	ref := admin.post("/incidents", "/incidents", 303, "title", hostile, "status", "investigating", "impact", "major_outage", "component",
		"node-1", "body", hostile).Header().Get("Location")
	plan := admin.post("/maintenance", "/maintenance", 303, "title", hostile, "starts", "2026-11-23T22:00", "ends", "2026-11-24T02:00",
		"component", "web", "body", hostile).Header().Get("Location")
	b.now = b.now.Add(time.Minute)
	for role, forbidden := range map[string]string{store.Viewer: "/tokens /audit", store.OperatorRole: "/tokens", store.Admin: ""} {
		x := b.signedIn(role)
		for _, path := range []string{"/", "/?q=krbd&status=odd&site=rl1", "/?q=" + url.QueryEscape(hostile), "/nodes/rl1/node1", "/checks",
			"/incidents", ref, "/maintenance", plan, "/tokens", "/audit"} {
			code := 200
			if strings.Contains(forbidden, path) && path != "/" {
				code = 403
			}
			page := x.get(path, code)
			if strings.Contains(page, "<script") || strings.Contains(page, "<img") || strings.Contains(page, `href="javascript`) ||
				strings.Contains(page, "style=") {
				t.Errorf("%s shows what others say as it is:\n%s", path, page)
			}
		}
		if role != store.Admin {
			x.post("/", "/tokens", 403, "kind", "node", "subject", "rl1/node1")
		}
		if role == store.Viewer {
			x.post("/", "/incidents", 403, "title", "x", "status", "investigating", "body", "x")
			x.post(ref, ref+"/update", 403, "status", "resolved", "body", "x")
		}
	}
	fleet := admin.get("/", 200)
	for _, want := range []string{"the only one of 4 with RBD client krbd (3 have librbd)", "3 unassigned", "78 disks"} {
		if !strings.Contains(fleet, want) {
			t.Errorf("the fleet does not say %q:\n%s", want, fleet)
		}
	}
	if page := admin.get("/nodes/rl1/node1", 200); !strings.Contains(page, "1,204 bad CRCs") || !strings.Contains(page, "tc qdisc add") ||
		!strings.Contains(page, "clear to critical") {
		t.Errorf("no evidence, advice or history:\n%s", page)
	}
	page := admin.get("/nodes/rl1/node1", 200)
	folded := regexp.MustCompile(`(?s)<details[^>]*>.*?<summary>.*?</details>`)
	seen := folded.ReplaceAllString(page, "")
	for _, want := range []string{"78 disks", "First step:</strong> Limit bond0", "2 of 3 guests are affected"} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is not seen at first:\n%s", want, seen)
		}
	}
	for _, not := range []string{"1,204 bad CRCs", "Change the hash policy", "2 disks do not complete", "clear to critical"} {
		if strings.Contains(seen, not) {
			t.Errorf("%q is not folded:\n%s", not, seen)
		}
	}
	if !strings.Contains(page, "1 explained by the findings above") || !strings.Contains(page, "Explained by libceph-crc-storm.") {
		t.Errorf("not said what explains what:\n%s", page)
	}
	admin.get("/nodes/rl1/nobody", 404)
	admin.get("/nothing", 404)
}

func (b *bench) declared(component string) report.Impact {
	b.Helper()
	var state report.Impact
	b.update(func(tx *store.Tx) error {
		states, err := tx.States(b.Context(), store.Declared, "")
		state = states[component].State
		return err
	})
	return state
}

func TestIncidentDesk(t *testing.T) {
	b := newBench(t, store.OperatorRole)
	x := b.signedIn(store.OperatorRole)
	x.post("/incidents", "/incidents", 400, "title", "", "status", "investigating", "body", "x")
	x.post("/incidents", "/incidents", 400, "title", "x", "status", "over", "body", "x")
	x.post("/incidents", "/incidents", 400, "title", "x", "status", "investigating", "body", "x", "component", "nothing")
	ref := x.post("/incidents", "/incidents", 303, "title", "Storage is slow", "status", "investigating", "impact", "partial_outage",
		"component", "web", "body", "We look into it.").Header().Get("Location")
	if got := b.declared("web"); got != "" && got != report.Operational {
		t.Errorf("a draft declares %s", got)
	}
	stale := field.FindAllStringSubmatch(x.get(ref, 200), -1)
	x.post(ref, ref+"/publish", 303)
	if got := b.declared("web"); got != report.PartialOutage {
		t.Errorf("declared %s", got)
	}
	x.post(ref, ref+"/publish", 400)
	x.post(ref, ref+"/delete", 400)
	x.post(ref, ref+"/nothing", 404)
	form := url.Values{"status": {"resolved"}, "body": {"Over."}}
	for _, m := range stale {
		form.Set(m[1], m[2])
	}
	if w := x.do(http.MethodPost, ref+"/update", form); w.Code != http.StatusConflict {
		t.Errorf("an old page: %d", w.Code)
	}
	b.now = b.now.Add(time.Hour)
	x.post(ref, ref+"/update", 303, "status", "resolved", "body", "It is over.")
	if got := b.declared("web"); got != report.Operational {
		t.Errorf("once resolved, declared %s", got)
	}
	x.post(ref, ref+"/edit", 303, "title", "Storage was slow", "after_care", "Restart your server.", "update-1", "We looked into it.")
	page := x.get(ref, 200)
	for _, want := range []string{"Storage was slow", "Restart your server.", "We looked into it.", "edited 2026-11-22 13:00:00 UTC",
		"It is over.", "resolved 2026-11-22 13:00:00 UTC"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page:\n%s", want, page)
		}
	}
	x.post(ref, ref+"/draft-postmortem", 303)
	if page := x.get(ref, 200); !strings.Contains(page, "## Timeline") || !strings.Contains(page, "TO WRITE") {
		t.Errorf("no draft:\n%s", page)
	}
	x.post(ref, ref+"/postmortem", 400, "body", "TO WRITE: why", "publish", "1")
	x.post(ref, ref+"/postmortem", 303, "body", "Why it happened.", "publish", "1")
	if page := x.get(ref, 200); !strings.Contains(page, "Published 2026-11-22 13:00:00 UTC") ||
		!strings.Contains(page, "Why it happened.") {
		t.Errorf("not published:\n%s", page)
	}
	log := b.log()
	for _, want := range []string{"the-operator incident.open", "the-operator incident.publish", "the-operator incident.update",
		"the-operator incident.edit", "the-operator incident.postmortem"} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log does not say %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, password) {
		t.Error("the password is in the audit log")
	}
}

func (b *bench) log() string {
	b.Helper()
	var text strings.Builder
	b.update(func(tx *store.Tx) error {
		list, err := tx.AuditLog(b.Context(), 0, 1000)
		for _, e := range list {
			fmt.Fprintln(&text, e.Who, e.Action, e.Subject, e.Detail)
		}
		return err
	})
	return text.String()
}

// What the machine opened is a person's once one has written to it.
func TestTakeOver(t *testing.T) {
	b := newBench(t, store.OperatorRole)
	x := b.signedIn(store.OperatorRole)
	for action, pairs := range map[string][]string{"take-over": nil, "update": {"status", "identified", "body", "We found it."},
		"edit": {"title", "Other words"}} {
		ref := "auto-" + action
		b.update(func(tx *store.Tx) error {
			i := automatic(ref)
			return tx.SaveIncident(t.Context(), &i)
		})
		if page := x.get("/incidents/"+ref, 200); !strings.Contains(page, "The machine updates it.") {
			t.Errorf("%s: %s", ref, page)
		}
		x.post("/incidents/"+ref, "/incidents/"+ref+"/"+action, 303, pairs...)
		if page := x.get("/incidents/"+ref, 200); !strings.Contains(page, "the-operator has it") {
			t.Errorf("%s: %s", ref, page)
		}
	}
}

func TestMaintenanceDesk(t *testing.T) {
	b := newBench(t, store.OperatorRole)
	x := b.signedIn(store.OperatorRole)
	plan := []string{"title", "New switches", "starts", "2026-11-23T22:00", "ends", "2026-11-24T02:00", "component", "web", "body",
		"We replace switches.", "impacting", "1"}
	for i, bad := range map[int]string{1: "", 3: "soon", 5: "2026-11-23T21:00", 7: "nothing", 9: ""} {
		wrong := append([]string{}, plan...)
		wrong[i] = bad
		x.post("/maintenance", "/maintenance", 400, wrong...)
	}
	ref := x.post("/maintenance", "/maintenance", 303, plan...).Header().Get("Location")
	if page := x.get(ref, 200); !strings.Contains(page, "from 2026-11-23 21:00:00 UTC to 2026-11-24 01:00:00 UTC") ||
		!strings.Contains(page, `value="2026-11-23T22:00"`) || !strings.Contains(page, "A draft") {
		t.Error(page)
	}
	x.post(ref, ref+"/publish", 303)
	x.post(ref, ref+"/delete", 400)
	x.post(ref, ref+"/edit", 303, "title", "New switches", "starts", "2026-11-25T22:00", "ends", "2026-11-26T02:00", "component", "web",
		"component", "node-1")
	x.post(ref, ref+"/update", 303, "status", "cancelled", "body", "Not this week.")
	if page := x.get(ref, 200); !strings.Contains(page, "cancelled") || !strings.Contains(page, "No downtime is expected") ||
		!strings.Contains(page, "<li>node-1</li>") {
		t.Error(page)
	}
}

// A token is shown once, works, and ends when it is revoked.
func TestTokens(t *testing.T) {
	b := newBench(t, store.Admin)
	x := b.signedIn(store.Admin)
	x.post("/tokens", "/tokens", 400, "kind", "api", "subject", "x")
	x.post("/tokens", "/tokens", 400, "kind", "node")
	x.post("/tokens", "/tokens", 400, "kind", "node", "subject", "rl1/node9", "hours", "many")
	secret := regexp.MustCompile(`nws_[\w-]{43}`)
	made := secret.FindString(x.post("/tokens", "/tokens", 200, "kind", "join", "subject", "rl1/*").Body.String())
	var k store.Token
	b.update(func(tx *store.Tx) (err error) {
		k, _, err = tx.TokenOf(t.Context(), made)
		return err
	})
	if !k.Valid(noon.Add(59*time.Minute)) || k.Valid(noon.Add(time.Hour)) || k.CreatedBy != "the-admin" {
		t.Errorf("%+v", k)
	}
	if page := x.get("/tokens", 200); secret.MatchString(page) {
		t.Error("the secret is shown again")
	}
	for range 2 {
		x.post("/tokens", "/tokens", 200, "kind", "node", "subject", "rl1/node9")
	}
	x.post("/tokens", "/tokens", 400, "kind", "node", "subject", "rl1/node9")
	x.post("/tokens", fmt.Sprintf("/tokens/%d/revoke", k.ID), 303)
	x.post("/tokens", fmt.Sprintf("/tokens/%d/revoke", k.ID), 400)
	if log := b.log(); !strings.Contains(log, "the-admin token.revoke") || strings.Contains(log, made) {
		t.Error(log)
	}
}

// Only the proxy's word counts, and only for operators that there are.
func TestTrustedProxy(t *testing.T) {
	b := newBench(t, store.Viewer)
	b.update(func(tx *store.Tx) error {
		return tx.AddOperator(t.Context(), store.Operator{Name: "kim", Role: store.Admin, Created: noon})
	})
	visit := func(from, user string, code int) *browser {
		t.Helper()
		x := b.browser()
		x.from, x.headers["X-Remote-User"] = from, user
		x.get("/tokens", code)
		return x
	}
	visit("192.0.2.1:1", "kim", 303) // no proxy is trusted
	b.proxy = config.Proxy{Header: "X-Remote-User", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/30")}}
	visit("192.0.2.9:1", "kim", 303)
	visit("192.0.2.1:1", "nobody", 303)
	visit("192.0.2.1:1", "the-viewer", 403)
	x := visit("192.0.2.1:1", "kim", 200)
	x.post("/tokens", "/tokens", 200, "kind", "node", "subject", "rl1/node9")
	x.headers["X-Remote-User"] = "the-viewer" // somebody else at the same browser
	x.get("/tokens", 403)
	y := b.browser()
	y.post("/login", "/login", http.StatusUnauthorized, "name", "kim", "password", "")
}

// What a proxy passes on of its clients' headers signs nobody in, also where they have a
// session. Over HTTP, as it is there that headers are read.
func TestWhatATrustedProxyPassesOn(t *testing.T) {
	b := newBench(t)
	b.update(func(tx *store.Tx) error {
		return tx.AddOperator(t.Context(), store.Operator{Name: "kim", Role: store.Admin, Created: noon})
	})
	server := httptest.NewServer(b.admin)
	defer server.Close()
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	session := ""
	ask := func(name string, headers http.Header) {
		t.Helper()
		for _, cookie := range []string{"", session} {
			q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/tokens", nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Header = headers.Clone()
			if cookie != "" {
				q.AddCookie(&http.Cookie{Name: cookieName, Value: cookie})
			}
			a, err := client.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			_ = a.Body.Close() // only the status counts
			want := http.StatusSeeOther
			if name == "signed in" {
				want = http.StatusOK
			}
			if a.StatusCode != want {
				t.Errorf("%s, session %t: %d, want %d", name, cookie != "", a.StatusCode, want)
			}
			for _, c := range a.Cookies() {
				session = c.Value
			}
		}
	}
	b.proxy = config.Proxy{Header: "X-Remote-User", Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	ask("signed in", http.Header{"X-Remote-User": {"kim"}})
	if session == "" {
		t.Fatal("there is no session")
	}
	ask("signed in", http.Header{"x-REMOTE-user": {"kim"}}) // names of headers have no case
	for name, headers := range map[string]http.Header{
		"several values": {"X-Remote-User": {"kim", "kim"}}, "another spelling beside it": {"X-Remote-User": {"kim"},
			"x-remote-user": {"eve"}},
		"empty": {"X-Remote-User": {""}}, "a list": {"X-Remote-User": {"kim, eve"}}, "another case": {"X-Remote-User": {"KIM"}},
		"over-long": {"X-Remote-User": {strings.Repeat("kim", 4000)}}, "not text": {"X-Remote-User": {"kim\xff"}},
		"of Apache": {"X-Remote-User": {"(null)"}},
	} {
		ask(name, headers)
	}
	b.proxy.Networks[0] = netip.MustParsePrefix("192.0.2.0/24")
	session = ""
	ask("not from the proxy", http.Header{"X-Remote-User": {"kim"}})
	b.proxy.Networks[0] = netip.MustParsePrefix("127.0.0.0/8")
	ask("another header", http.Header{"X_Remote_User": {"kim"}, "Remote-User": {"kim"}, "X-Remote-User-": {"kim"}})
	if n := b.admin.SignIns(); n.Succeeded != 3 || n.Failed == 0 {
		t.Errorf("%+v", n)
	}
}

func TestPasswords(t *testing.T) {
	for _, bad := range []string{"", "short", strings.Repeat("x", MaxPassword+1)} {
		if _, err := HashPassword(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	hash, err := HashPassword(password)
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%s %v", hash, err)
	}
	if ok, err := verify(hash, password); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	if ok, err := verify(hash, password+"x"); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	for _, damaged := range []string{"", "x", "$argon2id$v=19$m=99999999,t=2,p=1$AAAA$AAAA", strings.Replace(hash, "p=1", "p=0", 1),
		hash[:60]} {
		if ok, err := verify(damaged, password); ok || err == nil {
			t.Errorf("%q: %v %v", damaged, ok, err)
		}
	}
}

// automatic is an incident that the machine has opened.
func automatic(ref string) incident.Incident {
	i := incident.Incident{Ref: ref, Title: "Storage", OpenedBy: ref + "/storage", Started: noon, Created: noon, Published: noon,
		Impact: report.Operational}
	i.Post(incident.Update{Status: incident.Investigating, Body: "It is slow.", At: noon, Created: noon,
		Affected: []incident.Affected{{Component: "node-1", Impact: report.MajorOutage}}})
	return i
}
