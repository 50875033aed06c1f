package page_test

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/page"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

const day = 24 * time.Hour

// input returns a page with everything on it; say makes each text that comes from people.
func input(t *testing.T, say func(string) string) page.Input {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		t.Fatal(err)
	}
	in := page.Input{Now: now, Lines: map[string]uptime.Timeline{}}
	in.Config.Page = config.Page{Title: say("Example"), URL: "https://status.example.org/", Zone: zone, About: say("about"),
		Footer: say("footer"), UnknownAs: "degraded_performance", Weights: config.Weights{Major: 100, Partial: 30}}
	for g := range 2 {
		x := config.Group{ID: fmt.Sprintf("g%d", g), Name: say("group"), Description: say("of a group"),
			Policy: config.Policy{Kind: "worst"}}
		for c := range 3 {
			id := fmt.Sprintf("c%d%d", g, c)
			x.Components = append(x.Components, config.Component{ID: id, Name: say("component"), Description: say("of a component"),
				Node: "canary/node"})
			in.Lines[id] = uptime.Timeline{{At: ago(100 * day), State: report.Operational}}
		}
		in.Config.Groups = append(in.Config.Groups, x)
	}
	in.Lines["c00"] = append(in.Lines["c00"], uptime.Change{At: ago(10 * day), State: report.MajorOutage, Reason: "canary-rule",
		Backfilled: true}, uptime.Change{At: ago(10*day - 4*time.Minute), State: report.Operational, Backfilled: true},
		uptime.Change{At: ago(time.Hour), State: report.Unknown, Reason: "no_report"})
	in.Lines["c01"] = append(in.Lines["c01"], uptime.Change{At: ago(time.Minute), State: report.PartialOutage, Reason: "canary-rule"})
	i := incident.Incident{ID: 1, Ref: "20261120-aaaaa", Title: say("title"), OpenedBy: "canary/storage", Owner: "canary-owner",
		Started: ago(10 * day), Created: ago(10 * day), Published: ago(10 * day), AfterCare: say("after-care")}
	i.Post(incident.Update{ID: 1, Status: incident.Investigating, Body: say("body"), At: ago(10 * day), Created: ago(10 * day),
		Author: "canary-author", Affected: []incident.Affected{{Component: "c00", Impact: report.MajorOutage},
			{Component: "gone", Impact: report.MajorOutage}}})
	i.Post(incident.Update{ID: 2, Status: incident.Resolved, Body: say("resolved"), At: ago(9 * day), Created: ago(9 * day)})
	i.Postmortem = incident.Postmortem{Body: say("lead") + "\n\n" + say("rest") + "\n\n## " + say("heading"), Author: "canary-author",
		Published: ago(8 * day)}
	open := incident.Incident{ID: 2, Ref: "20261130-bbbbb", Title: say("open"), Started: ago(time.Minute), Created: ago(time.Minute),
		Published: ago(time.Minute)}
	open.Post(incident.Update{ID: 3, Status: incident.Identified, Body: say("identified"), At: ago(time.Minute), Created: ago(time.Minute),
		Affected: []incident.Affected{{Component: "c01", Impact: report.PartialOutage}}})
	draft := open
	draft.ID, draft.Ref, draft.Title, draft.Published = 3, "20261130-canary", "canary-draft", time.Time{}
	in.Incidents = []incident.Incident{open, draft, i}
	m := incident.Maintenance{ID: 1, Ref: "20261130-mmmmm", Title: say("maintenance"), Impacting: true, Starts: now.Add(day),
		Ends: now.Add(day + time.Hour), Created: ago(day), Published: ago(day), Components: []string{"g1", "c00"}, Node: "canary/node",
		Revision: 3}
	m.Post(incident.Update{ID: 1, Status: incident.Scheduled, Body: say("planned"), At: ago(day), Created: ago(day),
		Author: "canary-author"})
	done := m
	done.ID, done.Ref, done.Starts, done.Ends = 2, "20261001-nnnnn", ago(60*day), ago(60*day-time.Hour)
	done.Post(incident.Update{ID: 2, Status: incident.InProgress, Body: "begun", At: done.Starts, Created: done.Starts})
	done.Post(incident.Update{ID: 3, Status: incident.Completed, Body: say("completed"), At: done.Ends, Created: done.Ends})
	in.Maintenances = []incident.Maintenance{m, done}
	return in
}

