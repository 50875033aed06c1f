package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// opened returns a hub without periodic work, on the configuration and the database of
// a file.
func opened(t *testing.T, file string) *hub {
	t.Helper()
	c, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	a := c.Database.Address
	a.NoSync = true
	s, err := store.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test no longer needs the data
	h, err := newHub(c, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hub) update(t *testing.T, f func(*store.Tx) error) {
	t.Helper()
	if err := h.store.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// record sets the record of a node's component.
func (h *hub) record(t *testing.T, node, component string, line uptime.Timeline) {
	t.Helper()
	h.update(t, func(tx *store.Tx) error {
		id, err := tx.Signal(t.Context(), store.Key{Kind: store.OfNode, Owner: node, Name: component},
			store.Signal{Summary: "canary-summary"})
		return errors.Join(err, tx.Rewrite(t.Context(), id, line[0].At, line))
	})
}

// asked returns the current response of the public side.
func (h *hub) asked(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	if err := h.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.public().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

// must runs the program with a configuration file, and returns its output.
func must(t *testing.T, file string, args ...string) string {
	t.Helper()
	code, out, errs := called(t, append(args, "--config.file", file)...)
	if code != exitOK {
		t.Fatalf("%q: exit %d: %s", args, code, errs)
	}
	return out
}

// ref returns the name of the object that a command has created.
func ref(out string) string { name, _, _ := strings.Cut(out, " "); return name }

// No private data reaches a public address: neither details of nodes beyond their
// impact, nor names of nodes or authors.
func TestNoCanaryOnThePublicSide(t *testing.T) {
	const canary = "canary"
	file := configured(t, strings.ReplaceAll(onePage, "rl1/", canary+"/"))
	h := opened(t, file)
	now := time.Now()
	b := native.Body{
		Schema: native.Schema, Node: native.Node{ID: canary + "/node2", Name: canary + "-host", Site: canary + "-site",
			Labels: report.Labels{canary: canary}}, Seq: 1, SentAt: now, Interval: 30, TTL: 100, Status: report.MajorOutage,
		Agent:       native.Agent{Version: canary, Boot: canary, Started: now, Config: canary},
		Maintenance: &report.Maintenance{Since: now.Add(-time.Minute), Until: now.Add(time.Hour), By: canary, Reason: canary},
		Components: []native.Component{{ID: "storage", Status: report.MajorOutage, State: report.Seen, Since: now, Reason: canary,
			Summary: canary, Detail: canary, Severity: report.Critical}},
		Findings: []report.Finding{{Rule: canary, Subject: canary, Component: "storage", Severity: report.Critical,
			Impact: report.MajorOutage, Summary: canary, Runbook: canary, Evidence: []report.Evidence{{Fact: canary}},
			Advice: []report.Advice{{Do: canary, Command: canary}}}},
	}
	h.update(t, func(tx *store.Tx) error {
		id, err := tx.SaveBody(t.Context(), b, now)
		return errors.Join(err, tx.SavePresence(t.Context(), id, store.Presence{Boot: canary, Sent: now, Arrived: now, TTL: time.Hour,
			Final: canary}))
	})
	h.record(t, canary+"/node2", "storage", uptime.Timeline{{At: now.Add(-time.Hour), State: report.Operational, Reason: canary},
		{At: now.Add(-2 * time.Minute), State: report.MajorOutage, Reason: canary}})
	h.record(t, canary+"/node2", "host", uptime.Timeline{{At: now.Add(-time.Minute), State: report.UnderMaintenance, Reason: canary}})
	h.id = canary
	if err := h.findIncidents(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.update(t, func(tx *store.Tx) error {
		draft := incident.Incident{Ref: canary, Title: canary, Started: now, Created: now}
		draft.Post(incident.Update{Status: incident.Investigating, Body: canary, At: now, Created: now, Author: canary})
		list, err := tx.Incidents(t.Context(), now.Add(-time.Hour))
		if err != nil || len(list) != 1 {
			return fmt.Errorf("%d incidents: %w", len(list), err)
		}
		list[0].Owner = canary
		list[0].Postmortem = incident.Postmortem{Body: canary, Author: canary, Created: now, Updated: now}
		_, err = tx.ChangeIncident(t.Context(), list[0].Ref, store.Entry{At: now, Who: canary, Action: canary, Detail: canary},
			func(i *incident.Incident) error {
				*i = list[0]
				i.Post(incident.Update{Status: incident.Resolved, Body: "Over.", At: i.Next(now), Created: now, Author: canary})
				return nil
			})
		return errors.Join(err, tx.SaveIncident(t.Context(), &draft))
	})
	if err := h.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, pages := h.shown.Load(), 0
	for _, path := range s.paths() {
		w := httptest.NewRecorder()
		h.public().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+path, nil))
		pages++
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		text := strings.ToLower(w.Body.String() + fmt.Sprint(w.Header()))
		if strings.Contains(text, canary) || strings.Contains(text, "severity") {
			at := strings.Index(text, canary)
			t.Errorf("/%s holds what is private: %.200s", path, text[max(at-80, 0):])
		}
	}
	if pages < 30 || !strings.Contains(h.asked(t, "/").Body.String(), "Storage problems: Node 2 (VPS - RL1)") ||
		!strings.Contains(h.asked(t, "/").Body.String(), "Maintenance: Node 2") {
		t.Errorf("only %d pages were looked at, or nothing was on them:\n%s", pages, h.asked(t, "/").Body)
	}
}

// An incident opens with a major outage, and is taken over, resolved, explained and
// exported, with the commands of the documentation.
func TestAnIncidentFromBeginToEnd(t *testing.T) {
	file := configured(t, onePage)
	h := opened(t, file)
	now := time.Now()
	h.record(t, "rl1/node2", "storage", uptime.Timeline{{At: now.Add(-time.Hour), State: report.Operational},
		{At: now.Add(-time.Minute), State: report.MajorOutage, Reason: "krbd-retry-storm"}})
	for range 2 { // the second time changes nothing
		if err := h.findIncidents(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var list []incidentView
	if err := json.Unmarshal([]byte(must(t, file, "incident", "list", "--output", "json")), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v %+v", err, list)
	}
	id := list[0].Ref
	if list[0].OpenedBy != "vps-rl1/storage" || list[0].Components[0].Component != "node-2" || len(list[0].Updates) != 1 {
		t.Errorf("%+v", list[0])
	}
	must(t, file, "incident", "update", id, "--status", "identified", "One link is *saturated*.")
	h.record(t, "rl1/node2", "storage", uptime.Timeline{{At: time.Now(), State: report.Operational}})
	if err := h.findIncidents(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t, file, "incident", "update", id, "--status", "resolved", "All servers run again.")
	must(t, file, "incident", "edit", id, "--title", "I/O storm on Node 2", "--after-care", "Restart your server if its disk is read-only.")
	if out := must(t, file, "incident", "show", id); !strings.Contains(out, "I/O storm on Node 2\nresolved, major_outage") ||
		!strings.Contains(out, "taken over by: cli:") || !strings.Contains(out, "One link is *saturated*.") {
		t.Error(out)
	}
	draft := must(t, file, "postmortem", "draft", id)
	for _, want := range []string{"## Timeline", "Node 2 (VPS - RL1): major outage.", "Published: One link is \\*saturated\\*.",
		"TO WRITE"} {
		if !strings.Contains(draft, strings.ReplaceAll(want, `\*`, "*")) {
			t.Errorf("%q is not in the draft:\n%s", want, draft)
		}
	}
	path := filepath.Join(t.TempDir(), "postmortem.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, file, "postmortem", "write", id, path)
	}
	write(draft)
	if code, _, errs := called(t, "postmortem", "publish", id, "--config.file", file); code != exitUsage ||
		!strings.Contains(errs, `Something is still to be written: look for "TO WRITE".`) {
		t.Errorf("exit %d: %s", code, errs)
	}
	write("The bond hashed by MAC address.\n\n## Root cause\n\nlayer2 <script>alert(1)</script>\n")
	must(t, file, "postmortem", "publish", id)
	shown := h.asked(t, "/").Body.String()
	for _, want := range []string{"Latest post-mortem", "The bond hashed by MAC address.", "I/O storm on Node 2"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	page := h.asked(t, "/incidents/"+id+"/").Body.String()
	for _, want := range []string{"What you can do now", "Restart your server", "<em>saturated</em>", "Post-mortem"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the incident's page", want)
		}
	}
	if strings.Contains(page, "<script>alert") {
		t.Error("a script")
	}
	must(t, file, "postmortem", "withdraw", id)
	if strings.Contains(h.asked(t, "/").Body.String(), "Latest post-mortem") {
		t.Error("withdrawn, and still there")
	}
	var actions []string
	if err := h.store.View(t.Context(), func(tx *store.Tx) error {
		log, err := tx.AuditLog(t.Context(), 0, 100)
		for _, e := range log {
			actions = append(actions, e.Action)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(actions,
		" "); got != "incident.withdraw-postmortem incident.publish-postmortem incident.postmortem incident.postmortem incident.edit incident.update incident.update incident.open" {
		t.Errorf("the audit log: %s", got)
	}
}

// A state that a person sets for a component is shown and counts, even if nothing
// measures the component, until the incident is resolved.
func TestDeclaredStates(t *testing.T) {
	file := configured(t, onePage)
	h := opened(t, file)
	id := ref(must(t, file, "incident", "create", "--title", "Node 3 is down", "--component", "node-3=major", "--started",
		time.Now().Add(-2*time.Hour).Format(time.RFC3339), "It has no power."))
	if got := h.asked(t, "/").Body.String(); !strings.Contains(got, "<h1>Major outage</h1>") {
		t.Errorf("%s", got)
	}
	must(t, file, "incident", "update", id, "--status", "resolved", "--at", time.Now().Add(-time.Hour).Format(time.RFC3339),
		"Power is back.")
	got := h.asked(t, "/components/node-3/").Body.String()
	if !regexp.MustCompile(`class="state operational".*since`).MatchString(got) || !strings.Contains(got, "3,600 s") {
		t.Errorf("%s", got)
	}
	draft := ref(must(t, file, "incident", "create", "--draft", "--title", "x", "--component", "vps-rl1=degraded", "y"))
	if strings.Contains(h.asked(t, "/").Body.String(), "Degraded performance</h1>") {
		t.Error("a draft declares")
	}
	must(t, file, "incident", "publish", draft)
	if !strings.Contains(h.asked(t, "/").Body.String(), "<h1>Degraded performance</h1>") {
		t.Error("what was published declares nothing")
	}
	if code, _, errs := called(t, "incident", "discard", draft, "--config.file", file); code != exitFailure ||
		!strings.Contains(errs, "Customers have seen this incident: resolve it instead.") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// Maintenance begins and ends automatically, its time does not count, and a node's
// own maintenance is shown as well.
func TestMaintenanceFromBeginToEnd(t *testing.T) {
	file := configured(t, onePage)
	h := opened(t, file)
	now := time.Now()
	h.record(t, "rl1/node2", "storage", uptime.Timeline{{At: now.Add(-10 * time.Hour), State: report.Operational},
		{At: now.Add(-2 * time.Hour), State: report.MajorOutage}, {At: now.Add(-time.Hour), State: report.Operational}})
	h.record(t, "rl1/node3", "storage", uptime.Timeline{{At: now.Add(-10 * time.Hour), State: report.Operational}})
	id := ref(must(t, file, "maintenance", "create", "--title", "Migration to librbd", "--from", now.Add(-3*time.Hour).Format(time.RFC3339),
		"--until", now.Add(time.Hour).Format(time.RFC3339), "--component", "node-2", "Servers are moved."))
	if err := h.findIncidents(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.asked(t, "/").Body.String(); !strings.Contains(got, "<h1>Maintenance in progress</h1>") ||
		!strings.Contains(got, "Migration to librbd") {
		t.Errorf("%s", got)
	}
	must(t, file, "maintenance", "update", id, "--status", "completed")
	got := h.asked(t, "/components/node-2/").Body.String()
	if !strings.Contains(got, "100.000 %") || !strings.Contains(got, "Under maintenance") {
		t.Errorf("the outage was within the maintenance:\n%s", got)
	}
	if !strings.Contains(h.asked(t, "/maintenance.ics").Body.String(), "SUMMARY:Migration to librbd") {
		t.Error("it is not in the calendar")
	}
	if out := must(t, file, "maintenance", "list"); out != "no maintenance\n" {
		t.Error(out)
	}
	if out := must(t, file, "maintenance", "list", "--all"); !strings.Contains(out, id) {
		t.Error(out)
	}
}

// The message of a mistake lists what is allowed, and the mistake changes nothing.
func TestMistakesOfIncidentsAndMaintenance(t *testing.T) {
	file := configured(t, onePage)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"incident", "show", "none"}, `incident "none": not found; see nodewatch-status incident list --all`},
		{[]string{"incident", "update", "none", "x"}, "not found"},
		{[]string{"incident", "create", "x"}, "required flag(s) '--title'"},
		{[]string{"incident", "create", "--title", "x", "--component", "node-2=bad", "--component", "node-9=major", "y"},
			`--component "node-2=bad" must be ID=IMPACT`},
		{[]string{"incident", "create", "--title", "x", "--component", "node-9=major", "y"}, `There is no component or group "node-9".`},
		{[]string{"incident", "create", "--title", strings.Repeat("x", 256), "y"}, "The title has 256 bytes; at most 200 are allowed."},
		{[]string{"incident", "create", "--title", "x", strings.Repeat("y", desk.MaxBody+1)},
			"The text has 32769 bytes; at most 32768 are allowed."},
		{[]string{"incident", "create", "--title", "x", "--started", "2999-01-01 00:00", "y"}, "The time must not be in the future."},
		{[]string{"incident", "create", "--title", "x", "--started", "2026-03-29 02:30", "y"},
			"does not exist in Europe/Stockholm because of a clock change"},
		{[]string{"incident", "create", "--title", "x", "--started", "yesterday", "y"}, "must be a time such as"},
		{[]string{"incident", "edit", "none"}, "nothing to change"},
		{[]string{"maintenance", "create", "--title", "x", "--from", "2999-01-02 00:00", "--until", "2999-01-01 00:00", "--component",
			"node-2", "y"}, "The end must be after the start"},
		{[]string{"maintenance", "create", "--title", "x", "--from", "2026-01-01 00:00", "--until", "2026-01-02 00:00", "--component",
			"node-2", "y"}, "The end must not be in the past."},
		{[]string{"maintenance", "update", "none", "y"}, "see nodewatch-status maintenance list --all"},
		{[]string{"postmortem", "publish", "none"}, "not found"},
		{[]string{"postmortem", "write", "none", "/no/such/file"}, "no such file"},
		{[]string{"export", "--every=-1s", t.TempDir()}, "--every must not be negative"},
	} {
		if code, _, errs := called(t, append(c.args, "--config.file", file)...); code != exitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%.80q: exit %d: %q, want %q", c.args, code, errs, c.want)
		}
	}
	if out := must(t, file, "incident", "list", "--all"); out != "no incidents\n" {
		t.Error(out)
	}
}

// Commands refuse what operators may not do, as the pages and the API do.
func TestConflictsOfCommands(t *testing.T) {
	file := configured(t, onePage)
	h := opened(t, file)
	now := time.Now()
	of := func(args ...string) string {
		t.Helper()
		return ref(must(t, file, args...))
	}
	from, until := now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)
	running := of("maintenance", "create", "--title", "x", "--from", from, "--until", until, "--component", "vps-rl1", "y")
	over := of("maintenance", "create", "--title", "x", "--from", from, "--until", until, "--component", "node-2", "y")
	must(t, file, "maintenance", "update", running, "--status", "in_progress")
	must(t, file, "maintenance", "update", over, "--status", "completed")
	public := of("incident", "create", "--title", "x", "--component", "vps-rl1=degraded", "--component", "node-2=major", "y")
	announced := "announced"
	h.update(t, func(tx *store.Tx) error {
		m := incident.Maintenance{Ref: announced, Title: "x", Node: "rl1/node2", Starts: now, Ends: now.Add(time.Hour), Created: now,
			Published: now, Components: []string{"node-2"}}
		m.Post(incident.Update{Status: incident.InProgress, Body: "x", At: now, Created: now})
		return tx.SaveMaintenance(t.Context(), &m)
	})
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"maintenance", "update", over, "y"}, exitFailure, "The maintenance is completed."},
		{[]string{"maintenance", "update", over, "--until", until}, exitFailure, "The maintenance is completed."},
		{[]string{"maintenance", "update", running, "--from", until}, exitUsage, "The maintenance has begun: its start cannot be changed."},
		{[]string{"maintenance", "update", running, "--publish"}, exitFailure, "The maintenance is published already."},
		{[]string{"maintenance", "update", announced, "--status", "completed"}, exitFailure,
			"The node rl1/node2 announces this maintenance: end it there."},
		{[]string{"incident", "publish", public}, exitFailure, "The incident is published already."},
		{[]string{"incident", "edit", public, "--update", "999", "y"}, exitUsage, "The incident has no update 999."},
		{[]string{"postmortem", "publish", public}, exitFailure, "The incident has no post-mortem."},
		{[]string{"postmortem", "withdraw", public}, exitFailure, "The post-mortem is not published."},
	} {
		if code, _, errs := called(t, append(c.args, "--config.file", file)...); code != c.code ||
			errs != "nodewatch-status: "+c.want+"\n" {
			t.Errorf("%q: exit %d: %q, want %d: %q", c.args, code, errs, c.code, c.want)
		}
	}
	// A component that is named itself takes precedence over its group.
	if out := must(t, file, "incident", "show", public); !strings.Contains(out, "node-2=major_outage node-3=degraded_performance") {
		t.Error(out)
	}
}

// An export is complete, needs no server, and replaces the previous one.
func TestExport(t *testing.T) {
	file, dir := configured(t, onePage), filepath.Join(t.TempDir(), "site")
	must(t, file, "incident", "create", "--title", "Trouble", "Text")
	draft := ref(must(t, file, "incident", "create", "--title", "Gone", "Text"))
	out := must(t, file, "export", "--every", "10m", dir)
	if err := os.WriteFile(filepath.Join(dir, "robots.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	files := func() (n int) {
		err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if !d.IsDir() {
				n++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if want := fmt.Sprintf("%d files in %s\n", files()-2, dir); out != want { // does not count the manifest and robots.txt
		t.Errorf("%q, want %q", out, want)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil || !strings.Contains(string(raw), "the next one is due at") ||
		!strings.Contains(string(raw), `href="./components/node-2/index.html"`) {
		t.Errorf("%v\n%s", err, raw)
	}
	h := opened(t, file)
	h.update(t, func(tx *store.Tx) error {
		i, _, err := tx.Incident(t.Context(), draft)
		if err != nil {
			return err
		}
		_, err = tx.DeleteIncident(t.Context(), i.ID)
		return err
	})
	before := files()
	must(t, file, "export", dir)
	if _, err := os.Stat(filepath.Join(dir, "incidents", draft, "index.html")); !errors.Is(err, os.ErrNotExist) || files() != before-1 {
		t.Errorf("what is gone is still there: %v, %d files after %d", err, files(), before)
	}
}

// The public side serves its pages, in small responses, and 404 for anything else.
func TestThePublicSide(t *testing.T) {
	h := opened(t, configured(t, strings.Replace(onePage, "page: {", "page: {no_index: true, ", 1)))
	w := h.asked(t, "/")
	if got := w.Header(); w.Code != http.StatusOK || got.Get("X-Robots-Tag") != "noindex" ||
		!strings.Contains(got.Get("Content-Security-Policy"), "frame-ancestors 'none'") || got.Get("Set-Cookie") != "" {
		t.Errorf("%d %v", w.Code, got)
	}
	q := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	q.Header.Set("If-None-Match", w.Header().Get("ETag"))
	again := httptest.NewRecorder()
	if h.public().ServeHTTP(again, q); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("%d", again.Code)
	}
	if w := h.asked(t, "/widget/"); !strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors *") {
		t.Errorf("%v", w.Header())
	}
	if w := h.asked(t, "/api/v2/summary.json"); w.Header().Get("Access-Control-Allow-Origin") != "*" || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	for path, code := range map[string]int{"/components/node-2": http.StatusMovedPermanently, "/components/node-9/": http.StatusNotFound,
		"/nothing": http.StatusNotFound, "/metrics": http.StatusNotFound, "/-/ready": http.StatusNotFound,
		"//evil.example/": http.StatusTemporaryRedirect} {
		w := h.asked(t, path)
		if to := w.Header().Get("Location"); w.Code != code || strings.HasPrefix(to, "//") || strings.Contains(to, ":") {
			t.Errorf("%s: %d to %q, want %d", path, w.Code, to, code)
		}
	}
}

// The example shows everything that the page of a hosting company shows.
func TestTheExampleConfiguration(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/status/example.yml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("example.yml", raw)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range c.Groups {
		n += len(g.Components)
	}
	if len(c.Groups) != 7 || n != 60 {
		t.Errorf("%d components in %d groups", n, len(c.Groups))
	}
	file := filepath.Join(t.TempDir(), "example.yml")
	text := strings.Replace(string(raw), "/var/lib/nodewatch-status", filepath.Dir(file), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := opened(t, file)
	start := time.Now().Add(-100 * 24 * time.Hour)
	for _, g := range c.Groups {
		for _, x := range g.Components {
			h.update(t, func(tx *store.Tx) error {
				k := store.Key{Kind: store.Pushed, Name: x.ID}
				if x.Node != "" {
					k = store.Key{Kind: store.OfNode, Owner: x.Node, Name: "storage"}
				}
				id, err := tx.Signal(t.Context(), k, store.Signal{})
				return errors.Join(err, tx.Rewrite(t.Context(), id, start, uptime.Timeline{{At: start, State: report.Operational}}))
			})
		}
	}
	began, ended := time.Now().Add(-48*time.Hour), time.Now().Add(-48*time.Hour+2*time.Minute)
	id := ref(must(t, file, "incident", "create", "--title", "VPS - RL1 Node 2: I/O storm", "--component", "rl1-node2=major", "--started",
		began.Format(time.RFC3339), "No packets returned by host"))
	must(t, file, "incident", "update", id, "--status", "resolved", "--at", ended.Format(time.RFC3339), "All VMs back up.")
	path := filepath.Join(t.TempDir(), "postmortem.md")
	if err := os.WriteFile(path, []byte("This server was the only one still using krbd.\n\n## Timeline\n\n## Impact\n\n## Root cause\n\n## Resolution\n\n## Preventive measures\n\n- All nodes on `layer3+4`.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, file, "postmortem", "write", id, path)
	must(t, file, "postmortem", "publish", id)
	must(t, file, "maintenance", "create", "--title", "VPS - RL1: migrate from krbd to QEMU librbd", "--from",
		time.Now().Add(time.Hour).Format(time.RFC3339), "--until", time.Now().Add(2*time.Hour).Format(time.RFC3339), "--component",
		"rl1-node2", "--no-impact", "VMs will be live-migrated. No downtime.")
	body := h.asked(t, "/").Body.String()
	for what, want := range map[string]string{
		"overall state": "<h1>All systems operational</h1>", "uptime of the page": "<strong>99.998 %</strong> uptime over 90 days",
		"latest post-mortem": "Latest post-mortem", "its sections": "<h3>Preventive measures</h3>",
		"maintenance": "migrate from krbd to QEMU librbd", "no downtime": "no downtime expected", "past incidents": "Past incidents",
		"its text": "All VMs back up.", "a component's uptime": `99.998 %</span> uptime`,
		"where help is": "Issue not listed here?", "the footer": "Automated health checks run every 30 seconds.",
		"a description of a group": "Stockholm data centre", "a description of a component": "High-performance compute",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s: %q is missing", what, want)
		}
	}
	for _, g := range c.Groups {
		if !strings.Contains(body, `id="`+g.ID+`"`) || !strings.Contains(body, strings.ReplaceAll(g.Name, "&", "&amp;")) {
			t.Errorf("the group %s is missing", g.ID)
		}
		for _, x := range g.Components {
			if !strings.Contains(body, `href="./components/`+x.ID+`/"`) {
				t.Errorf("the component %s is missing", x.ID)
			}
		}
	}
	if len(body) > 150_000 {
		t.Errorf("%d bytes", len(body))
	}
}
