package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

const postmortemHelp = "Post-mortems of incidents, in Markdown."

// postmortemCommands returns the commands for post-mortems.
func (p program) postmortemCommands() []command {
	return []command{p.postmortemDraft, p.postmortemShow, p.postmortemWrite, p.postmortemPublish, p.postmortemWithdraw}
}

func (p program) postmortemDraft(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "postmortem", postmortemHelp, "draft", "Print a draft made from the record; edit it and pass it to write.")
	file := configFlag(cmd)
	ref := cmd.Arg("ref", "The incident, as incident list shows it.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			i, err := o.find(ctx, *ref)
			if err != nil {
				return err
			}
			text := ""
			err = o.store.View(ctx, func(tx *store.Tx) error {
				text, err = desk.Draft(ctx, tx, o.Config, i, o.Now)
				return err
			})
			if err != nil {
				return err
			}
			_, err = io.WriteString(p.out, text)
			return err
		})
	}
}

func (p program) postmortemShow(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "postmortem", postmortemHelp, "show", "Print a post-mortem.")
	file, output := configFlag(cmd), outputFlag(cmd)
	ref := cmd.Arg("ref", "The incident, as incident list shows it.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			i, err := o.find(ctx, *ref)
			if err != nil {
				return err
			}
			if i.Postmortem.Body == "" {
				return usage{fmt.Errorf("incident %s has no post-mortem; see nodewatch-status postmortem draft %s", i.Ref, i.Ref)}
			}
			view := struct {
				Ref       string `json:"ref"`
				Author    string `json:"author"`
				Published bool   `json:"published"`
				Body      string `json:"body"`
			}{i.Ref, i.Postmortem.Author, !i.Postmortem.Published.IsZero(), i.Postmortem.Body}
			return p.print(*output, view, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, view.Body)
				return err
			})
		})
	}
}

func (p program) postmortemWrite(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "postmortem", postmortemHelp, "write",
		"Store the text of a post-mortem. publish publishes it; a published one changes at once.")
	file := configFlag(cmd)
	ref := cmd.Arg("ref", "The incident, as incident list shows it.").Required().String()
	from := cmd.Arg("file", "A file in Markdown; - reads it from the standard input.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			text, err := p.read(*from)
			if err != nil {
				return usage{err}
			}
			_, err = change(ctx, o, func(tx *store.Tx) (incident.Incident, error) {
				if i, err := o.incident(ctx, tx, *ref); err != nil {
					return i, err
				}
				return o.WritePostmortem(ctx, tx, desk.Version{Ref: *ref}, text, false)
			})
			return err
		})
	}
}

// read returns the content of a file as text.
func (p program) read(path string) (string, error) {
	if path == "-" {
		return readText("standard input", p.in)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	return readText(path, f)
}

func (p program) postmortemPublish(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	return p.simple(app, "postmortem", postmortemHelp, "publish", "Publish a post-mortem.", open.PublishPostmortem)
}

func (p program) postmortemWithdraw(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	return p.simple(app, "postmortem", postmortemHelp, "withdraw", "Make a published post-mortem a draft again.", open.WithdrawPostmortem)
}
