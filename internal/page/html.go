package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
)

//go:embed page.css
var css string

//go:embed page.html
var markup string

// layout is the page. It is parsed once and never changed.
var layout = template.Must(template.New("page").Parse(markup))

// ContentSecurityPolicy is the value of the header of that name that the page is
// to be sent with: nothing is loaded or run but the style that is in the page and
// its icon, and no other page may frame it.
func ContentSecurityPolicy() string {
	sum := sha256.Sum256([]byte(css))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// HTML is the page of a View. It asks the browser to load it anew every so many
// seconds, or, for 0, does not; then and now it has a link to the other way, to
// "?refresh=0" or "?refresh=10".
func HTML(v judge.View, refresh int) ([]byte, error) {
	s := newSheet(v.Report.Node, v.Report.Version, v.Report.At, refresh)
	r := v.Report
	s.Verdict = verdictOn(r)
	s.Title = fmt.Sprintf("%s: %s", s.Node, strings.ToLower(s.Verdict.Word))
	if worst, found := leading(r); found && (s.Verdict.Code == exitWarning || s.Verdict.Code == exitCritical) {
		s.Hit = feltOf(worst, r.At)
	}
	s.Incident = incidentOf(r)
	s.Findings, s.MoreFindings = findingsOf(r)
	s.Components = componentsOf(r)
	s.Transitions = transitionsOf(r)
	s.Sources = sourcesOf(r)
	s.Reporters = reportersOf(v)
	if !v.Now.IsZero() {
		s.Body = &body{
			Bonds: bondsOf(v), Paths: pathsOf(v), Disks: disksOf(v), Kernel: kernelOf(v), Cluster: clusterOf(v), Host: hostOf(v),
		}
	}
	return s.render()
}

// Starting is the page before there is a View: it says which sources nodewatch
// still waits for.
func Starting(node, version string, at time.Time, waiting []string, refresh int) ([]byte, error) {
	s := newSheet(node, version, at, refresh)
	s.Title = s.Node + ": starting"
	s.Verdict = verdict{Tone: blind, Word: "STARTING", Line: "nodewatch has just started and has not judged yet"}
	s.Waiting = waiting
	if len(waiting) > 0 {
		s.Verdict.Line = "waiting for: " + strings.Join(waiting, ", ")
	}
	return s.render()
}

// A sheet is what the page shows.
type sheet struct {
	CSS          template.CSS
	Icon         template.URL
	Refresh      int // seconds; 0: the page stays as it is
	Title        string
	Node         string
	Version      string
	At           moment
	Verdict      verdict
	Hit          string
	Waiting      []string
	Incident     *incidentView // nil: none to tell of
	Findings     []findingView
	MoreFindings int
	Components   []componentView
	Transitions  []transitionView
	Sources      []sourceView
	Reporters    []reporterView
	Body         *body // nil: there is a report only
}

// FirstFindings are the findings before the fold.
func (s sheet) FirstFindings() []findingView { return s.Findings[:min(len(s.Findings), firstFindings)] }

// FoldedFindings are the findings behind the fold.
func (s sheet) FoldedFindings() []findingView {
	return s.Findings[min(len(s.Findings), firstFindings):]
}

// A body is the part of the page that shows the Snapshot.
type body struct {
	Bonds   bondsView
	Paths   pathsView
	Disks   disksView
	Kernel  kernelView
	Cluster clusterView
	Host    hostView
}

// A moment is a time for people and for programs.
type moment struct{ Text, Machine string }

func momentOf(t, now time.Time) moment {
	return moment{hour(t, now), t.UTC().Format(time.RFC3339)}
}

func newSheet(node, version string, at time.Time, refresh int) sheet {
	return sheet{
		CSS: template.CSS(css), Refresh: max(refresh, 0), Node: node, Version: version,
		At: moment{stamp(at), at.UTC().Format(time.RFC3339)},
	}
}

func (s sheet) render() ([]byte, error) {
	s.Icon = template.URL(icon(s.Verdict.Tone))
	var b bytes.Buffer
	if err := layout.Execute(&b, s); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return tame(b.Bytes()), nil
}

// icon is the page's icon: the tab of the browser has the colour of the verdict.
func icon(t tone) string {
	colour := map[tone]string{good: "146c37", warn: "ffc53d", bad: "c4253a", blind: "5a6675"}[t]
	return "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='4' fill='%23" + colour + "'/%3E%3C/svg%3E"
}

// tame takes out of the page what would turn the direction of its text or cannot
// be seen: such marks come from names only.
func tame(page []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r < 0x80 && (r >= ' ' && r != 0x7f || r == '\n' || r == '\t') || r >= 0x80 && Printable(string(r)) == string(r) {
			return r
		}
		return '?'
	}, page)
}
