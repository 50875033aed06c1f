package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
)

//go:embed page.css
var css string

//go:embed page.js
var script string

//go:embed page.html main.html
var markup embed.FS

// layout contains the parts of all pages. They are parsed once and never changed.
var layout = template.Must(template.ParseFS(markup, "*.html"))

// ContentSecurityPolicy is the value of the header of that name for all pages: they
// may load and run only the style and script in the page, its icon and a newer copy
// of the page, and no other page may frame them.
func ContentSecurityPolicy() string {
	return "default-src 'none'; style-src " + hashOf(css) + "; script-src " + hashOf(script) +
		"; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// A Link points to another page, of this node or elsewhere.
type Link struct{ Name, URL string }

// Main returns the main part of the page of a View, which HTML frames.
func Main(v judge.View) ([]byte, error) {
	r := v.Report
	s := sheet{Verdict: verdictOn(r), Incident: incidentOf(r), Components: componentsOf(r), Transitions: transitionsOf(r),
		Sources: sourcesOf(r), Reporters: reportersOf(v)}
	worst, found := leading(r)
	s.Guests = hitNow(r, worst)
	if found && (s.Verdict.Code == exitWarning || s.Verdict.Code == exitCritical) {
		s.Hit, s.First = impactText(worst, r.At), firstOf(worst)
	}
	s.Findings, s.MoreFindings = findingsOf(r, s.Guests)
	for _, src := range s.Sources {
		if src.place() == 0 {
			s.Unread++
		}
	}
	for _, one := range s.Reporters {
		if one.Tone == warn {
			s.Undelivered++
		}
	}
	if !v.Now.IsZero() {
		s.Body = &body{
			Bonds: bondsOf(v), Charts: chartsOf(v, maxCharts), Paths: pathsOf(v), Disks: disksOf(v), Kernel: kernelOf(v),
			Cluster: clusterOf(v), Host: hostOf(v),
		}
	}
	return rendered("main", s)
}

// HTML returns the page of a View around its Main. It refreshes itself every refresh
// seconds, or never for 0, and links to the other mode, "?refresh=0" or
// "?refresh=10". The links point to other pages.
func HTML(v judge.View, main []byte, refresh int, links []Link) ([]byte, error) {
	f := frameOf(v, main, "", links)
	f.Refresh, f.Pausable = max(refresh, 0), true
	return f.render()
}

// HistoryMain returns the main part of the page of all charts.
func HistoryMain(v judge.View) ([]byte, error) {
	if v.Now.IsZero() {
		return rendered("history", nil)
	}
	recent, hour := recentCharts(v), chartsOf(v, len(v.History.NICs))
	recent.ID, hour.ID = "recent", "hour"
	return rendered("history", []chartsView{recent, hour})
}

// HistoryHTML returns the page of all charts around its main part.
func HistoryHTML(v judge.View, main []byte, refresh int, links []Link) ([]byte, error) {
	f := frameOf(v, main, "charts", links)
	f.Refresh, f.Pausable = max(refresh, 0), true
	return f.render()
}

// RulesHTML returns the page that explains the enabled rules.
func RulesHTML(v judge.View, links []Link) ([]byte, error) {
	main, err := rendered("rules", rulesOf(v))
	if err != nil {
		return nil, err
	}
	return frameOf(v, main, "rules", links).render()
}

// Starting returns the page before the first View, which lists the sources that
// nodewatch is waiting for.
func Starting(node, version string, at time.Time, waiting []string, refresh int, links []Link) ([]byte, error) {
	s := sheet{Verdict: verdict{Tone: unknown, Word: "STARTING", Line: "no verdict yet: waiting for the first readings"}, Waiting: waiting}
	if len(waiting) > 0 {
		s.Verdict.Line = "waiting for: " + strings.Join(waiting, ", ")
	}
	main, err := rendered("main", s)
	if err != nil {
		return nil, err
	}
	f := newFrame(node, version, at, main, s.Verdict, links)
	f.Refresh, f.Pausable, f.Title = max(refresh, 0), true, node+": starting"
	return f.render()
}

// A sheet contains the data for the main part of the page.
type sheet struct {
	Verdict      verdict
	Hit          string
	Waiting      []string
	First        *firstView    // nil: nothing to do
	Guests       *guestsView   // affected guests now; nil: none
	Incident     *incidentView // nil: none
	Findings     []findingView
	MoreFindings int
	Components   []componentView
	Transitions  []transitionView
	Sources      []sourceView
	Unread       int // number of Sources that cannot be read
	Reporters    []reporterView
	Undelivered  int   // number of Reporters that do not deliver
	Body         *body // nil: there is only a report
}

// FirstFindings returns the findings before the fold.
func (s sheet) FirstFindings() []findingView { return s.Findings[:min(len(s.Findings), firstFindings)] }

// FoldedFindings returns the findings behind the fold.
func (s sheet) FoldedFindings() []findingView {
	return s.Findings[min(len(s.Findings), firstFindings):]
}

// A body contains the data for the part of the page that shows the Snapshot.
type body struct {
	Bonds   bondsView
	Charts  chartsView
	Paths   pathsView
	Disks   disksView
	Kernel  kernelView
	Cluster clusterView
	Host    hostView
}

// A moment is a time in a readable and a machine-readable form.
type moment struct{ Text, Machine string }

func momentOf(t, now time.Time) moment {
	return moment{hour(t, now), t.UTC().Format(time.RFC3339)}
}

// A frame contains the data for the page around its main part.
type frame struct {
	CSS      template.CSS
	JS       template.JS
	Icon     template.URL
	Refresh  int  // seconds; 0: no refresh
	Pausable bool // has a link that pauses or resumes the refresh
	Title    string
	Node     string
	Version  string
	At       moment
	Nav      []Link
	Main     template.HTML
}

// frameOf returns the frame of a page of a View; about is the page's title, empty for
// the main page.
func frameOf(v judge.View, main []byte, about string, links []Link) frame {
	r := v.Report
	f := newFrame(r.Node, r.Version, r.At, main, verdictOn(r), links)
	if about != "" {
		f.Title = r.Node + ": " + about
		f.Nav = append([]Link{{"Page of this node", "/"}}, f.Nav...)
	}
	return f
}

func newFrame(node, version string, at time.Time, main []byte, v verdict, links []Link) frame {
	return frame{
		CSS: template.CSS(css), JS: template.JS(script), Icon: template.URL(icon(v.Tone)), Title: node + ": " + strings.ToLower(v.Word),
		Node: node, Version: version, At: moment{stamp(at), at.UTC().Format(time.RFC3339)},
		Nav: append([]Link{{"Charts", "/history"}, {"Rules", "/rules"}}, links...), Main: template.HTML(main),
	}
}

// render returns the whole page, sanitized for sending.
func (f frame) render() ([]byte, error) {
	page, err := rendered("page.html", f)
	return sanitizeHTML(page), err
}

// rendered returns a part of a page as HTML.
func rendered(name string, of any) ([]byte, error) {
	var b bytes.Buffer
	if err := layout.ExecuteTemplate(&b, name, of); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return b.Bytes(), nil
}

// icon returns the page's icon, which shows the colour of the verdict in the browser
// tab.
func icon(t tone) string {
	colour := map[tone]string{good: "146c37", warn: "ffc53d", bad: "c4253a", unknown: "5a6675"}[t]
	return "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='4' fill='%23" +
		colour + "'/%3E%3C/svg%3E"
}

// sanitizeHTML removes invisible characters and those that change the direction of text
// from the page: they can only come from names.
func sanitizeHTML(page []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r < 0x80 && (r >= ' ' && r != 0x7f || r == '\n' || r == '\t') || r >= 0x80 && Printable(string(r)) == string(r) {
			return r
		}
		return '?'
	}, page)
}
