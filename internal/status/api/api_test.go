package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/nodewatch/nodewatch/internal/status/checks"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/test/postgres"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A bench is an API with one node; its responses are checked against its description.
type bench struct {
	*testing.T
	api    *API
	store  *store.Store
	doc    *openapi3.T
	tokens map[string]string // secrets by role
	now    time.Time
	asked  map[string]bool // operations that returned the expected status
}

// The same tests run on both databases.
func TestAPI(t *testing.T) {
	postgres.Both(t, map[string]func(*testing.T, postgres.Database){
		"EveryRouteIsDescribed": everyRouteIsDescribed,
		"Everything":            everything,
		"WhatIsRefused":         whatIsRefused,
		"TooManyRequests":       tooManyRequests,
		"SentAgain":             sentAgain,
		"SentAgainAtOnce":       sentAgainAtOnce,
		"WithoutTheDatabase":    withoutTheDatabase,
	})
}

func newBench(t *testing.T, database postgres.Database) *bench {
	t.Helper()
	address, err := config.ParseAddress(database(t))
	if err != nil {
		t.Fatal(err)
	}
	address.NoSync = true
	s, err := store.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test no longer needs the data
	c, err := config.Parse("f", []byte("page: {title: Example hosting, url: \"https://status.example.org\"}\ngroups: [{id: vps, name: VPS, components: [{id: node-1, name: Node 1, node: rl1/node1}, {id: web, name: Web}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, store: s, tokens: map[string]string{}, now: noon, asked: map[string]bool{}}
	b.api = New(Config{
		Store: s, Config: func() config.Config { return c }, Now: func() time.Time { return b.now }, Rate: 2,
		Failed: func(err error) { t.Errorf("failed: %v", err) },
		Checks: func() []checks.Latest {
			return []checks.Latest{{Component: "web", Asks: "http http://192.0.2.1/", At: noon,
				Result: checks.Result{State: report.MajorOutage, Detail: "502"},
				State:  checks.Result{State: report.MajorOutage, Reason: checks.Failed}}, {Component: "imap", Asks: "tcp 192.0.2.2:143"}}
		},
	})
	if b.doc, err = openapi3.NewLoader().LoadFromData(document); err != nil {
		t.Fatal(err)
	}
	for _, role := range store.Roles() {
		b.tokens[role] = b.issue(store.Token{Kind: store.APIToken, Subject: role, Label: "the-" + role})
	}
	b.update(func(tx *store.Tx) error {
		body := native.Body{
			Node: native.Node{ID: "rl1/node1", Site: "rl1"}, Agent: native.Agent{Version: "1.2.3"}, Status: report.MajorOutage,
			Inventory:  report.Labels{"client": "krbd"},
			Components: []native.Component{{ID: "storage", Status: report.MajorOutage}},
			Findings: []report.Finding{{Rule: "libceph-crc-storm", Component: "storage", Severity: report.Critical,
				Impact: report.MajorOutage, Summary: "78 disks are stalled"}},
		}
		id, err := tx.SaveBody(t.Context(), body, noon)
		if err != nil {
			return err
		}
		_, err = tx.AddTransition(t.Context(), id, native.Transition{ID: "1",
			Transition: report.Transition{At: noon, Rule: "libceph-crc-storm", From: "clear", To: "critical", Impact: report.MajorOutage,
				Summary: "78 disks"}}, noon)
		return errors.Join(err, tx.SavePresence(t.Context(), id, store.Presence{Boot: "b", Started: noon, Arrived: noon,
			Interval: 30 * time.Second, TTL: 100 * time.Second}))
	})
	return b
}

func (b *bench) update(f func(*store.Tx) error) {
	b.Helper()
	if err := b.store.Update(b.Context(), f); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) issue(k store.Token) string {
	b.Helper()
	secret := store.NewSecret()
	k.Created, k.CreatedBy = noon, "kim"
	b.update(func(tx *store.Tx) error { return tx.IssueToken(b.Context(), secret, k) })
	return secret
}

// request returns a request for a path below Base, with a token.
func (b *bench) request(method, path, token, body string, headers ...string) *http.Request {
	q := httptest.NewRequestWithContext(b.Context(), method, Base+path, strings.NewReader(body))
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	return q
}

func (b *bench) send(q *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, q)
	return w
}

// ask sends a request with the lowest role that may make it, and checks the request
// and the response against the description. It replaces {name} in path by the value
// in names: name, value ...
func (b *bench) ask(method, path string, code int, body string, names ...string) map[string]any {
	b.Helper()
	route := slices.IndexFunc(b.api.routes(), func(r route) bool { return r.method == method && r.path == strings.SplitN(path, "?", 2)[0] })
	if route < 0 {
		b.Fatalf("there is no route %s %s", method, path)
	}
	r := b.api.routes()[route]
	params, real := map[string]string{}, path
	for i := 0; i+1 < len(names); i += 2 {
		params[names[i]] = names[i+1]
		real = strings.ReplaceAll(real, "{"+names[i]+"}", url.PathEscape(names[i+1]))
	}
	b.now = b.now.Add(time.Second)
	q := b.request(method, real, b.tokens[r.role], body)
	item := b.doc.Paths.Find(r.path)
	in := &openapi3filter.RequestValidationInput{
		Request: q.Clone(b.Context()), PathParams: params, QueryParams: q.URL.Query(),
		Route:   &routers.Route{Spec: b.doc, Path: r.path, PathItem: item, Method: method, Operation: item.GetOperation(method)},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	in.Request.Body = http.NoBody
	if body != "" {
		in.Request = b.request(method, real, b.tokens[r.role], body)
	}
	err := openapi3filter.ValidateRequest(b.Context(), in)
	if code < 300 && err != nil {
		b.Errorf("%s %s: by its description this is not taken: %v", method, path, err)
	}
	w := b.send(q)
	if w.Code != code {
		b.Fatalf("%s %s: %d, want %d\n%s", method, real, w.Code, code, w.Body)
	}
	raw := w.Body.Bytes()
	if err := openapi3filter.ValidateResponse(b.Context(), &openapi3filter.ResponseValidationInput{RequestValidationInput: in,
		Status: w.Code, Header: w.Header(), Body: readCloser{bytes.NewReader(raw)}, Options: in.Options}); err != nil {
		b.Errorf("%s %s: the answer is not as it is described: %v\n%s", method, path, err, raw)
	}
	if code < 300 {
		b.asked[method+" "+r.path] = true
	}
	out := map[string]any{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			b.Fatalf("%s %s: %v\n%s", method, path, err, raw)
		}
	}
	return out
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// log returns the audit log.
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

// Every route is described, with its role, and nothing else is described.
func everyRouteIsDescribed(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	if err := b.doc.Validate(t.Context(), openapi3.IsOpenAPI31OrLater()); err != nil {
		t.Errorf("it is no OpenAPI document: %v", err)
	}
	described := map[string]*openapi3.Operation{}
	for path, item := range b.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			described[method+" "+path] = operation
		}
	}
	delete(described, "GET /openapi.yaml")
	for _, r := range b.api.routes() {
		name := r.method + " " + r.path
		operation := described[name]
		if operation == nil {
			t.Errorf("%s is not described", name)
			continue
		}
		delete(described, name)
		if !strings.Contains(operation.Description, "Needs the role "+r.role+".") {
			t.Errorf("%s: the description does not say that it needs the role %s: %s", name, r.role, operation.Description)
		}
		if key := slices.ContainsFunc(slices.Concat(operation.Parameters, b.doc.Paths.Find(r.path).Parameters),
			func(p *openapi3.ParameterRef) bool { return p.Value.Name == "Idempotency-Key" }); key != r.changes() {
			t.Errorf("%s: Idempotency-Key %t, want %t", name, key, r.changes())
		}
	}
	for name := range described {
		t.Errorf("%s is described, and there is no such route", name)
	}
	w := b.send(b.request("GET", "/openapi.yaml", "", ""))
	if w.Code != 200 || w.Body.String() != string(document) || w.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("%d %s", w.Code, w.Header())
	}
}

