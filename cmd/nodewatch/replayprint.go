package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/page"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A replayPrinter prints the results of a replay. Kernel lines and names on a tape
// are untrusted: no implementation prints them raw.
type replayPrinter interface {
	// print is called with each View in turn; offset is the time since the first
	// entry.
	print(v judge.View, offset time.Duration) error
	// end is called once, after the last View.
	end() error
}

// A changePrinter prints each change of verdict with its time, as text.
type changePrinter struct {
	out      io.Writer
	brief    bool
	progress io.Writer // nil: none is shown
	style    page.Style
	last     report.Report
	started  time.Time
	printed  uint64 // number of the last printed transition
	shownAt  time.Time
}

func (p *changePrinter) print(v judge.View, _ time.Duration) error {
	if p.started.IsZero() || v.Started.After(p.started) {
		if !p.started.IsZero() {
			fmt.Fprintf(p.out, "%s  nodewatch restarted\n", v.Started.Format(time.TimeOnly))
		}
		p.started, p.printed = v.Started, 0
	}
	for _, t := range v.Report.Transitions {
		if t.N > p.printed {
			p.printed = t.N
			p.change(v.Report, t)
		}
	}
	p.last = v.Report
	if p.progress != nil && time.Since(p.shownAt) > 200*time.Millisecond {
		p.shownAt = time.Now()
		fmt.Fprintf(p.progress, "\r%s ", v.Report.At.Format(time.DateTime))
	}
	return nil
}

// detail prints details of the line above it.
func (p *changePrinter) detail(label, text string) {
	fmt.Fprint(p.out, page.Item(p.indent(), fmt.Sprintf("%-8s", label), text, p.lines()))
}

// indent returns the indentation of details: below the text of the line, if there is
// room.
func (p *changePrinter) indent() int {
	if p.style.Width > 0 && !p.style.Whole && p.style.Width < 100 {
		return 2
	}
	return 22
}

// lines returns the style of details: in output to a program, each has one line.
func (p *changePrinter) lines() page.Style {
	s := p.style
	if s.Whole {
		s.Width = 0
	}
	return s
}

// change prints one transition and, for a new or worse finding, its evidence and
// advice.
func (p *changePrinter) change(r report.Report, t report.Transition) {
	fmt.Fprint(p.out, page.Transition(t, p.lines()))
	worse := t.To.Rank() > t.From.Rank() || t.ImpactFrom != "" && t.Impact.Rank() > t.ImpactFrom.Rank()
	i := slices.IndexFunc(r.Findings, func(f report.Finding) bool { return f.Rule == t.Rule && f.Subject == t.Subject })
	if p.brief || !worse || i < 0 || t.To == report.Info {
		return
	}
	for _, e := range r.Findings[i].Evidence {
		p.detail("for", factLine(e))
	}
	for _, e := range r.Findings[i].Against {
		p.detail("against", factLine(e))
	}
	for _, a := range r.Findings[i].Advice {
		p.detail("do", a.Do)
		fmt.Fprint(p.out, page.Command(p.indent()+9, a.Command, p.lines()))
	}
}

// factLine formats a piece of evidence on one line.
func factLine(e report.Evidence) string {
	return strings.TrimSpace(fmt.Sprintf("%s  %s", e.At.Format(time.TimeOnly),
		strings.TrimSpace(e.Source+" "+e.Subject)+": "+strings.TrimPrefix(e.Fact, e.Subject+" ")))
}

// end erases the progress, and prints the last verdict in the format of check.
func (p *changePrinter) end() error {
	if p.progress != nil {
		fmt.Fprint(p.progress, "\r                     \r")
	}
	if !p.brief {
		fmt.Fprint(p.out, "\n"+page.Summary(p.last, p.style))
	}
	return nil
}

// A reportPrinter prints reports as JSON lines: the first, each that differs from the
// previously printed one, and the last.
type reportPrinter struct {
	out     io.Writer
	printed string // fingerprint of the last printed report
	last    report.Report
	offset  time.Duration // of last
	behind  bool          // last is not printed yet
}

func (p *reportPrinter) print(v judge.View, offset time.Duration) error {
	p.last, p.offset, p.behind = v.Report, offset, true
	if now := fingerprint(v.Report); now != p.printed {
		p.printed = now
		return p.line()
	}
	return nil
}

func (p *reportPrinter) line() error {
	line, err := page.ReplayLine(p.last, p.offset)
	if err != nil {
		return err
	}
	p.behind = false
	_, err = p.out.Write(line)
	return err
}

func (p *reportPrinter) end() error {
	if !p.behind {
		return nil
	}
	return p.line()
}

// fingerprint returns equal strings for two reports with the same content about the
// node: its start, the components' status, and each finding's level, state and
// summary.
func fingerprint(r report.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", r.Started.UnixNano(), r.Status)
	for _, c := range r.Components {
		fmt.Fprintf(&b, "%s %s %s\n", c.Name, c.Status, c.State)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %q %s %s %s %t %t %q\n", f.Rule, f.Subject, f.Severity, f.Impact, f.State, f.Flapping,
			f.Accepted != nil, f.Summary)
	}
	return b.String()
}
