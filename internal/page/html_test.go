package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what there is now (-file +now); make golden rewrites it:\n%s", file, diff)
	}
}

func html(t testing.TB, v judge.View, refresh int) string {
	t.Helper()
	main, err := Main(v)
	if err != nil {
		t.Fatal(err)
	}
	b, err := HTML(v, main, refresh, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// elsewhere are the links on the tests' pages.
var elsewhere = []Link{{"Grafana", "https://grafana.example.net/d/node?a=1&b=2"}, {"Status page", "https://status.example.net/"}}

// charts returns the page of all charts.
func charts(t testing.TB, v judge.View) string {
	t.Helper()
	main, err := HistoryMain(v)
	if err != nil {
		t.Fatal(err)
	}
	b, err := HistoryHTML(v, main, 10, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func rules(t testing.TB, v judge.View) string {
	t.Helper()
	b, err := RulesHTML(v, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func starting(t testing.TB) string {
	t.Helper()
	b, err := Starting("node2", "1.2.3", start.Add(4*time.Second), []string{"libvirt", "ceph"}, 10, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pages returns one page of each kind.
func pages(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{
		"healthy": html(t, healthyView(), 10), "risk": html(t, riskView(), 10), "storm": html(t, stormView(), 10),
		"over":  html(t, overView(), 10),
		"blind": html(t, blindView(), 0), "large": html(t, largeView(), 10), "hostile": html(t, hostileView(), 10),
		"report only": html(t, judge.View{Report: stormView().Report}, 0), "starting": starting(t), "charts": charts(t, stormView()),
		"rules": rules(t, stormView()),
	}
}

const evil = "<script>alert(1)</script>\" onload='x' \u202egnp.exe \x1b[31m"

// hostileView is a storm in which every external text is hostile.
func hostileView() judge.View {
	h := nodetest.InStorm()
	n := h.Play()
	n.See(node.SawKernel{Reading: nodetest.Reading(n.At, time.Second, kmsg.Batch{Counts: []kmsg.Count{
		{Class: kmsg.HungTask, Detail: evil, Device: evil, N: 9, First: n.At, Last: n.At, Text: evil},
	}})})
	mapped := h.Mapped()[:2]
	mapped[0].Image, mapped[1].Pool = evil, evil
	n.See(node.SawMapped{Reading: nodetest.Reading(n.At, time.Second, mapped)})
	n.See(node.SawLibvirt{Reading: nodetest.Reading(n.At, time.Second,
		rbd.Guests{Guests: []rbd.Guest{{Name: evil, ID: "1", State: "paused", Reason: evil, Disks: []rbd.Disk{
			{Target: evil, Path: "/dev/rbd0", Major: 252}, {Target: "vdb", Client: rbd.LibRBD, Pool: evil, Image: evil},
		}}}})})
	s := outage(n.At)
	f := &s.findings[0]
	f.Summary, f.Subject, f.Runbook, f.Evidence[0].Fact, f.Advice[0].Command = evil, evil, "javascript:alert(1)", evil, evil
	s.transitions[0].Summary, s.transitions[0].Subject = evil, evil
	return charted(n, s)
}

func TestGoldenPages(t *testing.T) {
	for name, v := range map[string]judge.View{"risk.html": riskView(), "storm.html": stormView(), "over.html": overView()} {
		golden(t, name, []byte(html(t, v, 10)))
	}
}

func TestTheSameViewGivesTheSamePage(t *testing.T) {
	v := stormView()
	if diff := cmp.Diff(html(t, v, 10), html(t, v, 10)); diff != "" {
		t.Error(diff)
	}
}

func TestHostileTextsAreOnlyText(t *testing.T) {
	page := html(t, hostileView(), 10)
	page = strings.Replace(page, "<script>"+script+"</script>", "", 1)
	for _, bad := range []string{"<script", "onload='", "\u202e", "\x1b", "javascript:"} {
		if strings.Contains(page, bad) {
			t.Errorf("there is a %q in the page", bad)
		}
	}
	if n := strings.Count(page, "&lt;script&gt;alert(1)&lt;/script&gt;&#34; onload=&#39;x&#39; ?gnp.exe ?[31m"); n < 10 {
		t.Errorf("got %d hostile texts in the page, want at least 10: is it a hostile page?", n)
	}
}

// The policy forbids everything but the page's own style and script, and the page
// works with it.
func TestThePageKeepsToItsPolicy(t *testing.T) {
	policy := ContentSecurityPolicy()
	for _, want := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		"img-src data:"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy has no %s: %s", want, policy)
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	link := regexp.MustCompile(`(?:href|src|action|srcset|data)="([^"]*)"`)
	allowed := regexp.MustCompile(`^(#[a-z0-9-]+|\?refresh=(0|10)|\?refresh=0#f-[a-z0-9-]+|/|/metrics|/history|/rules|/rules#[a-z0-9-]+|/api/v1/report|https://(grafana|status)\.example\.net/[^"]*|data:image/svg&#43;xml,[^"]*)$`)
	for name, page := range pages(t) {
		found := style.FindAllStringSubmatch(page, -1)
		if len(found) != 1 {
			t.Fatalf("%s: %d styles", name, len(found))
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, "style-src "+want+";") {
			t.Errorf("%s: the policy does not allow the style: want %s in %s", name, want, policy)
		}
		code := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(page, -1)
		if len(code) != 1 || !strings.Contains(policy, "script-src "+hashOf(code[0][1])+";") {
			t.Errorf("%s: the policy does not allow its %d scripts", name, len(code))
		}
		for _, bad := range []string{"url(", "@import", "<script ", "<iframe", "<img", "<object", "<form", " style="} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: there is a %s", name, bad)
			}
		}
		for _, l := range link.FindAllStringSubmatch(page, -1) {
			if !allowed.MatchString(l[1]) {
				t.Errorf("%s: a link to %s", name, l[1])
			}
		}
	}
}

// An element is an HTML element with the attributes that the tests check.
type element struct {
	name string
	attr map[string]string
	path []string // names of the enclosing elements
}

// parse parses the page as strictly as XML: every opened element must be closed.
func parse(t *testing.T, name, page string) []element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(strings.Replace(page, script, "", 1)))
	var all []element
	var path []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			attr := map[string]string{}
			for _, a := range e.Attr {
				attr[a.Name.Local] = a.Value
			}
			all = append(all, element{e.Name.Local, attr, slices.Clone(path)})
			path = append(path, e.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

func TestPagesCanBeReadByAScreenReader(t *testing.T) {
	for name, page := range pages(t) {
		count, ids, level := map[string]int{}, map[string]bool{}, 0
		all := parse(t, name, page)
		for i, e := range all {
			count[e.name]++
			if id := e.attr["id"]; id != "" {
				if ids[id] {
					t.Errorf("%s: two elements have the id %s", name, id)
				}
				ids[id] = true
			}
			switch e.name {
			case "html":
				if e.attr["lang"] != "en" {
					t.Errorf("%s: no language", name)
				}
			case "h1", "h2", "h3", "h4", "h5", "h6":
				next := int(e.name[1] - '0')
				if next > level+1 {
					t.Errorf("%s: h%d follows h%d", name, next, level)
				}
				level = next
			case "th":
				if e.attr["scope"] == "" {
					t.Errorf("%s: a th without scope", name)
				}
			case "table":
				if all[i+1].name != "caption" {
					t.Errorf("%s: a table without caption", name)
				}
			case "section":
				if e.attr["aria-label"] == "" && e.attr["aria-labelledby"] == "" {
					t.Errorf("%s: a section without name", name)
				}
			case "svg":
				headline := e.attr["role"] == "img" && e.attr["aria-label"] != ""
				if e.attr["aria-hidden"] != "true" && !headline || e.attr["focusable"] != "false" {
					t.Errorf("%s: a drawing that is read out, or has no words: %v", name, e.attr)
				}
			}
		}
		for _, e := range all {
			if by := e.attr["aria-labelledby"]; by != "" && !ids[by] {
				t.Errorf("%s: nothing has the id %s", name, by)
			}
			if ref := strings.TrimPrefix(e.attr["href"], "#"); e.name == "use" && !ids[ref] {
				t.Errorf("%s: there is no drawing %s", name, ref)
			}
		}
		for _, once := range []string{"h1", "main", "header", "footer", "title"} {
			if count[once] != 1 {
				t.Errorf("%s: %d %s elements, want 1", name, count[once], once)
			}
		}
	}
}

func TestTheVerdictComesFirst(t *testing.T) {
	page := html(t, stormView(), 10)
	order := []string{"<h1>", "krbd is in a retry storm", `id="first"`, "tc qdisc add", `id="hit"`, "33 of 65 guests hit",
		"vm100\nvm102\nvm104\n", `id="bonds"`, `id="charts"`, "eth0 of bond0", "krbd latency", `id="incident"`, "Timeline",
		`id="findings"`, "What to do", "tc qdisc add", "Evidence for", "Evidence against", `/rules#krbd-retry-storm`,
		"1 finding explained by this one", "<code>krbd-stalled</code>",
		`id="components"`, `id="disks"`, "stalled for 40 s", `id="path"`, `id="kernel"`, `id="cluster"`, `id="host"`, `id="sources"`,
		`id="changes"`}
	at := 0
	for _, want := range order {
		i := strings.Index(page[at:], want)
		if i < 0 {
			t.Fatalf("there is no %q after the one before it", want)
		}
		at += i
	}
}

func TestColourIsNeverTheOnlySign(t *testing.T) {
	all := pages(t)
	for name, want := range map[string]struct{ tone, word, title string }{
		"healthy": {"ok", "OK", "node2: ok"}, "risk": {"warning", "WARNING", "node2: warning"},
		"storm": {"critical", "CRITICAL", "node2: critical"},
		"blind": {"unknown", "UNKNOWN", "node2: unknown"}, "starting": {"unknown", "STARTING", "node2: starting"},
	} {
		page := all[name]
		for _, part := range []string{`<section class="verdict solid-` + want.tone + `"`,
			`<use href="#i-` + want.tone + `"/></svg>` + "\n<div>\n<h1>", `<span class="word">` + want.word + "</span>",
			"<title>" + want.title + "</title>"} {
			if !strings.Contains(page, part) {
				t.Errorf("%s: there is no %s", name, part)
			}
		}
	}
}

func TestRefreshCanBePausedAndResumed(t *testing.T) {
	v := healthyView()
	on, off := html(t, v, 10), html(t, v, 0)
	if !strings.Contains(on, `<noscript><meta http-equiv="refresh" content="10"/></noscript>`) ||
		!strings.Contains(on, `data-refresh="10"`) || !strings.Contains(on, `<a href="?refresh=0">Pause</a>`) {
		t.Error("a page that refreshes does not say how to pause")
	}
	if strings.Contains(off, "http-equiv") || !strings.Contains(off, `data-refresh="0"`) ||
		!strings.Contains(off, `<a href="?refresh=10">Refresh every 10 s</a>`) {
		t.Error("a paused page refreshes, or does not say how to resume")
	}
}

// URLs of the page get into logs and tickets, so they must not contain guest names.
func TestNoAddressNamesAGuest(t *testing.T) {
	v := stormView()
	v.Report.Findings = append(v.Report.Findings, report.Finding{Rule: "vm-paused", Subject: "vm107", Severity: report.Critical,
		Summary: "vm107 is paused"})
	page := html(t, v, 10)
	if !strings.Contains(page, "<b>vm107</b>") {
		t.Fatal("the finding about a guest is not on the page")
	}
	for _, m := range regexp.MustCompile(`(?:href|id)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if strings.Contains(m[1], "vm107") {
			t.Errorf("a guest is named in %s", m[1])
		}
	}
}

func TestRulesAreExplained(t *testing.T) {
	v := stormView()
	page := rules(t, v)
	for _, r := range v.Rules.Rules {
		if !strings.Contains(page, `<h2 id="`+r.ID+`">`) {
			t.Errorf("%s is not explained", r.ID)
		}
	}
	if strings.Contains(page, "`") {
		t.Error("code is not marked as code")
	}
}

func TestStartingSaysWhatItWaitsFor(t *testing.T) {
	if page := starting(t); !strings.Contains(page, "waiting for: libvirt, ceph") ||
		!strings.Contains(page, "<li><code>libvirt</code></li>") {
		t.Error(page)
	}
}

// Unobservable parts are shown as unknown, and never as empty.
func TestBlindnessIsSaid(t *testing.T) {
	page := html(t, blindView(), 10)
	for _, want := range []string{
		"cannot tell: storage cannot be seen", "Source krbd is unavailable (stalled): a read has not returned for 65 s.",
		"To enable: give nodewatch CAP_SYSLOG",
		"Guests unknown: dial unix", "Source kmsg is unavailable (denied)", "Not asked: has not been read yet.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %q", want)
		}
	}
	for _, bad := range []string{"No RBD disk is in use", "No krbd disk is mapped", "Nothing of interest"} {
		if strings.Contains(page, bad) {
			t.Errorf("a blind node says %q", bad)
		}
	}
}

func TestALargeNodeHasABoundedPage(t *testing.T) {
	page := html(t, largeView(), 10)
	if len(page) > 1<<20 {
		t.Errorf("got %d bytes, want at most 1 MiB", len(page))
	}
	for want, n := range map[string]int{`<span class="quiet">krbd rbd`: 200, "is paused by an I/O error</h3>": 46,
		"<code>vm-paused vm": 30} {
		if got := strings.Count(page, want); got != n {
			t.Errorf("got %d of %q, want %d", got, want, n)
		}
	}
	for _, want := range []string{"and 604 more, in", "and 621 more, none of them stalled for longer"} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %q", want)
		}
	}
}

func TestAFindingThatIsNoLongerSeenSaysSo(t *testing.T) {
	v := stormView()
	v.Report.Findings, v.Report.Transitions = []report.Finding{v.Report.Findings[0]}, nil
	f := &v.Report.Findings[0]
	f.State, f.LastSeen = report.Blind, v.Report.At.Add(-90*time.Second)
	if page := html(t, v, 10); strings.Count(page, "sources have been unavailable since") != 1 ||
		!strings.Contains(page, "its sources are unavailable") || !strings.Contains(page, "Last seen 02:12:30 (1 min 30 s ago)") {
		t.Error("verdict and finding do not both show that it is no longer observed")
	}
}

func BenchmarkHTMLTenTimesTheIncident(b *testing.B) {
	v := largeView()
	for b.Loop() {
		html(b, v, 10)
	}
}

func BenchmarkJSONTenTimesTheIncident(b *testing.B) {
	r := largeView().Report
	for b.Loop() {
		bytes.Count(asJSON(b, r), nil)
	}
}
