package browser

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var operatorWidths = flag.String("operator-widths", "",
	"widths of the screens that the operators' pages of nodewatch-status are tried on; empty: all of -widths")

var statusBinary = flag.String("nodewatch-status", "../../bin/browser/nodewatch-status", "the nodewatch-status to try")

// A hub is a running nodewatch-status: its addresses, and the operator who may sign
// in.
type hub struct{ public, operators, intake, name, password string }

// startHub starts nodewatch-status until the test ends, and waits for the line last in
// its output.
func startHub(t *testing.T, last string, args ...string) (h hub) {
	t.Helper()
	program, err := filepath.Abs(*statusBinary)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // the process may have ended
		_ = cmd.Wait()
	})
	ended := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer ended.Stop()
	for lines := bufio.NewScanner(out); ; {
		if !lines.Scan() {
			t.Fatalf("nodewatch-status does not say %q", last)
		}
		what, rest, _ := strings.Cut(lines.Text(), ": ")
		switch what {
		case "public page":
			h.public = rest
		case "operators' page":
			h.operators = rest
		case "reports":
			h.intake = rest
		}
		if _, secret, is := strings.Cut(lines.Text(), "as demo with the password "); is {
			h.name, h.password = "demo", secret
		}
		if strings.Contains(lines.Text(), last) {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return h
}

// demos are the states of a fleet in which the pages are tested, as arguments of
// nodewatch-status demo.
var demos = map[string][]string{
	"calm":  {"--speed", "1"},
	"storm": {"--speed", "1", "--skip", "6m"},
}

// links returns the targets of a page's links, without the part after #.
func links(t *testing.T, browser context.Context, address string) []string {
	t.Helper()
	b := open(t, browser, address, look{width: 1280, height: 800, scripts: true})
	return eval[[]string](t, b, `[...document.querySelectorAll("a[href]")].map(a => a.href.split("#")[0])`)
}

// kinds returns one page of each kind that the first page links to, itself included:
// pages whose paths have the same first word are of one kind.
func kinds(t *testing.T, browser context.Context, address string) []string {
	t.Helper()
	list, seen := []string{address}, map[string]bool{"": true}
	for _, link := range links(t, browser, address) {
		path, own := strings.CutPrefix(link, address)
		kind, _, _ := strings.Cut(path, "/")
		if !own || seen[kind] || !strings.HasSuffix(path, "/") {
			continue
		}
		seen[kind] = true
		list = append(list, link)
	}
	return list
}

// signIn signs in to the operators' pages, for all tabs of the browser.
func (h hub) signIn(t *testing.T, browser context.Context) {
	t.Helper()
	b := open(t, browser, h.operators+"login", look{width: 390, height: 844})
	b.run(t,
		chromedp.SendKeys("input[name=name]", h.name), chromedp.SendKeys("input[name=password]", h.password+"\r"),
		chromedp.WaitReady("header nav"),
	)
}

// operatorPages returns all operators' pages, with one of each kind that has many. The
// browser must have signed in.
func (h hub) operatorPages(t *testing.T, browser context.Context) []string {
	t.Helper()
	list := []string{h.operators}
	for _, path := range []string{"checks", "incidents", "maintenance", "tokens", "audit"} {
		list = append(list, h.operators+path)
	}
	for _, x := range [][2]string{{"nodes/", ""}, {"incidents/", "incidents"}, {"maintenance/", "maintenance"}} {
		kind, from := x[0], x[1]
		all := links(t, browser, h.operators+from)
		found := slices.IndexFunc(all, func(link string) bool { return strings.HasPrefix(link, h.operators+kind) })
		if found < 0 {
			t.Errorf("the operators' page /%s leads to no %s", from, kind)
			continue
		}
		list = append(list, all[found])
	}
	return list
}

// Both sides of the status page in each state on each screen: axe-core finds no problem,
// nothing is wider than the screen, nothing is requested from other servers.
func TestStatusPages(t *testing.T) {
	browser := chromium(t)
	for name, args := range demos {
		if !slices.Contains(strings.Fields(*only), name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			h := startHub(t, "nodes report", append([]string{"demo", "--port", "0"}, args...)...)
			shown(t, h.public, "incidents/") // its past
			if name == "storm" {
				shown(t, h.public, "We are investigating")
			}
			try := func(side, address string, pages []string, widths string) {
				t.Logf("%s: %v", side, pages)
				if len(pages) < 5 && side != "login" {
					t.Errorf("only %v", pages)
				}
				for _, width := range strings.Fields(widths) {
					for _, scheme := range strings.Fields(*schemes) {
						t.Run(side+" "+width+" "+scheme, func(t *testing.T) {
							for n, page := range pages {
								tryStatusPage(t, browser, address, page, fmt.Sprintf("status-%s-%s-%d-%s-%s", name, side, n, width, scheme),
									width, scheme)
							}
						})
					}
				}
			}
			try("public", h.public, kinds(t, browser, h.public), *widths)
			try("login", h.operators, []string{h.operators}, cmp.Or(*operatorWidths, *widths)) // the redirect target without a session
			h.signIn(t, browser)
			try("operators", h.operators, h.operatorPages(t, browser), cmp.Or(*operatorWidths, *widths))
		})
	}
}

