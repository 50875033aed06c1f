package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/term"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/page"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/internal/tape"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A replayer replays a tape or an incident.
type replayer struct {
	program
	file    *string
	serve   *string
	speed   *float64
	until   *time.Duration
	brief   *bool
	output  *string
	deliver *bool
	conf    *string
	color   *colorFlag

	config   config.Config // configuration of the reporters
	launcher *launcher.Client
}

func (p program) replayCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("replay", "Play a tape or an incident file, and print each change of verdict with its time.")
	r := &replayer{program: p, color: newColorFlag(cmd)}
	r.file = cmd.Arg("file", "A tape (.jsonl, .zst) or an incident (.txtar).").Required().String()
	r.serve = cmd.Flag("serve", "Serve the page and /metrics at this address during the replay.").PlaceHolder("127.0.0.1:10090").String()
	r.speed = cmd.Flag("speed", "Speed factor; 0: as fast as possible. Default: 10 with --serve or --report, else 0.").Default("-1").Float64()
	r.deliver = cmd.Flag("report",
		"Send the incident to the configured reporters as if it happened now: times are shifted to now and compressed by the speed.").Bool()
	r.conf = configFlag(cmd)
	r.until = cmd.Flag("until", "Stop at this time after the first entry, such as 1h6m; with --serve the page keeps that state. 0: play to the end.").Default("0").Duration()
	r.brief = cmd.Flag("brief", "Print only the changes: no evidence, no advice, and no verdict at the end.").Bool()
	r.output = cmd.Flag("output", "text, which ends with the verdict as check prints it, or json: one line {\"offset_s\", \"report\"} at the first verdict, at each change of the report and at the end.").Short('o').Default("text").Enum("text", "json")
	return "replay", r.run
}

func (r *replayer) run(ctx context.Context) int {
	in, err := play(*r.file)
	if err != nil {
		return r.fail(exitCritical, err)
	}
	defer in.close()
	if *r.speed < 0 {
		*r.speed = 0
		if *r.serve != "" || *r.deliver {
			*r.speed = 10
		}
	}
	post, err := r.reporters()
	if err != nil {
		return r.fail(exitCritical, err)
	}
	s := &viewHolder{specs: sourceSpecs(config.Default())}
	if *r.serve != "" {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		if err := r.show(ctx, s); err != nil {
			return r.fail(exitCritical, err)
		}
	}
	if err := r.plays(ctx, in, s, post, r.printer()); err != nil {
		return r.fail(exitCritical, err)
	}
	r.settle(post)
	if in.tape != nil {
		r.complain(in.tape)
	}
	if *r.serve != "" && ctx.Err() == nil {
		fmt.Fprintln(r.err, "played; the page stays until you press Ctrl-C")
		<-ctx.Done()
	}
	return exitOK
}

// printer returns the printer for the requested output format.
func (r *replayer) printer() replayPrinter {
	if *r.output == "json" {
		return &reportPrinter{out: r.out}
	}
	return &changePrinter{out: r.out, brief: *r.brief, progress: r.progress(), style: r.style(r.color)}
}

// plays replays every entry, in real time if a speed is set, and prints the results.
func (r *replayer) plays(ctx context.Context, in *played, s *viewHolder, post *watch.Dispatcher, printer replayPrinter) error {
	j := judge.New(all.Default())
	var began, first time.Time
	judged := false
	due := func(at time.Time) time.Time {
		return began.Add(time.Duration(float64(at.Sub(first)) / *r.speed))
	}
	for {
		e, err := in.next()
		if errors.Is(err, io.EOF) {
			return r.played(judged, printer)
		}
		if err != nil {
			return err
		}
		if first.IsZero() {
			first, began = e.At, time.Now()
		}
		if *r.until > 0 && e.At.Sub(first) > *r.until {
			return r.played(judged, printer)
		}
		if *r.speed > 0 {
			select {
			case <-time.After(time.Until(due(e.At))):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return errEnded
		}
		if v, is := j.Take(e); is {
			judged = true
			if r.out.err != nil {
				return nil //nolint:nilerr // the reader is gone, which Main reports
			}
			s.show(v)
			if err := printer.print(v, e.At.Sub(first)); err != nil {
				return err
			}
			if post != nil {
				post.Enqueue(r.placed(v.Report).Retimed(due))
			}
		}
	}
}

// played finishes the output; judged reports whether there was a verdict.
func (r *replayer) played(judged bool, printer replayPrinter) error {
	if !judged {
		return fmt.Errorf("%s: no verdict: the recording ends before every source has been read", *r.file)
	}
	return printer.end()
}

// reporters starts the configured reporters if --report is set, and otherwise returns
// nil. Their state is not saved.
func (r *replayer) reporters() (*watch.Dispatcher, error) {
	if !*r.deliver {
		return nil, nil
	}
	if *r.speed == 0 {
		return nil, errors.New("--report requires a --speed above 0, because reports are sent in real time")
	}
	c, err := readConfig(*r.conf)
	if err != nil {
		return nil, err
	}
	if r.launcher, err = launcher.Local(); err != nil {
		return nil, err
	}
	list, err := deliveries(c, "", r.launcher)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("no reporter is configured; see docs/reporters.md, and set the file with --config.file")
	}
	r.config = c
	return watch.NewDispatcher(hostName(c), list), nil
}

// placed returns the Report with the site and the labels of the configuration, if the
// tape contains none.
func (r *replayer) placed(x report.Report) report.Report {
	if x.Site == "" {
		x.Site, x.Labels = r.config.Site, r.config.Labels
	}
	return x
}

// settle waits for the reporters to deliver the last state, and reports those that
// could not.
func (r *replayer) settle(post *watch.Dispatcher) {
	if post == nil {
		return
	}
	post.Settle(10 * time.Second)
	post.Close(shutdownTimeout)
	r.launcher.Close()
	for _, d := range post.State() {
		fmt.Fprintf(r.err, "reporter %s (%s): %d delivered, last %s %s\n", d.Name, d.Backend, d.Done, d.State, d.Error)
	}
}

// show serves the views.
func (r *replayer) show(ctx context.Context, s *viewHolder) error {
	web := config.Default().Web
	web.Listen = []string{*r.serve}
	if wrong := web.Mistakes(); len(wrong) > 0 {
		return fmt.Errorf("--serve: %s", wrong[0].Text)
	}
	limit := newConnLimit(web.Connections)
	return (&server{
		listen: web.Listen, web: &webFile{}, limit: limit, log: slog.New(slog.DiscardHandler),
		up: func(url string) { fmt.Fprintf(r.err, "the page is %s\n", url) },
		waiting: func(trouble string) {
			if trouble != "" {
				fmt.Fprintln(r.err, trouble)
			}
		},
	}).start(ctx, routes(s, limit.collectors()...))
}

// complain reports which parts of the tape could not be replayed.
func (r *replayer) complain(t *tape.Reader) {
	if n, first := t.Broken(); n > 0 {
		fmt.Fprintf(r.err, "nodewatch: %d broken lines skipped, the first: %s\n", n, page.Printable(first.Error()))
	}
	if n := t.Lost(); n > 0 {
		fmt.Fprintf(r.err, "nodewatch: the recorder had lost %d entries\n", n)
	}
}

// progress returns the output for the progress: the terminal, if errors are written
// to one.
func (r *replayer) progress() io.Writer {
	if f, ok := r.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
