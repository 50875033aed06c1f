package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// reportCommand tests reporters.
func (p program) reportCommand(app *kingpin.Application) (string, func(context.Context) int) {
	parent := app.Command("report", "Try the configured reporters.")
	cmd := parent.Command("test", "Send a clearly marked test through every reporter, or through one, and print the response.")
	name := cmd.Arg("name", "The reporter to test; default: all.").String()
	file := configFlag(cmd)
	return "report test", func(ctx context.Context) int { return p.reportTest(ctx, *file, *name) }
}

func (p program) reportTest(ctx context.Context, file, name string) int {
	c, err := commandConfig(file)
	if err != nil {
		return p.fail(exitCritical, err)
	}
	if len(c.Reporters) == 0 {
		return p.fail(exitCritical, errors.New("no reporter is configured; see docs/reporters.md, and set the file with --config.file"))
	}
	l, err := launcher.Local()
	if err != nil {
		return p.fail(exitCritical, err)
	}
	defer l.Close()
	list, err := deliveries(c, "", l) // no directory: the daemon's files stay unchanged
	if err != nil {
		return p.fail(exitCritical, err)
	}
	var known []string
	chosen := list[:0:0]
	for _, d := range list {
		known = append(known, d.Name)
		if name == "" || d.Name == name {
			chosen = append(chosen, d)
		}
	}
	if len(chosen) == 0 {
		return p.fail(exitCritical, fmt.Errorf("no reporter %q; configured are %s", name, strings.Join(known, ", ")))
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	code := exitOK
	for _, r := range tried(ctx, chosen, testReport(c), p.err) {
		fmt.Fprintln(w, r.line())
		if r.err != nil {
			code = exitCritical
		}
	}
	_ = w.Flush()
	return code
}

// A reporterTest is the result of testing one reporter.
type reporterTest struct {
	watch.Delivery
	answer string
	err    error
	took   time.Duration
}

// tried tests the reporters one after the other, so that their results can be
// distinguished, and prints which one is being tested.
func tried(ctx context.Context, list []watch.Delivery, r report.Report, progress io.Writer) []reporterTest {
	var done []reporterTest
	for _, d := range list {
		fmt.Fprintf(progress, "testing %s (%s), timeout %s\n", d.Name, d.Backend, d.Deadline)
		bounded, cancel := context.WithTimeout(ctx, d.Deadline)
		began := time.Now()
		answer, err := d.Reporter.Test(bounded, r)
		cancel()
		done = append(done, reporterTest{d, answer, err, time.Since(began)})
	}
	return done
}

func (t reporterTest) line() string {
	word, text := "ok", t.answer
	if t.err != nil {
		word, text = "FAILED", t.err.Error()
		if t.answer != "" {
			text += "; but: " + t.answer
		}
	}
	return fmt.Sprintf("%s\t%s\t%s\t%d ms\t%s", t.Name, t.Backend, word, t.took.Milliseconds(), text)
}

// testReport returns a report that contains no state of the node, and states this.
func testReport(c config.Config) report.Report {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return report.Report{
		Node: hostName(c), Site: c.Site, Labels: c.Labels, At: now, Started: now, Version: buildinfo.Read().Version, Test: true,
		Status:     report.Unknown,
		Components: []report.Component{}, Findings: []report.Finding{}, Transitions: []report.Transition{}, Sources: []report.SourceState{},
	}
}
