package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/page"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A checker reports the current problems of this node.
type checker struct {
	*client
	output  *string
	oneShot *bool
	color   *colorFlag
}

func (p program) checkCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("check", "Print the current problems of this node. Queries the daemon; if none is running, takes two samples one second apart. Exits with 0 (nothing, or infos), 1 (warning), 2 (critical), 3 (unknown).")
	c := &checker{client: p.client(cmd), color: newColorFlag(cmd)}
	c.output = cmd.Flag("output", "text, json (as /api/v1/report) or nagios (a plugin's output with perfdata).").Short('o').Default("text").Enum("text", "json", "nagios")
	c.oneShot = cmd.Flag("one-shot", "Do not query the daemon.").Bool()
	return "check", c.run
}

func (c *checker) run(ctx context.Context) int {
	if *c.url != "" && *c.oneShot {
		return c.usage(errors.New("--url and --one-shot exclude each other"))
	}
	conf, err := commandConfig(*c.file)
	if err != nil && *c.file != "" {
		return c.unknown(err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if !*c.oneShot {
		var r report.Report
		err := c.ask(ctx, conf, "/api/v1/report", &r)
		if err == nil {
			return c.print(judge.View{Report: r}, false)
		}
		if !errors.Is(err, errNoDaemon) {
			return c.unknown(err)
		}
	}
	v, err := oneShot(ctx, conf)
	if err != nil {
		return c.unknown(err)
	}
	return c.print(v, true)
}

// unknown prints, in the requested output format, that the state is unknown.
func (c *checker) unknown(err error) int {
	switch *c.output {
	case "nagios":
		text, code := page.NagiosUnknown(err.Error())
		fmt.Fprint(c.out, text)
		return code
	case "json":
		_ = json.NewEncoder(c.out).Encode(map[string]string{"error": err.Error()})
		return exitUnknown
	}
	return c.fail(exitUnknown, oneLine{err})
}

// print prints the verdict of the daemon or of a one-shot run, and returns its exit
// code.
func (c *checker) print(v judge.View, oneShot bool) int {
	switch *c.output {
	case "json":
		body, err := page.JSON(v.Report)
		if err != nil {
			return c.fail(exitUnknown, err)
		}
		_, _ = c.out.Write(body)
	case "nagios":
		text, code := page.Nagios(v.Report, oneShot)
		fmt.Fprint(c.out, text)
		return code
	default:
		style := c.style(c.color)
		fmt.Fprint(c.out, page.Text(v, style))
		if oneShot {
			fmt.Fprint(c.out, "\n"+page.Paragraph(noDaemon+
				" Based on two samples one second apart: how long a problem has lasted is unknown.", style))
		}
	}
	return page.ExitCode(v.Report)
}

// noDaemon explains why an output is not the daemon's.
const noDaemon = "No daemon answers on this host."
