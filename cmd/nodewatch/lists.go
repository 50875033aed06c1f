package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/internal/page"
	"github.com/nodewatch/nodewatch/internal/rule"
)

// A lister prints lists of the daemon or, without a daemon, the parts that are known
// without it.
type lister struct {
	*client
	output *string
	color  *colorFlag
}

func (p program) lister(cmd *kingpin.CmdClause) *lister {
	l := &lister{client: p.client(cmd), color: newColorFlag(cmd)}
	l.output = cmd.Flag("output", "text, or json as docs/commands.md describes it.").Short('o').Default("text").Enum("text", "json")
	return l
}

// A document is a list that a lister prints.
type document interface {
	Text(page.Style) string
	JSON() ([]byte, error)
}

// print prints the document; in text output, followed by a note, if there is one.
func (l *lister) print(d document, note string) int {
	if *l.output == "json" {
		body, err := d.JSON()
		if err != nil {
			return l.fail(exitCritical, err)
		}
		_, _ = l.out.Write(body)
		return exitOK
	}
	fmt.Fprint(l.out, d.Text(l.tableStyle(l.color)))
	if note != "" {
		fmt.Fprint(l.err, "\n"+page.Paragraph(note, l.style(l.color)))
	}
	return exitOK
}

func (p program) sourcesCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("sources", "List the data sources: their state on this host, their data, and how to enable missing ones. Queries the daemon; if none is running, reads each source once.")
	name := cmd.Arg("source", "The source to show in detail: its data, their origin, its interval and its requirements.").String()
	l := p.lister(cmd)
	return "sources", func(ctx context.Context) int {
		conf, err := commandConfig(*l.file)
		if err != nil && *l.file != "" {
			return l.fail(exitCritical, err)
		}
		specs := sourceSpecs(conf)
		if *name != "" && !slices.ContainsFunc(specs, func(s page.SourceSpec) bool { return s.Name == *name }) {
			return l.fail(exitCritical, fmt.Errorf("no source %q; nodewatch sources lists them", *name))
		}
		ctx, cancel := context.WithTimeout(ctx, l.timeout)
		defer cancel()
		var list page.SourceList
		note := ""
		switch err := l.ask(ctx, conf, "/api/v1/sources", &list); {
		case errors.Is(err, errNoDaemon):
			v, err := oneShot(ctx, conf)
			if err != nil {
				return l.fail(exitUnknown, oneLine{err})
			}
			list, note = page.Sources(v, specs, true), noDaemon+" Each source was read by this command with the permissions of its user."
		case err != nil:
			return l.fail(exitUnknown, oneLine{err})
		}
		if *name != "" {
			list = list.Only(*name)
		}
		return l.print(list, note)
	}
}

func (p program) rulesCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("rules", "List the rules and which are raised now, or explain one. Queries the daemon; if none is running, lists the rules as they are configured.")
	id := cmd.Arg("rule", "The rule to explain.").String()
	l := p.lister(cmd)
	return "rules", func(ctx context.Context) int {
		conf, err := commandConfig(*l.file)
		if err != nil {
			return l.fail(exitCritical, err)
		}
		ctx, cancel := context.WithTimeout(ctx, l.timeout)
		defer cancel()
		var list page.RuleList
		note := ""
		if err := l.ask(ctx, conf, "/api/v1/rules", &list); err != nil {
			if *l.url != "" {
				return l.fail(exitUnknown, oneLine{err})
			}
			list, note = page.Rules(conf.Rules, buildinfo.Read().Version, nil),
				notLive(err)+" These are the rules as configured; which of them are raised is unknown."
		}
		if *id == "" {
			return l.print(list, note)
		}
		one, found := list.Only(*id)
		if !found {
			return l.fail(exitCritical, noRule(*id))
		}
		if r, known := conf.Rules.Rule(*id); known && *l.output == "text" {
			fmt.Fprint(l.out, rule.Describe(r, l.style(l.color).Width))
			return exitOK
		}
		return l.print(one, note)
	}
}

func noRule(id string) error {
	return fmt.Errorf("no active rule %q; nodewatch rules lists them", id)
}

// notLive explains why the daemon was not queried.
func notLive(err error) string {
	if errors.Is(err, errNoDaemon) {
		return noDaemon
	}
	return "The daemon cannot be queried: " + err.Error() + "."
}

func (p program) silencesCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("silences",
		"List the current maintenance and the acknowledged findings. Queries the daemon; if none is running, reads the state directory.").Alias("wishes")
	l := p.lister(cmd)
	return "silences", func(ctx context.Context) int {
		conf, err := commandConfig(*l.file)
		if err != nil {
			return l.fail(exitCritical, err)
		}
		ctx, cancel := context.WithTimeout(ctx, l.timeout)
		defer cancel()
		list, note, err := l.silences(ctx, conf)
		if err != nil {
			return l.fail(exitUnknown, oneLine{err})
		}
		return l.print(list, note)
	}
}

// silences returns the daemon's list, or the list from the state directory with a
// note.
func (c *client) silences(ctx context.Context, conf config.Config) (list page.SilenceList, note string, err error) {
	asked := c.ask(ctx, conf, "/api/v1/silences", &list)
	if asked == nil || *c.url != "" {
		return list, "", asked
	}
	w, err := override.Read(ctx, stateDirectory(conf))
	if err != nil {
		return list, "", err
	}
	return page.Silences(w, time.Now(), buildinfo.Read().Version, nil),
		notLive(asked) + " This is what " + stateDirectory(conf) + " holds.", nil
}

// sourceSpecs returns all sources, each with the reason why it may be unavailable.
func sourceSpecs(c config.Config) []page.SourceSpec {
	off := map[string]string{
		node.SourceReporters: "no reporter is configured", node.SourceLauncher: "read only by the daemon",
		node.SourceStateDirectory: "read only by the daemon",
		node.SourceOVS:            "switched off by ovs.off", node.SourceLibvirt: "switched off by libvirt.off",
		node.SourceCeph: "switched off by ceph.off",
	}
	var list []page.SourceSpec
	for _, l := range sourceEntries() {
		spec := page.SourceSpec{Name: l.name, Every: l.every, Deadline: l.late, Reads: l.reads, Needs: l.needs, Off: off[l.name]}
		if l.name == node.SourceCeph {
			spec.Every = c.Ceph.Every
		}
		list = append(list, spec)
	}
	return list
}

// The lists of a View.
func rulesOf(v judge.View) page.RuleList {
	return page.Rules(v.Rules, buildinfo.Read().Version, &v.Report)
}

func silencesOf(v judge.View) page.SilenceList {
	return page.Silences(v.Overrides.Value, v.Now, buildinfo.Read().Version, &v.Report)
}
