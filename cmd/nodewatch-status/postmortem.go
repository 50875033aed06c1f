package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

const postmortemHelp = "Post-mortems of incidents, in Markdown."

// postmortemCommands are the commands of post-mortems.
func (p program) postmortemCommands() []command {
	return []command{p.postmortemDraft, p.postmortemShow, p.postmortemWrite, p.postmortemPublish, p.postmortemWithdraw}
}

func (p program) postmortemDraft(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "postmortem", postmortemHelp, "draft", "Print a draft made from what was recorded, to edit and to give to write.")
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
				text, err = desk.Draft(ctx, tx, o.config, i, o.now)
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
				_, err := io.WriteString(w, view.Body)
				return err
			})
		})
	}
}

func (p program) postmortemWrite(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "postmortem", postmortemHelp, "write", "Keep the text of a post-mortem. It is published by publish; a published one changes at once.")
	file := configFlag(cmd)
	ref := cmd.Arg("ref", "The incident, as incident list shows it.").Required().String()
	from := cmd.Arg("file", "A file in Markdown; - reads it from the standard input.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			text, err := p.read(*from)
			if err != nil {
				return usage{err}
			}
			return o.postmortem(ctx, *ref, "write", func(i *incident.Incident) error {
				x := &i.Postmortem
				if x.Body == "" {
					x.Created = o.now
				}
				x.Body, x.Author = text, caller()
				if !x.Published.IsZero() {
					return complete(*i)
				}
				return nil
			})
		})
	}
}

// read is the text of a file.
func (p program) read(path string) (string, error) {
	in := p.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxText+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	text := string(raw)
	if strings.TrimSpace(text) == "" {
		return "", errors.New("the post-mortem is empty")
	}
	return text, short("the post-mortem", text, maxText)
}

// complete says what is still to be written of a post-mortem.
func complete(i incident.Incident) error {
	switch {
	case i.Postmortem.Body == "":
		return usage{fmt.Errorf("incident %s has no post-mortem; see nodewatch-status postmortem write", i.Ref)}
	case strings.Contains(i.Postmortem.Body, incident.ToWrite):
		return usage{fmt.Errorf("the post-mortem of %s still says %q; nothing is published until that is written", i.Ref, incident.ToWrite)}
	}
	return nil
}

// postmortem changes the post-mortem of an incident.
func (o open) postmortem(ctx context.Context, ref, action string, f func(*incident.Incident) error) error {
	_, err := o.incident(ctx, ref, o.by("postmortem."+action, ""), func(i *incident.Incident) error {
		i.Updated, i.Postmortem.Updated = o.now, o.now
		return f(i)
	})
	return err
}

func (p program) postmortemPublish(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "postmortem", postmortemHelp, "publish", "Publish a post-mortem.")
	file := configFlag(cmd)
	ref := cmd.Arg("ref", "The incident, as incident list shows it.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			return o.postmortem(ctx, *ref, "publish", func(i *incident.Incident) error {
				if i.Postmortem.Published.IsZero() {
					i.Postmortem.Published = o.now
				}
				return complete(*i)
			})
		})
	}
}

func (p program) postmortemWithdraw(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "postmortem", postmortemHelp, "withdraw", "Make a published post-mortem a draft again.")
	file := configFlag(cmd)
	ref := cmd.Arg("ref", "The incident, as incident list shows it.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			return o.postmortem(ctx, *ref, "withdraw", func(i *incident.Incident) error {
				i.Postmortem.Published = time.Time{}
				return nil
			})
		})
	}
}