// nodeScreens is the maximum length of a node's page for operators with all folds
// closed, in screens.
const nodeScreens = 8

func tryStatusPage(t *testing.T, browser context.Context, address, page, picture, width, scheme string) {
	l := look{height: heights[width], dark: scheme == "dark", scripts: true}
	fmt.Sscan(width, &l.width)
	b := open(t, browser, page, l)
	b.shot(t, picture)
	if wide := eval[int](t, b, "document.documentElement.scrollWidth"); wide > int(l.width) {
		t.Errorf("%s: it is %d px wide", page, wide)
	}
	if high := eval[int](t, b, "document.documentElement.scrollHeight"); strings.Contains(page, "/nodes/") &&
		high > nodeScreens*int(l.height) {
		t.Errorf("%s: it is %d px high, more than %d screens", page, high, nodeScreens)
	}
	eval[bool](t, b, `document.querySelectorAll("details").forEach(d => d.open = true), true`)
	if wide := eval[int](t, b, "document.documentElement.scrollWidth"); wide > int(l.width) {
		t.Errorf("%s: with all open it is %d px wide", page, wide)
	}
	if foreign := b.foreign(address); len(foreign) > 0 {
		t.Errorf("%s: it asks others, or is refused: %v", page, foreign)
	}
	for _, v := range b.axe(t) {
		t.Errorf("%s: %s", page, v)
	}
}

// shown waits until a page contains a text.
func shown(t *testing.T, address, text string) {
	t.Helper()
	client := &http.Client{Timeout: patience}
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		answer, err := client.Get(address)
		if err == nil {
			body, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if strings.Contains(string(body), text) {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%s never says %q (%v)", address, text, err)
		}
	}
}