// Everything that operators do is possible through the API, matches the description,
// and is in the audit log with the token's name.
func everything(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	nodes := b.ask("GET", "/nodes?q=krbd&status=bad&site=rl1", 200, "")
	if nodes["total"] != 1.0 || !strings.Contains(fmt.Sprint(nodes), "78 disks are stalled") {
		t.Error(nodes)
	}
	if node := fmt.Sprint(b.ask("GET", "/nodes/{key}", 200, "", "key", "rl1/node1")); !strings.Contains(node, "libceph-crc-storm") ||
		!strings.Contains(node, "from:clear") {
		t.Error(node)
	}
	b.ask("GET", "/nodes/{key}", 404, "", "key", "rl1/node2")
	if list := fmt.Sprint(b.ask("GET", "/checks", 200, "")); !strings.Contains(list, "502") || !strings.Contains(list, "state:unknown") {
		t.Error(list)
	}

	made := b.ask("POST", "/incidents", 201,
		`{"title": "Storage is slow", "body": "We look into it.", "components": [{"component": "web", "impact": "partial_outage"}]}`)
	ref := made["ref"].(string)
	if made["status"] != "investigating" || made["published"] != nil || made["owner"] != "api:the-operator" ||
		made["url"] != "https://status.example.org/incidents/"+ref+"/" {
		t.Error(made)
	}
	if list := b.ask("GET", "/incidents?state=draft", 200, ""); list["total"] != 1.0 {
		t.Error(list)
	}
	b.ask("POST", "/incidents/{ref}/publish", 409, `{"revision": 7}`, "ref", ref)
	if i := b.ask("POST", "/incidents/{ref}/publish", 200, `{"revision": 1}`, "ref", ref); i["published"] == nil || i["revision"] != 2.0 {
		t.Error(i)
	}
	b.ask("POST", "/incidents/{ref}/publish", 409, "", "ref", ref)
	b.ask("DELETE", "/incidents/{ref}", 409, "", "ref", ref)
	declared := func() (state report.Impact) {
		b.update(func(tx *store.Tx) error {
			states, err := tx.States(t.Context(), store.Declared, "")
			state = states["web"].State
			return err
		})
		return state
	}
	if got := declared(); got != report.PartialOutage {
		t.Errorf("declared %s", got)
	}
	b.ask("POST", "/incidents/{ref}/updates", 200, `{"status": "identified", "body": "A switch."}`, "ref", ref)
	i := b.ask("POST", "/incidents/{ref}/updates", 200, `{"status": "resolved", "body": "It is over."}`, "ref", ref)
	if i["resolved"] == nil || declared() != report.Operational {
		t.Error(i)
	}
	first := i["updates"].([]any)[0].(map[string]any)["id"]
	i = b.ask("PATCH", "/incidents/{ref}", 200,
		fmt.Sprintf(`{"title": "Storage was slow", "after_care": "Restart.", "updates": [{"id": %v, "body": "We looked into it."}]}`,
			first), "ref", ref)
	if i["title"] != "Storage was slow" || i["after_care"] != "Restart." || i["updates"].([]any)[0].(map[string]any)["edited"] == nil ||
		i["updates"].([]any)[1].(map[string]any)["edited"] != nil {
		t.Error(i)
	}
	if i := b.ask("PATCH", "/incidents/{ref}", 200, `{"after_care": ""}`, "ref", ref); i["after_care"] != "" ||
		i["title"] != "Storage was slow" {
		t.Error(i)
	}
	b.ask("POST", "/incidents/{ref}/postmortem/draft", 200, "", "ref", ref)
	b.ask("POST", "/incidents/{ref}/postmortem/draft", 409, "", "ref", ref)
	b.ask("PUT", "/incidents/{ref}/postmortem", 422, `{"body": "TO WRITE", "publish": true}`, "ref", ref)
	b.ask("PUT", "/incidents/{ref}/postmortem", 200, `{"body": "Why.", "publish": true}`, "ref", ref)
	b.ask("PUT", "/incidents/{ref}/postmortem", 422, `{"body": "TO WRITE"}`, "ref", ref)
	if i := b.ask("GET", "/incidents/{ref}", 200, "", "ref", ref); i["postmortem"].(map[string]any)["body"] != "Why." {
		t.Error(i)
	}
	b.update(func(tx *store.Tx) error {
		x := incident.Incident{Ref: "auto", Title: "Storage", OpenedBy: "vps/storage", Status: incident.Investigating, Started: noon,
			Created: noon, Impact: report.Operational}
		return tx.SaveIncident(t.Context(), &x)
	})
	if i := b.ask("POST", "/incidents/{ref}/take-over", 200, "", "ref", "auto"); i["owner"] != "api:the-operator" {
		t.Error(i)
	}
	b.ask("DELETE", "/incidents/{ref}", 204, "", "ref", "auto")
	b.ask("GET", "/incidents/{ref}", 404, "", "ref", "auto")

	plan := `{"title": "New switches", "starts": "2026-11-23T22:00:00+01:00", "ends": "2026-11-24T02:00:00+01:00", "components": ["web", "node-1"], "body": "We replace switches.", "impacting": true}`
	m := b.ask("POST", "/maintenance", 201, plan)
	ref = m["ref"].(string)
	if m["starts"] != "2026-11-23T21:00:00Z" || m["impacting"] != true || m["published"] != nil {
		t.Error(m)
	}
	if m := b.ask("PATCH", "/maintenance/{ref}", 200, `{"impacting": false, "revision": 1}`, "ref", ref); m["impacting"] != false ||
		m["title"] != "New switches" {
		t.Error(m)
	}
	b.ask("POST", "/maintenance/{ref}/publish", 200, "", "ref", ref)
	b.ask("POST", "/maintenance/{ref}/publish", 409, "", "ref", ref)
	b.ask("DELETE", "/maintenance/{ref}", 409, "", "ref", ref)
	if m := b.ask("POST", "/maintenance/{ref}/updates", 200, `{"status": "cancelled", "body": "Not this week."}`, "ref",
		ref); m["status"] != "cancelled" {
		t.Error(m)
	}
	b.ask("GET", "/maintenance/{ref}", 200, "", "ref", ref)
	b.ask("DELETE", "/maintenance/{ref}", 204, "", "ref", b.ask("POST", "/maintenance", 201, plan)["ref"].(string))
	if list := b.ask("GET", "/maintenance", 200, ""); list["total"] != 1.0 {
		t.Error(list)
	}

	k := b.ask("POST", "/tokens", 201, `{"kind": "api", "subject": "viewer", "label": "grafana", "lifetime_s": 3600}`)
	secret, id := k["secret"].(string), fmt.Sprint(k["id"])
	if w := b.send(b.request("GET", "/incidents", secret, "")); w.Code != 200 {
		t.Errorf("a token made by the API: %d %s", w.Code, w.Body)
	}
	if k := b.ask("GET", "/tokens/{id}", 200, "", "id", id); k["secret"] != nil || k["used"] == nil || k["valid"] != true {
		t.Error(k)
	}
	if list := fmt.Sprint(b.ask("GET", "/tokens", 200, "")); strings.Contains(list, store.TokenPrefix) {
		t.Errorf("secrets in a list: %s", list)
	}
	b.ask("POST", "/tokens/{id}/revoke", 200, "", "id", id)
	b.ask("POST", "/tokens/{id}/revoke", 409, "", "id", id)
	b.ask("GET", "/tokens/{id}", 404, "", "id", "999")
	if w := b.send(b.request("GET", "/incidents", secret, "")); w.Code != 401 || w.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a revoked token: %d %s", w.Code, w.Body)
	}

	log := b.log()
	for _, want := range []string{
		"api:the-operator incident.open", "api:the-operator incident.publish", "api:the-operator incident.update",
		"api:the-operator incident.edit", "api:the-operator incident.draft-postmortem",
		"api:the-operator incident.postmortem", "api:the-operator incident.take-over", "api:the-operator incident.delete auto Storage",
		"api:the-operator maintenance.schedule",
		"api:the-operator maintenance.edit", "api:the-operator maintenance.publish", "api:the-operator maintenance.update",
		"api:the-operator maintenance.delete", "api:the-admin token.create", "api:the-admin token.revoke " + id,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log does not say %q:\n%s", want, log)
		}
	}
	page := b.ask("GET", "/audit?limit=2", 200, "")
	if next := b.ask("GET", fmt.Sprintf("/audit?limit=1000&before=%v", page["next"]), 200, ""); next["next"] != nil ||
		len(next["entries"].([]any))+2 != strings.Count(log, "\n") {
		t.Error(next)
	}
	for _, r := range b.api.routes() {
		if !b.asked[r.method+" "+r.path] {
			t.Errorf("%s %s was not tried", r.method, r.path)
		}
	}
}

