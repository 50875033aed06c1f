package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/page"
)

// The exit codes, according to the plugin convention.
const (
	exitOK       = 0
	exitWarning  = 1
	exitCritical = 2 // also: bad usage or bad configuration
	exitUnknown  = 3
)

// exitFailure is the exit code of a daemon that cannot start.
const exitFailure = 1

// A program is one call of nodewatch, with its input and outputs.
type program struct {
	in  io.Reader
	out *output
	err io.Writer
}

// An exit is kingpin's request to end the program, as a panic value.
type exit int

// Main runs nodewatch with the given arguments and returns its exit code. If output was
// lost, a command that would exit with exitOK exits with exitUnknown.
func Main(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) (code int) {
	p := program{in: in, out: &output{to: out}, err: errs}
	code = p.main(ctx, args)
	if err := p.out.err; err != nil {
		p.fail(code, fmt.Errorf("standard output: %w", err))
		if code == exitOK {
			code = exitUnknown
		}
	}
	return code
}

// main is Main without the check of the output.
func (p program) main(ctx context.Context, args []string) (code int) {
	app := p.application(ctx, &code)
	app.Terminate(func(code int) { panic(exit(code)) }) // for --help and --version
	defer func() {
		if r := recover(); r != nil {
			ended, is := r.(exit)
			if !is {
				panic(r)
			}
			code = int(ended)
		}
	}()
	if _, err := app.Parse(args); err != nil {
		return p.usage(err)
	}
	return code
}

// application returns the command line. Its commands set code.
func (p program) application(ctx context.Context, code *int) *kingpin.Application {
	app := kingpin.New("nodewatch", about)
	app.Version(buildinfo.Read().Text("nodewatch")).UsageWriter(p.out).ErrorWriter(p.err)
	app.HelpFlag.Short('h')
	for _, add := range []func(*kingpin.Application) (string, func(context.Context) int){
		p.runCommand, p.checkCommand, p.replayCommand, p.rulesCommand, p.sourcesCommand,
		p.checkConfigCommand, p.completionCommand, p.versionCommand, p.probeCommand,
		p.maintenanceStart, p.maintenanceStop, p.ackCommand, p.silencesCommand, p.reportCommand,
	} {
		name, do := add(app)
		command(app, name).Action(func(*kingpin.ParseContext) error {
			*code = do(ctx)
			return nil
		})
	}
	return app
}

// command returns the command with the given name, which may be a subcommand.
func command(app *kingpin.Application, name string) *kingpin.CmdClause {
	words := strings.Fields(name)
	cmd := app.GetCommand(words[0])
	for _, w := range words[1:] {
		cmd = cmd.GetCommand(w)
	}
	return cmd
}

// usage prints what is wrong with the call.
func (p program) usage(err error) int {
	fmt.Fprintf(p.err, "nodewatch: %v; try nodewatch --help\n", err)
	return exitCritical
}

// fail prints an error in one line and returns code.
func (p program) fail(code int, err error) int {
	fmt.Fprintf(p.err, "nodewatch: %s\n", page.Printable(err.Error()))
	return code
}

// errEnded means that the caller ended the program.
var errEnded = errors.New("interrupted")

const about = `Watches the storage path of a Ceph/KVM hypervisor: bonds, krbd, the kernel log.

It reports "layer2 bond + krbd" before the I/O storm and, during a storm, its cause,
the affected guests and the next steps.

  nodewatch run                      the daemon; its page is http://127.0.0.1:10090/
  nodewatch check                    the current problems of this node; exit 0, 1, 2 or 3
  nodewatch replay FILE              play a recorded tape, or an incident, again
  nodewatch rules                    the failure patterns, and those raised now
  nodewatch sources                  the data sources, their state, and how to enable more
  nodewatch maintenance start        start a maintenance: this node does not page
  nodewatch ack RULE                 acknowledge a finding until a date
  nodewatch silences                 the maintenance and the acknowledged findings
  nodewatch report test              try the configured reporters
`