func same(s string) string { return s }

func renderer(t *testing.T) *page.Renderer {
	t.Helper()
	r, err := page.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// documents returns all pages of a snapshot, by path.
func documents(t *testing.T, r *page.Renderer, s page.Snapshot) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, p := range s.Paths() {
		kind, body, err := r.Document(s, p)
		if err != nil || kind == "" {
			t.Fatalf("%q: %q %v", p, kind, err)
		}
		if strings.HasPrefix(kind, "text/html") {
			all[p] = string(body)
		}
	}
	return all
}

// elements calls f for each element of a page.
func elements(t *testing.T, body string, f func(*html.Node)) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			f(n)
		}
	}
}

func TestWhatThePagesShow(t *testing.T) {
	s := page.Build(input(t, same))
	all := documents(t, renderer(t), s)
	for path, wants := range map[string][]string{
		"": {
			"<h1>Partial outage</h1>", "uptime over 90 days", ">open</a>", "Scheduled maintenance", "2026-12-01 13:00 to 14:00 CET",
			"Latest post-mortem", "<p>lead</p>", "Read all of it", "<h3>heading</h3>",
			"November 2026", "October 2026", "September 2026", "No incidents.", "No report since 2026-11-30 12:00 CET",
			`aria-label="component, the last 90 days: `, "1 of 3: partial outage, 1 of 3: no data", "<p>about</p>", "<p>footer</p>",
			"<th scope=\"row\">2026-11-20</th><td>Major outage for 4 min</td>",
		},
		"components/c00/": {"Major outage", "2026-11-20 13:00:00 CET", ">13:04:00 CET", "4 min", "recorded afterwards",
			"100 % of it counts as down", "240 s", "No report", "badges/c00.svg", "not counted"},
		"groups/g0/": {"The group has the state of its worst component.", ">open</a>", ">title</a>"},
		"incidents/20261120-aaaaa/": {"What you can do now", "<p>after-care</p>", `id="postmortem"`, `id="update-1"`, "lasted 1 d",
			`href="../../components/c00/"`},
		"incidents/20261130-bbbbb/":   {"since 2026-11-30 12:59 CET"},
		"maintenance/20261001-nnnnn/": {"The work took 1 h", "this time does not count for uptime"},
		"history/":                    {"November 2026", ">title</a>", "Maintenance, Completed"},
		"history/2026-10/":            {"October 2026", "Maintenance, Completed"},
		"widget/":                     {"Partial outage", "https://status.example.org/incidents/20261130-bbbbb/"},
	} {
		for _, want := range wants {
			if !strings.Contains(all[path], want) {
				t.Errorf("%q: %q is missing", path, want)
			}
		}
	}
	for path, body := range all {
		if strings.Contains(body, "canary") {
			t.Errorf("%q holds what is not public", path)
		}
	}
	if strings.Contains(all["incidents/20261130-bbbbb/"], "What you can do now") {
		t.Error("after-care before it is over")
	}
}

// Whatever else is asked for is not there.
func TestUnknownPaths(t *testing.T) {
	s, r := page.Build(input(t, same)), renderer(t)
	for _, p := range []string{"x", "components/", "components/none/", "components/c00", "components/c00/x/", "incidents/20261130-canary/",
		"history/2025-01/", "history/x/", "widget", "/", "../", "style.css/"} {
		if kind, _, err := r.Document(s, p); kind != "" || err != nil {
			t.Errorf("%q: %s %v", p, kind, err)
		}
	}
}