// An invalid request is refused with a problem that states the reason, and changes
// nothing.
func whatIsRefused(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	operator := b.tokens[store.OperatorRole]
	expired := b.issue(store.Token{Kind: store.APIToken, Subject: store.Admin, Label: "old", Expires: noon.Add(time.Second)})
	node := b.issue(store.Token{Kind: store.NodeToken, Subject: "rl1/node1"})
	before := b.log()
	const open = `{"title": "x", "body": "x"}`
	for _, c := range []struct {
		name, method, path, token, body string
		code                            int
		detail                          string
		headers                         []string
	}{
		{"no token", "GET", "/incidents", "", "", 401, "no bearer token", nil},
		{"an unknown token", "GET", "/incidents", store.NewSecret(), "", 401, "not known", nil},
		{"an expired token", "GET", "/incidents", expired, "", 401, "expired", nil},
		{"basic auth", "GET", "/incidents", "", "", 401, "no bearer token", []string{"Authorization", "Basic a2ltOmtpbQ=="}},
		{"a session", "GET", "/incidents", "", "", 401, "no bearer token", []string{"Cookie", "nodewatch_session=" + operator}},
		{"a node's token", "GET", "/incidents", node, "", 403, "of kind node", nil},
		{"a viewer writes", "POST", "/incidents", b.tokens[store.Viewer], open, 403,
			"needs the role operator; that of the token is viewer", nil},
		{"a viewer reads the audit log", "GET", "/audit", b.tokens[store.Viewer], "", 403, "needs the role operator", nil},
		{"an operator makes tokens", "POST", "/tokens", operator, `{"kind": "push", "subject": "web"}`, 403, "needs the role admin", nil},
		{"an operator reads tokens", "GET", "/tokens", operator, "", 403, "needs the role admin", nil},
		{"no such path", "GET", "/nothing", operator, "", 404, "no such path", nil},
		{"no such method", "PUT", "/incidents", operator, open, 405, "GET, HEAD, POST", nil},
		{"no such incident", "POST", "/incidents/nothing/publish", operator, "", 404, "none of this name", nil},
		{"a name with the character 0", "GET", "/incidents/a%00b", operator, "", 404, "none of this name", nil},
		{"a name that is not text", "GET", "/nodes/%ff", operator, "", 404, "none of this name", nil},
		{"no JSON", "POST", "/incidents", operator, "title=x", 400, "not what is expected", nil},
		{"half of it", "POST", "/incidents", operator, `{"title": "x`, 400, "not what is expected", nil},
		{"two objects", "POST", "/incidents", operator, open + open, 400, "after the object", nil},
		{"an unknown field", "POST", "/incidents", operator, `{"title": "x", "body": "x", "titel": "y"}`, 400,
			`unknown field "titel"`, nil},
		{"another type", "POST", "/incidents", operator, `{"title": 1, "body": "x"}`, 400, "not what is expected", nil},
		{"deep nesting", "POST", "/incidents", operator, strings.Repeat(`[`, 60000), 400, "not what is expected", nil},
		{"a form", "POST", "/incidents", operator, open, 415, "application/json",
			[]string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"compressed", "POST", "/incidents", operator, open, 415, "compressed", []string{"Content-Encoding", "gzip"}},
		{"64 KiB and one", "POST", "/incidents", operator, open + strings.Repeat(" ", maxBody+1-len(open)), 413, "65536 bytes", nil},
		{"nothing", "POST", "/incidents", operator, "", 422, "The text must not be empty.", nil},
		{"no title", "POST", "/incidents", operator, `{"title": " \n", "body": "x"}`, 422, "The title must not be empty.", nil},
		{"a long title", "POST", "/incidents", operator, `{"title": "` + strings.Repeat("x", 201) + `", "body": "x"}`, 422,
			"at most 200", nil},
		{"a long text", "POST", "/incidents", operator, `{"title": "x", "body": "` + strings.Repeat("x", 32<<10+1) + `"}`, 422,
			"at most 32768", nil},
		{"no such status", "POST", "/incidents", operator, `{"title": "x", "body": "x", "status": "over"}`, 422,
			"investigating, identified, monitoring, resolved", nil},
		{"no such component", "POST", "/incidents", operator,
			`{"title": "x", "body": "x", "components": [{"component": "y", "impact": "major_outage"}]}`, 422,
			`no component or group "y"`, nil},
		{"a component twice", "POST", "/incidents", operator,
			`{"title": "x", "body": "x", "components": [{"component": "web", "impact": "major_outage"}, {"component": "web", "impact": "operational"}]}`, 422, "twice", nil},
		{"no such impact", "POST", "/incidents", operator,
			`{"title": "x", "body": "x", "components": [{"component": "web", "impact": "unknown"}]}`, 422,
			"The impact must be one of", nil},
		{"a limit of nothing", "GET", "/incidents?limit=0", operator, "", 400, "limit must be a number from 1 to 1000", nil},
		{"a limit of much", "GET", "/nodes?limit=1001", operator, "", 400, "limit must be", nil},
		{"an offset that is none", "GET", "/maintenance?offset=-1", operator, "", 400, "offset must be", nil},
		{"no such state", "GET", "/incidents?state=over", operator, "", 400, "state must be one of open, draft, resolved", nil},
		{"no such entry", "GET", "/audit?before=x", operator, "", 400, "before must be", nil},
		{"no time", "POST", "/maintenance", operator, `{"title": "x", "body": "x", "starts": "tonight"}`, 400, "not what is expected", nil},
		{"times that are missing", "POST", "/maintenance", operator, `{"title": "x", "body": "x", "components": ["web"]}`, 422,
			"The end must be after the start", nil},
		{"a far year", "POST", "/maintenance", operator,
			`{"title": "x", "body": "x", "components": ["web"], "starts": "9999-12-31T00:00:00Z", "ends": "9999-12-31T01:00:00Z"}`, 422,
			"the years 2000 to 2200", nil},
		{"a role that there is not", "POST", "/tokens", b.tokens[store.Admin], `{"kind": "api", "subject": "root", "label": "x"}`, 422,
			"viewer, operator, admin", nil},
		{"a nameless one", "POST", "/tokens", b.tokens[store.Admin], `{"kind": "api", "subject": "viewer"}`, 422, "needs a label", nil},
		{"a kind that there is not", "POST", "/tokens", b.tokens[store.Admin], `{"kind": "x"}`, 422, "The kind must be one of", nil},
		{"a long life", "POST", "/tokens", b.tokens[store.Admin], `{"kind": "alertmanager", "lifetime_s": 9223372036854775807}`, 422,
			"The lifetime", nil},
		{"a negative life", "POST", "/tokens", b.tokens[store.Admin], `{"kind": "alertmanager", "lifetime_s": -1}`, 422,
			"The lifetime", nil},
		{"an Idempotency-Key with a space", "POST", "/incidents", operator, open, 400, "Idempotency-Key",
			[]string{"Idempotency-Key", "a b"}},
		{"a long Idempotency-Key", "POST", "/incidents", operator, open, 400, "Idempotency-Key",
			[]string{"Idempotency-Key", strings.Repeat("x", 65)}},
	} {
		b.now = b.now.Add(time.Second)
		w := b.send(b.request(c.method, c.path, c.token, c.body, c.headers...))
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != c.code || p.Status != c.code || p.Type != "about:blank" ||
			p.Title != http.StatusText(c.code) || !strings.Contains(p.Detail, c.detail) ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s, want %d with %q (%v)", c.name, w.Code, w.Body, c.code, c.detail, err)
		}
	}
	if after := b.log(); after != before {
		t.Errorf("something was changed:\n%s", after)
	}
	if n := b.api.Count(); n[401] != 5 || n[403] != 5 || n[405] != 1 {
		t.Errorf("%v", n)
	}
}