// Without scripts the pages have the same content. With only a keyboard, every link and
// every fold can be reached in the order of the page, and the focus is visible.
func TestStatusPagesByKeyboardAndWithoutScripts(t *testing.T) {
	if !slices.Contains(strings.Fields(*only), "storm") {
		t.Skip("only some states are tried")
	}
	browser := chromium(t)
	h := startHub(t, "nodes report", "demo", "--port", "0", "--speed", "1", "--skip", "6m")
	shown(t, h.public, "Major outage")
	h.signIn(t, browser) // with the keyboard, and without scripts
	for n, page := range append([]string{h.public}, h.operatorPages(t, browser)...) {
		const text = `document.querySelector("main").innerText.replace(/\d\d:\d\d(:\d\d)?|\d+ (s|min)\b/g, "").replace(/\s+/g, " ").length`
		b := open(t, browser, page, look{width: 390, height: 844})
		if n < 2 { // two are enough, because the other pages have no scripts
			with := eval[int](t, open(t, browser, page, look{width: 390, height: 844, scripts: true}), text)
			if without := eval[int](t, b, text); without < with*9/10 {
				t.Errorf("%s: %d characters without scripts, %d with", page, without, with)
			}
		}
		if scripts := eval[int](t, b, `document.querySelectorAll("script").length`); n > 0 && scripts > 0 {
			t.Errorf("%s: it has a script", page)
		}
		most := 60
		if n > 1 {
			most = 25
		}
		most = min(most, eval[int](t, b,
			`[...document.querySelectorAll("a[href], summary, button, input:not([type=hidden]), select, textarea, [tabindex='0']")].filter(e => e.checkVisibility()).length`))
		order, blind := 0, ""
		for order < most {
			b.run(t, chromedp.KeyEvent("\t"))
			if eval[bool](t, b, `document.activeElement === document.body`) {
				break
			}
			order++
			if style := eval[string](t, b,
				`(e => { const s = getComputedStyle(e); return s.outlineStyle === "none" && s.boxShadow === "none" ? e.outerHTML.slice(0, 120) : "" })(document.activeElement)`); style != "" && blind == "" {
				blind = style
			}
		}
		if order < most {
			t.Errorf("%s: %d of %d can be reached by the keyboard", page, order, most)
		}
		if blind != "" {
			t.Errorf("%s: the focus is not seen on %s", page, blind)
		}
	}
}

// hostile contains texts that would run as a script, escape from their place in the page,
// or request other servers, if they were not escaped.
var hostile = []string{
	`<script>window.hit=1</script>`, `<img src=x onerror="window.hit=2">`, `"><svg onload=window.hit=3>`, `'-(window.hit=4)-'`,
	`javascript:window.hit=5`,
	`</style><script>window.hit=6</script>`, `</title><script>window.hit=7</script>`, `<a href="javascript:window.hit=8">x</a>`,
	`<iframe src="https://192.0.2.1/"></iframe>`,
	`{{constructor.constructor("window.hit=9")()}}`, `<math><mtext></form><form><mglyph><style></math><img src onerror=window.hit=10>`,
	`[x](javascript:window.hit=11)`, `![x](https://192.0.2.1/x.png)`,
	"\u202eevil\u0000", `<base href="https://192.0.2.1/">`, `<meta http-equiv=refresh content="0;url=https://192.0.2.1/">`,
	`<link rel=stylesheet href="//192.0.2.1/x.css">`,
}

