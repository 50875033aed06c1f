package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A group is an unexplained finding together with the findings that it explains.
type group struct {
	report.Finding
	Explained []report.Finding
}

// groupsOf returns the findings of a report as groups, in the report's order. It
// leaves out the finding about the last incident if the incident's card shows it.
func groupsOf(r report.Report) []group {
	at := map[report.Ref]int{}
	for i, f := range r.Findings {
		at[refOf(f)] = i
	}
	var groups []group
	place := map[int]int{} // index in groups of each unexplained finding
	for i, f := range r.Findings {
		if rootOf(r.Findings, at, i) == i && !(ended(r) && f.Rule == judge.IncidentOver) {
			place[i] = len(groups)
			groups = append(groups, group{Finding: f})
		}
	}
	for i, f := range r.Findings {
		if root := rootOf(r.Findings, at, i); root != i {
			g := &groups[place[root]]
			g.Explained = append(g.Explained, f)
		}
	}
	return groups
}

// rootOf follows explained_by from finding i to the unexplained finding that explains
// it. As in the judge, only a finding that is in the report, is at least as severe
// and is not acknowledged explains: even in a filtered report, nothing severe is
// hidden behind a milder finding. A cycle explains nothing.
func rootOf(findings []report.Finding, at map[report.Ref]int, i int) int {
	root := i
	for range findings {
		next := root
		for _, by := range findings[root].ExplainedBy {
			j, found := at[by]
			if found && j != root && findings[j].Accepted == nil && findings[j].Rule != judge.IncidentOver &&
				findings[j].Severity.Rank() >= findings[root].Severity.Rank() {
				next = j
				break
			}
		}
		if next == root {
			return root
		}
		root = next
	}
	return i
}

func refOf(f report.Finding) report.Ref { return report.Ref{Rule: f.Rule, Subject: f.Subject} }

// ended reports whether the report has an incident that has ended.
func ended(r report.Report) bool { return r.Incident != nil && !r.Incident.End.IsZero() }

// explainedBy names the findings that explain f.
func explainedBy(f report.Finding) string {
	var names []string
	for _, by := range f.ExplainedBy {
		names = append(names, finding(by.Rule, by.Subject))
	}
	return "explained by " + strings.Join(names, ", ")
}

// A guestsView shows the affected guests: their number and names.
type guestsView struct {
	Text, Names string
	List        []string
	More        string // how many affected guests are not in List; empty: none
}

// guestsOf returns nil if no guest is known to be affected.
func guestsOf(g *report.Guests) *guestsView {
	if g == nil || g.Hit == 0 {
		return nil
	}
	v := &guestsView{Text: fmt.Sprintf("%s of %s hit", number(g.Hit), plural(g.Total, "guest", "guests")),
		Names: strings.Join(g.Names, ", "), List: g.Names}
	if more := g.Hit - len(g.Names); more > 0 && len(g.Names) > 0 {
		v.More = number(more)
		v.Names += " and " + v.More + " more"
	}
	return v
}

// An incidentView shows the incident of a report: the current one, or the last one
// until it is acknowledged.
type incidentView struct {
	Title    string
	Tone     tone
	Headline string // empty: the verdict contains it
	Facts    []factLine
	Guests   *guestsView
	Over     bool
	ToDo     []string // remaining steps, as far as nodewatch can observe them
	Done     []string
	Advice   []report.Advice
	Timeline *timelineView // nil: nothing to draw
}

// incidentOf returns nil if there is no incident.
func incidentOf(r report.Report) *incidentView {
	in := r.Incident
	if in == nil {
		return nil
	}
	v := &incidentView{Headline: in.Headline, Guests: guestsOf(in.Guests), Over: ended(r), Tone: toneOf(in.Severity),
		Timeline: timelineOf(r)}
	if v.Headline == verdictOn(r).Line {
		v.Headline = ""
	}
	add := func(name, text string) { v.Facts = append(v.Facts, factLine{Name: name, Text: text}) }
	v.Facts = append(v.Facts, factLine{Name: "Began", At: momentOf(in.Begin, r.At)})
	if v.Over {
		v.Title, v.Tone = "Last incident", info
		v.Facts = append(v.Facts, factLine{Name: "Ended", At: momentOf(in.End, r.At), Text: "(" + span(r.At.Sub(in.End)) + " ago)"})
		add("Duration", span(in.End.Sub(in.Begin)))
	} else {
		v.Title = "Incident in progress"
		add("Duration", span(r.At.Sub(in.Begin))+" so far")
	}
	add("Peak", plain(in.Peak))
	if in.Cause != "" {
		add("Cause", in.Cause)
	}
	if !v.Over {
		return v
	}
	v.Advice = []report.Advice{{Do: "Acknowledge the incident when everything is done", Command: "nodewatch ack incident"}}
	for _, f := range r.Findings {
		if f.Rule != judge.IncidentOver {
			continue
		}
		if len(f.Advice) > 0 {
			v.Advice = f.Advice
		}
		for _, e := range f.Evidence {
			if text, found := strings.CutPrefix(e.Fact, "to do: "); found {
				v.ToDo = append(v.ToDo, text)
			}
		}
		for _, e := range f.Against {
			v.Done = append(v.Done, strings.TrimPrefix(e.Fact, "done: "))
		}
		if f.State == report.Blind {
			v.ToDo = append(v.ToDo, marksOf(f, r.At)...)
		}
	}
	return v
}

// incident writes the incident's part of the summary for a terminal.
func (t *terminal) incident(r report.Report) {
	v := incidentOf(r)
	if v == nil {
		return
	}
	t.head(v.Title)
	if v.Headline != "" {
		t.item(2, v.Tone, "Headline ", v.Headline)
	}
	for _, f := range v.Facts {
		t.item(2, "", fmt.Sprintf("%-9s", f.Name), strings.TrimSpace(f.At.Text+" "+f.Text))
	}
	if v.Guests != nil {
		t.guests(2, "Guests   ", v.Guests)
	}
	for _, text := range v.ToDo {
		t.item(2, warn, "to do    ", text)
	}
	for _, text := range v.Done {
		t.item(2, good, "done     ", text)
	}
	t.advice(2, v.Advice)
}

// maxTextNames is the maximum length of the guest names in the summary for a
// terminal, in bytes.
const maxTextNames = 400

// guests writes the number of affected guests, and as many names as fit.
func (t *terminal) guests(indent int, label string, g *guestsView) {
	text := g.Text
	if names := g.Names; names != "" {
		if len(names) > maxTextNames {
			names = names[:strings.LastIndex(names[:maxTextNames], ",")+1] + " ..."
		}
		text += ": " + names
	}
	t.item(indent, "", label, text)
}

func (t *terminal) advice(indent int, list []report.Advice) {
	for _, a := range list {
		t.item(indent, "", "do     ", a.Do)
		t.command(indent+8, a.Command)
	}
}

// explained writes an explained finding in one line, with its marks.
func (t *terminal) explained(f report.Finding, now time.Time) {
	t.item(4, toneOf(f.Severity), strings.ToUpper(string(f.Severity)),
		fmt.Sprintf("%s, %s: %s", finding(f.Rule, f.Subject), explainedBy(f), f.Summary))
	for _, m := range marksOf(f, now) {
		t.line(6, m)
	}
}