// A token may ask 20 times at once and then twice a second, each for itself.
func tooManyRequests(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	ask := func(role string) *httptest.ResponseRecorder {
		return b.send(b.request("GET", "/checks", b.tokens[role], ""))
	}
	for n := range burst {
		if w := ask(store.Viewer); w.Code != 200 {
			t.Fatalf("request %d: %d", n, w.Code)
		}
	}
	if w := ask(store.Viewer); w.Code != 429 || w.Header().Get("Retry-After") != "5" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := ask(store.Admin); w.Code != 200 {
		t.Errorf("another token: %d", w.Code)
	}
	b.now = b.now.Add(500 * time.Millisecond)
	if first, second := ask(store.Viewer), ask(store.Viewer); first.Code != 200 || second.Code != 429 {
		t.Errorf("half a second later: %d %d", first.Code, second.Code)
	}
}

// What is sent again changes nothing more, and is answered by how things are now.
func sentAgain(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	send := func(role, method, path, key, body string) (code int, doc map[string]any) {
		t.Helper()
		b.now = b.now.Add(time.Second)
		w := b.send(b.request(method, path, b.tokens[role], body, "Idempotency-Key", key))
		if w.Body.Len() > 0 {
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
				t.Fatal(err)
			}
		}
		return w.Code, doc
	}
	same := func(role, method, path, key, body string, want int) (first, second map[string]any) {
		t.Helper()
		code, first := send(role, method, path, key, body)
		log := b.log()
		again, second := send(role, method, path, key, body)
		if code != want || again != want || b.log() != log {
			t.Errorf("%s %s: %d, sent again %d, want %d\n%s", method, path, code, again, want, b.log())
		}
		return first, second
	}
	const open = `{"title": "x", "body": "x"}`
	first, second := same(store.OperatorRole, "POST", "/incidents", "a", open, 201)
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("%v\n%v", first, second)
	}
	if code, _ := send(store.OperatorRole, "POST", "/incidents", "a", `{"title": "y", "body": "x"}`); code != 422 {
		t.Errorf("another request with the key: %d", code)
	}
	if code, doc := send(store.Admin, "POST", "/incidents", "a", open); code != 201 || doc["ref"] == first["ref"] {
		t.Errorf("another token with the key: %d %v", code, doc)
	}
	path := "/incidents/" + first["ref"].(string)
	if _, second := same(store.OperatorRole, "POST", path+"/updates", "b", `{"status": "identified", "body": "y"}`,
		200); len(second["updates"].([]any)) != 2 {
		t.Error(second)
	}
	same(store.OperatorRole, "POST", path+"/publish", "c", "", 200)
	draft, _ := same(store.OperatorRole, "POST", "/incidents", "d", open, 201)
	same(store.OperatorRole, "DELETE", "/incidents/"+draft["ref"].(string), "e", "", 204)
	made, again := same(store.Admin, "POST", "/tokens", "f", `{"kind": "push", "subject": "web"}`, 201)
	if made["secret"] == nil || again["secret"] != nil || made["id"] != again["id"] {
		t.Errorf("%v\n%v", made, again)
	}
	same(store.OperatorRole, "POST", "/maintenance", "g",
		`{"title": "x", "body": "x", "components": ["web"], "starts": "2026-11-23T22:00:00Z", "ends": "2026-11-23T23:00:00Z"}`, 201)

	// What was refused is not remembered: it is done once it can be.
	if code, _ := send(store.OperatorRole, "POST", path+"/postmortem/draft", "h", `{"revision": 1}`); code != 409 {
		t.Errorf("refused: %d", code)
	}
	if code, _ := send(store.OperatorRole, "POST", path+"/postmortem/draft", "h", ""); code != 200 {
		t.Errorf("then done: %d", code)
	}
	b.now = b.now.Add(25 * time.Hour)
	if code, doc := send(store.OperatorRole, "POST", "/incidents", "a", open); code != 201 || doc["ref"] == first["ref"] {
		t.Errorf("a day later: %d %v", code, doc)
	}
}

// Of one request that is sent many times at once, one is done.
func sentAgainAtOnce(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	var all sync.WaitGroup
	refs := make([]string, 8)
	for n := range refs {
		all.Go(func() {
			w := b.send(b.request("POST", "/incidents", b.tokens[store.OperatorRole], `{"title": "x", "body": "x"}`,
				"Idempotency-Key", "k"))
			var doc struct{ Ref string }
			_ = json.Unmarshal(w.Body.Bytes(), &doc) // then refs differ
			refs[n] = doc.Ref
		})
	}
	all.Wait()
	if refs = slices.Compact(refs); len(refs) != 1 || refs[0] == "" {
		t.Errorf("%q", refs)
	}
}

// Without the database requests are refused for now, and the hub is told why.
func withoutTheDatabase(t *testing.T, database postgres.Database) {
	b := newBench(t, database)
	told := 0
	b.api.Failed = func(error) { told++ }
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	w := b.send(b.request("GET", "/incidents", b.tokens[store.Viewer], ""))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || told != 1 || strings.Contains(w.Body.String(), "sql") {
		t.Errorf("%d %s, told %d times", w.Code, w.Body, told)
	}
}