// Every link of every page, as it is served and as it is exported, leads to a document,
// to a place on the page, or elsewhere.
func TestLinks(t *testing.T) {
	s := page.Build(input(t, same))
	feeds := []string{"history.atom", "history.rss", "maintenance.ics", "api/v2/summary.json", "badges/icon.svg", "badges/c00.svg"}
	for name, r := range map[string]*page.Renderer{"served": renderer(t), "exported": renderer(t).Exported(time.Hour)} {
		known := map[string]bool{}
		for _, p := range append(s.Paths(), feeds...) {
			known[p] = true
			if p == "" || strings.HasSuffix(p, "/") {
				known[p+"index.html"] = name == "exported"
			}
		}
		n := 0
		for from, body := range documents(t, r, s) {
			elements(t, body, func(e *html.Node) {
				for _, a := range e.Attr {
					if a.Key != "href" && a.Key != "src" || strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "https://") {
						continue
					}
					to, err := url.Parse(a.Val)
					if err != nil || to.IsAbs() || strings.HasPrefix(a.Val, "/") {
						t.Errorf("%s %q: %q", name, from, a.Val)
						continue
					}
					n++
					goal := strings.TrimPrefix(path.Join("/", from, to.Path), "/")
					if strings.HasSuffix(to.Path, "/") && goal != "" {
						goal += "/"
					}
					if name == "exported" && strings.HasSuffix(to.Path, "/") || !known[goal] && !strings.HasPrefix(goal, "badges/") {
						t.Errorf("%s %q: %q leads to %q, which is not there", name, from, a.Val, goal)
					}
				}
			})
		}
		if n < 100 {
			t.Errorf("%s: only %d links", name, n)
		}
	}
}

// hostile are texts that try to run a script, load something, or break out of where
// they are.
func hostile() []string {
	return []string{
		`<script>alert(1)</script>`, `"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`,
		`<img src="https://evil.example/x.png">`, `![x](https://evil.example/x.png)`,
		`[x](javascript:alert(1))`, `[x](JaVaScRiPt:alert(1))`, "[x](java\tscript:alert(1))", `[x](&#106;avascript:alert(1))`,
		`[x](data:text/html;base64,PHNjcmlwdD4=)`, `[x](vbscript:x)`,
		`<a href="javascript:alert(1)">x</a>`, `<svg onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`,
		`<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>`, `<iframe src="https://evil.example">`,
		`<object data="x">`, `<embed src=x>`, `<form action="https://evil.example"><input name=x><button>go</button></form>`,
		`<style>*{background:url(https://evil.example)}</style>`, `<p style="background:url(https://evil.example)">x</p>`,
		`<link rel=stylesheet href=https://evil.example>`, `<meta http-equiv=refresh content="0;url=https://evil.example">`,
		`<base href=https://evil.example>`, `<body onload=alert(1)>`, `<details open ontoggle=alert(1)>`,
		`<x onclick=alert(1)>x</x>`, `</title><script>alert(1)</script>`, `</script><script>alert(1)</script>`,
		`--><script>alert(1)</script>`, `]]><script>alert(1)</script>`, `{{.Policy}}<script>`, "`<script>alert(1)</script>`",
		"```\n</code><script>alert(1)</script>\n```", `<https://evil.example/"onmouseover=alert(1)>`,
		`[x](https://a.example "onmouseover=alert(1)")`, `[x]: javascript:alert(1)` + "\n\n[x]", `<javascript:alert(1)>`,
		"\u202e\x00\x1b[31m<script>", `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
		`<a id=main name=main href=#>x</a>`, `&lt;script&gt;alert(1)&lt;/script&gt;`,
		`<div class="banner operational">All systems operational</div>`,
	}
}

