package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // also: bad configuration
)

// A program is one call of nodewatch-status, with its input and outputs.
type program struct {
	in       io.Reader
	out, err io.Writer
}

// An exit is kingpin's request to end the program, as a panic value.
type exit int

// Main runs nodewatch-status with the given arguments and returns its exit code.
func Main(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) (code int) {
	p := program{in: in, out: out, err: errs}
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
		fmt.Fprintf(p.err, "nodewatch-status: %v; try nodewatch-status --help\n", err)
		return exitUsage
	}
	return code
}

// application returns the command line. A command that runs sets code.
func (p program) application(ctx context.Context, code *int) *kingpin.Application {
	app := kingpin.New("nodewatch-status", about)
	app.Version(buildinfo.Read().Text("nodewatch-status")).UsageWriter(p.out).ErrorWriter(p.err)
	app.HelpFlag.Short('h')
	for _, add := range slices.Concat(
		[]command{p.runCommand, p.checkConfigCommand, p.tokenCreate, p.tokenList, p.tokenRevoke, p.operatorAdd, p.operatorList,
			p.operatorPassword, p.operatorRemove}, p.incidentCommands(), p.maintenanceCommands(), p.postmortemCommands(),
		[]command{p.exportCommand, p.backupCommand, p.restoreCommand, p.migrateCommand, p.demoCommand, p.versionCommand},
	) {
		cmd, do := add(app)
		cmd.Action(func(*kingpin.ParseContext) error {
			*code = do(ctx)
			return nil
		})
	}
	return app
}

// subcommand returns a subcommand, and creates its parent command if needed.
func subcommand(app *kingpin.Application, name, help, sub, subHelp string) *kingpin.CmdClause {
	cmd := app.GetCommand(name)
	if cmd == nil {
		cmd = app.Command(name, help)
	}
	return cmd.Command(sub, subHelp)
}

// fail prints an error, one line each, and returns code.
func (p program) fail(code int, err error) int {
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(p.err, "nodewatch-status: %s\n", line)
	}
	return code
}

// configFlag adds the flag for the configuration file, which every command has.
func configFlag(cmd *kingpin.CmdClause) *string {
	return cmd.Flag("config.file", "Configuration file.").Default("/etc/nodewatch-status/nodewatch-status.yml").String()
}

// load reads the configuration.
func load(file string) (config.Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return config.Config{}, err
	}
	defer func() { _ = f.Close() }() // only read
	raw, err := io.ReadAll(io.LimitReader(f, config.MaxSize+1))
	if err != nil {
		return config.Config{}, fmt.Errorf("%s: %w", file, err)
	}
	c, err := config.Parse(file, raw)
	if err != nil {
		return c, err
	}
	if c.Database.File != "" {
		raw, err := os.ReadFile(c.Database.File)
		if err != nil {
			return c, fmt.Errorf("%s: database.address_file: %w", file, err)
		}
		if c.Database.Address, err = config.ParseAddress(strings.TrimSpace(string(raw))); err != nil {
			return c, fmt.Errorf("%s: database.address_file: %w", file, err)
		}
	}
	return c, nil
}

// withStore calls f with the database of the configuration file.
func (p program) withStore(ctx context.Context, file string, f func(*store.Store) error) int {
	c, err := load(file)
	if err != nil {
		return p.fail(exitUsage, err)
	}
	s, err := store.Open(ctx, c.Database.Address)
	if err != nil {
		return p.fail(exitFailure, err)
	}
	defer func() { _ = s.Close() }() // all writes are committed
	if err := f(s); err != nil {
		return p.fail(exitFailure, err)
	}
	return exitOK
}

func (p program) checkConfigCommand(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := app.Command("check-config", "Check the configuration file and print one line per error.")
	file := configFlag(cmd)
	return cmd, func(context.Context) int {
		c, err := load(*file)
		if err != nil {
			return p.fail(exitUsage, err)
		}
		n := 0
		for _, g := range c.Groups {
			n += len(g.Components)
		}
		fmt.Fprintf(p.out, "%s: ok, %d components in %d groups\n", *file, n, len(c.Groups))
		return exitOK
	}
}

func (p program) versionCommand(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	return app.Command("version", "Print the version."), func(context.Context) int {
		fmt.Fprintln(p.out, buildinfo.Read().Text("nodewatch-status"))
		return exitOK
	}
}

const about = `The status backend of nodewatch: receives the reports of nodes, stores their record,
and serves the public status page and the operators' pages.

  nodewatch-status run                     the public page is http://127.0.0.1:10091/
  nodewatch-status check-config            check the configuration file
  nodewatch-status token create NODE       a token for a node to report with
  nodewatch-status incident list           the incidents that customers see
  nodewatch-status export DIR              the public pages as files
  nodewatch-status operator add NAME       add an operator who can sign in
  nodewatch-status backup FILE             all data in one file, while the hub runs
`
