package expect

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// An Expectation is one line with its result for the reports so far.
type Expectation struct {
	Text       string
	Line       int // line number in the file
	begin, end time.Duration
	mode       mode
	what       what

	last    time.Duration   // offset of the latest report
	waiting *report.Report  // the latest report not later than begin: it is current at begin unless another one arrives
	judged  bool            // a report has been checked
	holds   bool            // by: it has held
	wrong   string          // the first violation
	up      map[string]bool // changes: the matching findings of the latest report
	ups     []string        // changes: each time a finding was raised
}

// Rules returns the rules that the expectations name.
func (l *List) Rules() []string {
	var list []string
	for _, e := range l.Expectations {
		for _, t := range e.what.match {
			if t.key == "rule" && t.re == nil {
				list = append(list, strings.Split(t.want, "|")...)
			}
		}
	}
	return list
}

// slack is how far into its second a report may be made and still count for that
// second: ticks are not exactly on the second.
const slack = 999 * time.Millisecond

// Check checks the next report, which is made at the given time since the start and
// is current until the next. Reports must be passed in order.
func (l *List) Check(offset time.Duration, r report.Report) {
	for _, e := range l.Expectations {
		e.check(offset, r)
	}
}

func (e *Expectation) check(offset time.Duration, r report.Report) {
	e.last = offset
	if e.begin == unbounded || offset <= e.begin+slack {
		e.waiting = &r
		return
	}
	e.settle()
	if e.end == unbounded || offset <= e.end+slack {
		e.judge(offset, r)
	}
}

// settle checks the report that was current when the period began.
func (e *Expectation) settle() {
	if e.waiting != nil {
		e.judge(min(e.begin, e.last), *e.waiting)
		e.waiting = nil
	}
}

// judge checks one report that was current within the period.
func (e *Expectation) judge(at time.Duration, r report.Report) {
	first := !e.judged
	e.judged = true
	switch e.mode {
	case changes:
		e.count(at, r, first)
	case never:
		if e.wrong == "" && e.what.wrong(r) == "" {
			e.wrong = fmt.Sprintf("at %v: %s", at, e.what.fitting(r))
		}
	case someday:
		wrong := e.what.wrong(r)
		e.holds = e.holds || wrong == ""
		e.wrong = fmt.Sprintf("until %s: %s", clock(e.end), wrong)
	case always:
		if wrong := e.what.wrong(r); e.wrong == "" && wrong != "" {
			e.wrong = fmt.Sprintf("at %v: %s", at, wrong)
		}
	}
}

// count counts the findings that are raised. If a period begins later than the start,
// findings that are raised at its beginning do not count.
func (e *Expectation) count(at time.Duration, r report.Report, first bool) {
	now := map[string]bool{}
	for i := range r.Findings {
		if f := &r.Findings[i]; e.what.match.fits(f) {
			id := name(f)
			now[id] = true
			if !e.up[id] && !(first && e.begin > 0) {
				e.ups = append(e.ups, fmt.Sprintf("%s at %v", id, at))
			}
		}
	}
	e.up = now
}

// Wrong returns, after the last report, why the expectation does not hold, and "" if
// it does.
func (e *Expectation) Wrong() string {
	e.settle()
	switch {
	case e.begin != unbounded && e.begin > e.last+2*time.Second:
		return fmt.Sprintf("the incident ends before, at %v", e.last)
	case !e.judged:
		return "there is no report yet"
	case e.mode == changes && len(e.ups) > e.what.most:
		return fmt.Sprintf("%d times: %s", len(e.ups), strings.Join(e.ups[:min(6, len(e.ups))], ", "))
	case e.mode == someday && e.holds:
		return ""
	}
	return e.wrong
}

// clock formats a time as in the language.
func clock(d time.Duration) string {
	if d == unbounded {
		return "the end"
	}
	return d.String()
}

// wrong returns why the condition does not hold for the report, and "" if it does.
func (w *what) wrong(r report.Report) string {
	if w.components != nil {
		if w.componentFits(r) {
			return ""
		}
		return w.statuses(r)
	}
	var fits []*report.Finding
	for i := range r.Findings {
		if f := &r.Findings[i]; w.match.fits(f) {
			fits = append(fits, f)
		}
	}
	switch {
	case w.most < 0 && len(fits) > 0, w.most >= 0 && len(fits) <= w.most:
		return ""
	case w.most < 0:
		return w.nearest(r)
	}
	return fmt.Sprintf("%d such findings: %s", len(fits), listed(fits))
}

// fitting returns the findings of the report that match.
func (w *what) fitting(r report.Report) string {
	if w.components != nil {
		return w.statuses(r)
	}
	var fits []*report.Finding
	for i := range r.Findings {
		if w.match.fits(&r.Findings[i]) {
			fits = append(fits, &r.Findings[i])
		}
	}
	return listed(fits)
}

