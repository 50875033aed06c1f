//go:build lab

package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Report contains the fields of nodewatch's report that the tests use.
type Report struct {
	At       time.Time `json:"at"`
	Status   string    `json:"status"`
	Findings []Finding `json:"findings"`
	Sources  []struct {
		Name  string `json:"name"`
		State string `json:"state"`
		Error string `json:"error"`
	} `json:"sources"`
	Transitions []Transition `json:"transitions"`
}

// A Finding is one finding of a Report.
type Finding struct {
	Rule     string    `json:"rule"`
	Subject  string    `json:"subject"`
	Severity string    `json:"severity"`
	Impact   string    `json:"impact"`
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	LastSeen time.Time `json:"last_seen"`
	Summary  string    `json:"summary"`
	Evidence []struct {
		Source  string `json:"source"`
		Subject string `json:"subject"`
		Fact    string `json:"fact"`
	} `json:"evidence"`
}

// A Transition is one change of one finding.
type Transition struct {
	At      time.Time `json:"at"`
	Rule    string    `json:"rule"`
	Subject string    `json:"subject"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Impact  string    `json:"impact"`
	Summary string    `json:"summary"`
}

// finding returns the finding of the rule; nil: it is not raised.
func (r Report) finding(rule string) *Finding {
	for i := range r.Findings {
		if r.Findings[i].Rule == rule {
			return &r.Findings[i]
		}
	}
	return nil
}

// find returns the finding of the rule about the subject; nil: it is not raised.
func (r Report) find(rule, subject string) *Finding {
	for i := range r.Findings {
		if r.Findings[i].Rule == rule && r.Findings[i].Subject == subject {
			return &r.Findings[i]
		}
	}
	return nil
}

// raised reports whether the rule is raised with the severity.
func (r Report) raised(rule, severity string) bool {
	f := r.finding(rule)
	return f != nil && f.Severity == severity
}

// goesOn reports whether the rule is raised with the severity and currently observed,
// not only kept for a while.
func (r Report) goesOn(rule, severity string) bool {
	f := r.finding(rule)
	return f != nil && f.Severity == severity && r.At.Sub(f.LastSeen) < 3*time.Second
}

// text returns all texts of a finding about the present.
func (f Finding) text() string {
	all := f.Summary
	for _, e := range f.Evidence {
		all += "\n" + e.Subject + ": " + e.Fact
	}
	return all
}

// quiet reports whether no finding above info is raised.
func (r Report) quiet() bool {
	for _, f := range r.Findings {
		if f.Severity != "info" {
			return false
		}
	}
	return true
}

// source returns the state of the named source.
func (r Report) source(name string) string {
	for _, s := range r.Sources {
		if s.Name == name {
			return s.State
		}
	}
	return ""
}

// clear reports whether none of the rules is raised above info. An info is allowed,
// because the kernel log still contains an earlier scenario's faults.
func (r Report) clear(rules ...string) bool {
	for _, rule := range rules {
		if f := r.finding(rule); f != nil && f.Severity != "info" {
			return false
		}
	}
	return true
}

func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "at %s: %s", r.At.Format("15:04:05.000"), r.Status)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n  %s %s %s (%s, %s since %s): %s", f.Severity, f.Rule, f.Subject, f.Impact, f.State,
			f.Since.Format("15:04:05.000"), f.Summary)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "\n    %s %s: %s", e.Source, e.Subject, e.Fact)
		}
	}
	for _, t := range r.Transitions {
		fmt.Fprintf(&b, "\n  %s %s %s: %s -> %s", t.At.Format("15:04:05.000"), t.Rule, t.Subject, t.From, t.To)
	}
	for _, s := range r.Sources {
		if s.State != "ok" && s.State != "absent" {
			fmt.Fprintf(&b, "\n  source %s %s: %s", s.Name, s.State, s.Error)
		}
	}
	return b.String()
}

const address = "http://127.0.0.1:10090"

// report requests the report of the daemon in the guest.
func (l *Lab) report() (Report, error) {
	var r Report
	body, status, err := l.Guest.Get(l.ctx, address+"/api/v1/report")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	return r, err
}

// fetch returns a page of the daemon. It retries once, because the guest may be slow.
func (l *Lab) fetch(path string) (body []byte) {
	l.t.Helper()
	var status int
	var err error
	for range 2 {
		if body, status, err = l.Guest.Get(l.ctx, address+path); err == nil && status == http.StatusOK {
			return body
		}
	}
	l.t.Fatalf("%s: status %d, %v", path, status, err)
	return nil
}

// now returns the daemon's current report.
func (l *Lab) now() Report {
	l.t.Helper()
	r, err := l.report()
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// until waits until so returns true for the report.
func (l *Lab) until(within time.Duration, what string, so func(Report) bool) Report {
	l.t.Helper()
	var r Report
	err := wait(l.ctx, within, func() (bool, error) {
		var err error
		r, err = l.report()
		return err == nil && so(r), err
	})
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", what, err, r)
	}
	return r
}

// holds checks that so stays true for the given time. Reports must arrive throughout:
// a missing one proves nothing.
func (l *Lab) holds(during time.Duration, what string, so func(Report) bool) {
	l.t.Helper()
	var broken *Report
	first := l.now()
	_ = wait(l.ctx, during, func() (bool, error) { // the timeout is the expected result
		if r, err := l.report(); err == nil && !so(r) {
			broken = &r
			return true, nil
		}
		return false, nil
	})
	last := l.now()
	if broken == nil && !so(last) {
		broken = &last
	}
	if broken != nil {
		l.t.Fatalf("%s: does not hold\n%s", what, *broken)
	}
	if went := last.At.Sub(first.At); went < during-3*time.Second {
		l.t.Fatalf("%s: nodewatch's reports continued by %s in %s", what, went, during)
	}
}

// never checks that none of the rules was raised at any time of the scenario, however
// briefly. Reports contain the last 200 changes.
func (l *Lab) never(rules ...string) {
	l.t.Helper()
	r := l.now()
	for _, t := range r.Transitions {
		if t.To != "clear" && t.To != "info" && slices.Contains(rules, t.Rule) {
			l.t.Errorf("%s was raised at %s: %s", t.Rule, t.At, r)
		}
	}
}

// metric returns the sum of all samples of a metric whose labels contain all of the given
// texts.
func (l *Lab) metric(name string, labels ...string) (sum float64, found bool) {
	l.t.Helper()
	body := l.fetch("/metrics")
samples:
	for line := range strings.Lines(string(body)) {
		rest, is := strings.CutPrefix(line, name)
		if !is || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
			continue
		}
		for _, want := range labels {
			if !strings.Contains(rest, want) {
				continue samples
			}
		}
		var v float64
		if _, err := fmt.Sscan(rest[strings.LastIndexByte(rest, ' ')+1:], &v); err != nil {
			l.t.Fatalf("metrics: %q: %v", line, err)
		}
		sum, found = sum+v, true
	}
	return sum, found
}