// Text of people and nodes cannot run, load or imitate anything, on any page.
func TestHostileText(t *testing.T) {
	r := renderer(t)
	on := regexp.MustCompile(`^on|^style$|^formaction$|^srcdoc$`)
	plain := documents(t, r, page.Build(input(t, same)))
	counted := []string{"script", "form", "input", "button", "iframe", "object", "embed", "style", "base", "meta", "link", "img",
		"main", "h1"}
	want := map[string]map[string]int{}
	for p, body := range plain {
		want[p] = map[string]int{}
		elements(t, body, func(e *html.Node) { want[p][e.Data]++ })
	}
	for _, text := range hostile() {
		s := page.Build(input(t, func(string) string { return text }))
		for p, body := range documents(t, r, s) {
			got := map[string]int{}
			elements(t, body, func(e *html.Node) {
				got[e.Data]++
				for _, a := range e.Attr {
					if on.MatchString(a.Key) {
						t.Errorf("%q: %q has %s=%q", text, p, a.Key, a.Val)
					}
					if u := strings.ToLower(strings.TrimSpace(a.Val)); (a.Key == "href" || a.Key == "src") &&
						regexp.MustCompile(`^[a-z\s]+:`).MatchString(u) && !strings.HasPrefix(u, "https://") &&
						!strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "mailto:") {
						t.Errorf("%q: %q links to %q", text, p, a.Val)
					}
					if a.Key == "class" && strings.Contains(a.Val, "banner") && !strings.Contains(a.Val, "partial_outage") {
						t.Errorf("%q: %q has a banner of its own", text, p)
					}
					if a.Key == "href" && strings.Contains(a.Val, "evil.example") && e.Data != "a" {
						t.Errorf("%q: %q loads %s", text, p, a.Val)
					}
				}
			})
			for _, name := range counted {
				if got[name] != want[p][name] {
					t.Errorf("%q: %q has %d elements %s, not %d", text, p, got[name], name, want[p][name])
				}
			}
		}
	}
}

// The policy that is sent allows the script that is on the page, and nothing else.
func TestThePolicy(t *testing.T) {
	s, r := page.Build(input(t, same)), renderer(t)
	for p, body := range documents(t, r, s) {
		policy := r.Policy(p)
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
			strings.Contains(policy, "frame-ancestors *") != (p == "widget/") {
			t.Errorf("%q: %s", p, policy)
		}
		if own := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(body); own == nil ||
			!strings.HasPrefix(policy, html.UnescapeString(own[1])+";") {
			t.Errorf("%q says another policy of itself: %v", p, own)
		}
	}
}

// A page of 60 components with trouble on each stays small.
func TestTheSizeOfThePage(t *testing.T) {
	in := input(t, same)
	in.Config.Groups = nil
	for g := range 6 {
		x := config.Group{ID: fmt.Sprintf("g%d", g), Name: "VPS - Site", Policy: config.Policy{Kind: "worst"}}
		for c := range 10 {
			id := fmt.Sprintf("c%d-%d", g, c)
			x.Components = append(x.Components, config.Component{ID: id, Name: "Node 12", Description: "HA cluster node"})
			line := uptime.Timeline{{At: ago(100 * day), State: report.Operational}}
			for n := 80; n > 0; n -= 16 {
				line = append(line, uptime.Change{At: ago(time.Duration(n) * day), State: report.PartialOutage},
					uptime.Change{At: ago(time.Duration(n)*day - time.Minute), State: report.Operational})
			}
			in.Lines[id] = line
		}
		in.Config.Groups = append(in.Config.Groups, x)
	}
	_, body, err := renderer(t).Document(page.Build(in), "")
	if err != nil || len(body) > 150_000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

// A day is a local one, and a bar of a component that is younger has no record before.
func TestDaysAcrossTheClockChange(t *testing.T) {
	in := input(t, same)
	in.Lines["c00"] = uptime.Timeline{{At: time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC), State: report.MajorOutage},
		{At: time.Date(2026, 10, 25, 23, 0, 0, 0, time.UTC), State: report.Operational}}
	days := page.Build(in).Groups[0].Components[0].Days
	n := slices.IndexFunc(days, func(d page.Day) bool { return d.Date == "2026-10-25" })
	if days[n].Text != "Major outage for 1 d 1 h" || days[n-1].Text != "" || days[n+1].Status != report.Operational ||
		days[len(days)-1].Date != "2026-11-30" {
		t.Errorf("%+v", days[n-1:n+2])
	}
}

func TestMonthsReachBackToTheFirstIncident(t *testing.T) {
	in := input(t, same)
	in.Incidents[2].Started = time.Date(2025, 12, 31, 23, 30, 0, 0, time.UTC) // 2026 in Stockholm
	months := page.Build(in).Months()
	if len(months) != 11 || months[0].Path != "2026-11" || months[10].Path != "2026-01" || len(months[10].Incidents) != 1 {
		t.Errorf("%d months, the last %+v", len(months), months[len(months)-1])
	}
}