// named calls f with each component that the condition names and its status.
func (w *what) named(r report.Report, f func(name string, status report.Impact, summary string)) {
	all := slices.Contains(w.components, "any")
	for _, c := range r.Components {
		if all || slices.Contains(w.components, string(c.Name)) {
			f(string(c.Name), c.Status, c.Summary)
		}
	}
	if slices.Contains(w.components, "node") {
		f("node", r.Status, "")
	}
}

func (w *what) componentFits(r report.Report) bool {
	fits := false
	w.named(r, func(_ string, status report.Impact, _ string) {
		fits = fits || ranked(impacts(), w.op, string(w.status), string(status), string(report.Unknown))
	})
	return fits
}

// statuses describes the status of the components that the condition names.
func (w *what) statuses(r report.Report) string {
	var list []string
	w.named(r, func(name string, status report.Impact, summary string) {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s is %s %s", name, status, excerpt(summary))))
	})
	if list == nil {
		return "the report has no such component"
	}
	return strings.Join(list, "; ")
}

// nearest describes the finding that passes most of the tests, and the tests that it
// does not pass.
func (w *what) nearest(r report.Report) string {
	var near *report.Finding
	var without []string
	for i := range r.Findings {
		if missed := w.match.misses(&r.Findings[i]); near == nil || len(missed) < len(without) {
			near, without = &r.Findings[i], missed
		}
	}
	if near == nil {
		return "nothing is raised"
	}
	if len(without) == len(w.match) {
		all := make([]*report.Finding, len(r.Findings))
		for i := range r.Findings {
			all[i] = &r.Findings[i]
		}
		return "only: " + listed(all)
	}
	return fmt.Sprintf("the closest is %s, which fails %s", described(near), strings.Join(without, " "))
}

// listed describes a few findings.
func listed(list []*report.Finding) string {
	var texts []string
	for _, f := range list[:min(5, len(list))] {
		texts = append(texts, described(f))
	}
	return strings.Join(texts, "; ")
}

func described(f *report.Finding) string {
	return fmt.Sprintf("%s %s/%s %s", name(f), f.Severity, f.Impact, excerpt(f.Summary))
}

// name returns the rule and the subject.
func name(f *report.Finding) string { return strings.TrimSpace(f.Rule + " " + f.Subject) }

// excerpt returns the beginning of a text in parentheses.
func excerpt(text string) string {
	if text == "" {
		return ""
	}
	if r := []rune(text); len(r) > 110 {
		text = string(r[:110]) + "…"
	}
	return "(" + text + ")"
}

func (m match) fits(f *report.Finding) bool { return len(m.misses(f)) == 0 }

// misses returns the tests that the finding does not pass.
func (m match) misses(f *report.Finding) []string {
	var list []string
	for i := range m {
		if !m[i].passes(property(f, m[i].key)) {
			list = append(list, m[i].text)
		}
	}
	return list
}

func (t *test) passes(got string) bool {
	switch {
	case t.re != nil:
		return t.re.MatchString(got) == (t.op == "~")
	case t.key == "severity":
		return ranked(severities(), t.op, t.want, got, string(report.Info))
	case t.key == "impact":
		return ranked(impacts(), t.op, t.want, got, string(report.Unknown))
	}
	return slices.Contains(strings.Split(t.want, "|"), got) == (t.op == "=")
}

// ranked reports whether got op want is true in the order; a word that is not in the
// order gets the given rank.
func ranked(order []string, op, want, got, as string) bool {
	if op == "=" || op == "!=" {
		return slices.Contains(strings.Split(want, "|"), got) == (op == "=")
	}
	if !slices.Contains(order, got) {
		got = as
	}
	sign := cmp.Compare(slices.Index(order, got), slices.Index(order, want))
	return sign == 0 || sign > 0 == (op == ">=")
}

// property returns the value that a test compares.
func property(f *report.Finding, key string) string {
	switch key {
	case "rule":
		return f.Rule
	case "subject":
		return f.Subject
	case "component":
		return string(f.Component)
	case "severity":
		return string(f.Severity)
	case "impact":
		return string(f.Impact)
	case "state":
		return string(f.State)
	case "flapping":
		return strconv.FormatBool(f.Flapping)
	case "accepted":
		return strconv.FormatBool(f.Accepted != nil)
	case "text":
		return f.Summary
	case "evidence":
		return facts(f.Evidence)
	case "against":
		return facts(f.Against)
	case "advice":
		return steps(f.Advice)
	case "advice1":
		return steps(f.Advice[:min(1, len(f.Advice))])
	}
	return strings.Join([]string{f.Summary, facts(f.Evidence), steps(f.Advice)}, "\n")
}

func facts(list []report.Evidence) string {
	var lines []string
	for _, e := range list {
		lines = append(lines, fmt.Sprintf("%s %s: %s", e.Source, e.Subject, e.Fact))
	}
	return strings.Join(lines, "\n")
}

func steps(list []report.Advice) string {
	var lines []string
	for _, a := range list {
		lines = append(lines, a.Do+"\n"+a.Command)
	}
	return strings.Join(lines, "\n")
}