// Names and texts from nodes, from the configuration and in Markdown are hostile: on both
// sides, none of them runs, and none causes a request to another server.
func TestHostileText(t *testing.T) {
	if !slices.Contains(strings.Fields(*only), "storm") {
		t.Skip("only some states are tried")
	}
	browser := chromium(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "status.yml")
	all := strings.Join(hostile, "\n\n")
	groups := []any{}
	for n, text := range hostile {
		text = strings.Map(func(r rune) rune {
			if r == 0 {
				return -1 // YAML has no such characters
			}
			return r
		}, text)
		groups = append(groups, map[string]any{"id": fmt.Sprintf("g%d", n), "name": text, "description": text, "components": []any{
			map[string]any{"id": fmt.Sprintf("c%d", n), "name": text, "description": text, "node": "rl1/node2"},
		}})
	}
	text, err := json.Marshal(map[string]any{ // JSON is valid YAML
		"public": map[string]any{"listen": []string{"127.0.0.1:0"}}, "operators": map[string]any{"listen": []string{"127.0.0.1:0"}},
		"intake":   map[string]any{"listen": []string{"127.0.0.1:0"}},
		"database": map[string]any{"address": "sqlite:" + filepath.Join(dir, "status.db")},
		"page":     map[string]any{"title": hostile[0] + hostile[2], "about": strings.ReplaceAll(all, "\x00", "")}, "groups": groups,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, text, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := filepath.Abs(*statusBinary)
	if err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(program, append(args, "--config.file", conf)...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	call("operator", "add", "kim", "--role", "admin", "--password-file", password)
	token := call("token", "create", "rl1/node2", "--label", hostile[2])
	written := strings.ReplaceAll(all, "\x00", "")
	ref, _, _ := strings.Cut(call("incident", "create", "--title", hostile[0]+hostile[2], "--after-care", written, "--component",
		"c1=major", written), " ")
	mortem := filepath.Join(dir, "postmortem.md")
	if err := os.WriteFile(mortem, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	call("postmortem", "write", ref, mortem)
	call("postmortem", "publish", ref)
	call("maintenance", "create", "--title", hostile[1]+hostile[6], "--from", "2037-01-01 10:00", "--until", "2037-01-01 12:00",
		"--component", "c2", written)
	h := startHub(t, "reports", "run", "--config.file", conf)
	h.name, h.password = "kim", "correct horse battery"
	report(t, h.intake, token, all)
	shown(t, h.public, "Major outage")
	try := func(address string, pages []string) {
		for _, page := range pages {
			b := open(t, browser, page, look{width: 1280, height: 800, scripts: true})
			eval[bool](t, b, `document.querySelectorAll("details").forEach(d => d.open = true), true`)
			if hit := eval[string](t, b, `String(window.hit)`); hit != "undefined" {
				t.Errorf("%s: hostile text %s has run", page, hit)
			}
			if foreign := b.foreign(address); len(foreign) > 0 {
				t.Errorf("%s: it asks others: %v", page, foreign)
			}
			if bad := eval[[]string](t, b,
				`[...document.querySelectorAll("a, form, img, iframe, base, meta[http-equiv], [onload], [onerror]")].filter(e =>
				/^javascript:/i.test(e.href ?? e.action ?? "") || /192\.0\.2\.1/.test(e.src ?? e.content ?? "") || ["IFRAME", "BASE"].includes(e.tagName) || e.hasAttribute("onload") || e.hasAttribute("onerror")).map(e => e.outerHTML)`); len(bad) > 0 {
				t.Errorf("%s: %v", page, bad)
			}
		}
	}
	public := kinds(t, browser, h.public)
	for _, kind := range []string{"incidents/", "maintenance/", "components/", "history/"} {
		if !slices.ContainsFunc(public, func(page string) bool { return strings.HasPrefix(page, h.public+kind) }) {
			t.Errorf("no public page of %s is tried", kind)
		}
	}
	try(h.public, public)
	h.signIn(t, browser)
	try(h.operators, h.operatorPages(t, browser))
}

// report sends the report of a node in which all texts are hostile.
func report(t *testing.T, intake, token, text string) {
	t.Helper()
	now := time.Now().UTC()
	var components []any
	for n, text := range hostile {
		components = append(components, map[string]any{"id": fmt.Sprintf("part%d", n), "status": "major_outage", "state": "seen",
			"since": now, "summary": text, "detail": text})
	}
	raw, err := json.Marshal(map[string]any{
		"schema": "nodewatch.report/1", "node": map[string]any{"id": "rl1/node2", "name": text[:200], "site": text[:60],
			"labels": map[string]any{"rack": hostile[0], "switch": hostile[2]}},
		"seq": now.UnixMilli(), "sent_at": now, "interval_s": 30, "ttl_s": 100,
		"status": "major_outage", "agent": map[string]any{"version": hostile[0], "boot_id": "b1", "started_at": now.Add(-time.Hour)},
		"components": components,
		"findings": []any{map[string]any{
			"rule": "krbd-stalled", "subject": hostile[1], "component": "part1", "severity": "critical", "impact": "major_outage",
			"state": "seen", "since": now, "level_since": now, "last_seen": now,
			"summary": hostile[2], "evidence": []any{map[string]any{"source": hostile[0], "subject": hostile[1], "fact": hostile[2],
				"at": now}}, "against": []any{},
			"advice": []any{map[string]any{"do": hostile[0], "command": hostile[1]}}, "runbook": hostile[4],
		}},
		"transitions": []any{}, "transitions_waiting": 0, "transitions_dropped": 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequest(http.MethodPost, intake+"v1/report", strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Idempotency-Key", fmt.Sprintf("rl1/node2/b1/%d", now.UnixMilli()))
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if said, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", answer.Status, said)
	}
}
