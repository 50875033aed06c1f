package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

func (p program) versionCommand(app *kingpin.Application) (string, func(context.Context) int) {
	app.Command("version", "Print version, revision, date, Go and platform.")
	return "version", func(context.Context) int {
		fmt.Fprintln(p.out, buildinfo.Read().Text("nodewatch"))
		return exitOK
	}
}

func (p program) checkConfigCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("check-config", "Check a configuration file and the files that it refers to, and list all errors.")
	file := cmd.Arg("file", "The file.").Required().String()
	return "check-config", func(context.Context) int {
		c, err := readConfig(*file)
		if err != nil {
			if all, several := errors.AsType[config.Errors](err); several {
				for _, one := range all {
					p.fail(exitCritical, one)
				}
				return exitCritical
			}
			return p.fail(exitCritical, err)
		}
		wrong := refusals(c)
		for _, err := range wrong {
			p.fail(exitCritical, fmt.Errorf("%s: %w", *file, oneLine{err}))
		}
		if len(wrong) > 0 {
			return exitCritical
		}
		for _, text := range warnings(c) {
			fmt.Fprintf(p.err, "nodewatch: warning: %s: %s\n", *file, text)
		}
		fmt.Fprintf(p.out, "%s is valid\n", *file)
		return exitOK
	}
}

// refusals returns the reasons why run would refuse a syntactically valid
// configuration: files that it names and that are missing or unsuitable.
func refusals(c config.Config) []error {
	var wrong []error
	add := func(err error) {
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	add(checkWebFile(c.Web.Config))
	if c.Tape.File != "" {
		if err := checkTape(c.Tape.File); err != nil {
			add(fmt.Errorf("tape.file: %w", err))
		}
	}
	for _, r := range c.Reporters {
		if _, err := reporter(r, c.Digest, "", nil); err != nil { // no directory: the daemon's files stay unchanged
			add(fmt.Errorf("reporter %s: %w", r.Name, err))
		}
	}
	_, err := c.Rules.Settings()
	add(err)
	return wrong
}

// warnings returns what is unsafe about files with secrets. It reads their metadata.
func warnings(c config.Config) (list []string) {
	for _, r := range c.Reporters {
		list = append(list, r.Warnings()...)
	}
	for _, f := range webSecrets(c.Web.Config) {
		list = append(list, f.Warning())
	}
	if !c.Ceph.Off {
		list = append(list, httpclient.SecretFile(absolute(c.Ceph.Keyring)).Warning())
	}
	return slices.DeleteFunc(list, func(text string) bool { return text == "" })
}

// configFlag adds the flag that names the configuration file.
func configFlag(cmd *kingpin.CmdClause) *string {
	return cmd.Flag("config.file", "Configuration file; defaults apply if unset.").Envar("NODEWATCH_CONFIG").String()
}

// readConfig reads the file, or returns the defaults for an empty name.
func readConfig(name string) (config.Config, error) {
	if name == "" {
		return config.Default(), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return config.Config{}, fmt.Errorf("%w; set another file with --config.file", err)
	}
	defer f.Close()
	return config.Read(name, f)
}
