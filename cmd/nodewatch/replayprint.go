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

// A replayPrinter prints what a replay says. Kernel lines and names on a tape are
// chosen by others: no implementation prints them raw.
type replayPrinter interface {
	// print takes each View in turn; offset is the time since the first entry.
	print(v judge.View, offset time.Duration) error
	// end is called once, after the last View.
	end() error
}

// A changePrinter prints each change of verdict with its time, as text.
type changePrinter struct {
	out      io.Writer
	brief    bool
	progress io.Writer // nil: none is shown
	started  time.Time
	printed  uint64 // number of the last transition printed
	shownAt  time.Time
}

func (p *changePrinter) print(v judge.View, _ time.Duration) error {
	if p.started.IsZero() || v.Started.After(p.started) {
		if !p.started.IsZero() {
			p.line("%s  nodewatch restarted", v.Started.Format(time.TimeOnly))
		}
		p.started, p.printed = v.Started, 0
	}
	for _, t := range v.Report.Transitions {
		if t.N > p.printed {
			p.printed = t.N
			p.change(v.Report, t)
		}
	}
	if p.progress != nil && time.Since(p.shownAt) > 200*time.Millisecond {
		p.shownAt = time.Now()
		fmt.Fprintf(p.progress, "\r%s ", v.Report.At.Format(time.DateTime))
	}
	return nil
}

// line prints one line, without control characters.
func (p *changePrinter) line(format string, args ...any) {
	fmt.Fprintln(p.out, page.Printable(fmt.Sprintf(format, args...)))
}

// change prints one transition and, for a finding that is new or worse, its
// evidence and advice.
func (p *changePrinter) change(r report.Report, t report.Transition) {
	p.line("%s", page.TransitionLine(t))
	worse := report.Severity(t.To).Rank() > report.Severity(t.From).Rank() || t.ImpactFrom != "" && t.Impact.Rank() > t.ImpactFrom.Rank()
	i := slices.IndexFunc(r.Findings, func(f report.Finding) bool { return f.Rule == t.Rule && f.Subject == t.Subject })
	if p.brief || !worse || i < 0 || t.To == string(report.Info) {
		return
	}
	for _, e := range r.Findings[i].Evidence {
		p.line("%22sfor      %s", "", factLine(e))
	}
	for _, e := range r.Findings[i].Against {
		p.line("%22sagainst  %s", "", factLine(e))
	}
	for _, a := range r.Findings[i].Advice {
		p.line("%22sdo       %s", "", a.Do)
		if a.Command != "" {
			p.line("%22s         $ %s", "", a.Command)
		}
	}
}

// factLine is a piece of evidence in one line.
func factLine(e report.Evidence) string {
	return strings.TrimSpace(fmt.Sprintf("%s  %s", e.At.Format(time.TimeOnly), strings.TrimSpace(e.Source+" "+e.Subject)+": "+strings.TrimPrefix(e.Fact, e.Subject+" ")))
}

// end erases the progress.
func (p *changePrinter) end() error {
	if p.progress != nil {
		fmt.Fprint(p.progress, "\r                     \r")
	}
	return nil
}

// A reportPrinter prints reports as JSON lines: the first, each that differs from
// the one printed before, and the last.
type reportPrinter struct {
	out     io.Writer
	printed string // fingerprint of the report printed last
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

// fingerprint is equal for two reports that say the same of the node: its start,
// the components' status, and each finding's level, state and summary.
func fingerprint(r report.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", r.Started.UnixNano(), r.Status)
	for _, c := range r.Components {
		fmt.Fprintf(&b, "%s %s %s\n", c.Name, c.Status, c.State)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %q %s %s %s %t %t %q\n", f.Rule, f.Subject, f.Severity, f.Impact, f.State, f.Flapping, f.Accepted != nil, f.Summary)
	}
	return b.String()
}
