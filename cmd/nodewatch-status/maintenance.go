package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

const maintenanceHelp = "Planned work as customers see it."

// maintenanceCommands returns the commands for maintenance.
func (p program) maintenanceCommands() []command {
	return []command{p.maintenanceList, p.maintenanceCreate, p.maintenanceUpdate}
}

// maintenanceView is a maintenance in JSON.
type maintenanceView struct {
	Ref        string          `json:"ref"`
	Title      string          `json:"title"`
	Status     incident.Status `json:"status"`
	Impacting  bool            `json:"impacting"`
	Draft      bool            `json:"draft"`
	Starts     time.Time       `json:"starts"`
	Ends       time.Time       `json:"ends"`
	Node       string          `json:"node,omitempty"` // node that announced it
	Components []string        `json:"components"`
	Updates    []updateView    `json:"updates"`
	URL        string          `json:"url"`
}

func (o open) planned(m incident.Maintenance) maintenanceView {
	return maintenanceView{
		Ref: m.Ref, Title: m.Title, Status: m.Status, Impacting: m.Impacting, Draft: !m.Public(), Starts: m.Starts, Ends: m.Ends,
		Node:       m.Node,
		Components: append([]string{}, m.Components...), Updates: updateViews(m.Updates), URL: o.address("maintenance", m.Ref),
	}
}

func (p program) maintenanceList(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "maintenance", maintenanceHelp, "list", "List maintenance that is not over, or all.")
	file, output := configFlag(cmd), outputFlag(cmd)
	all := cmd.Flag("all", "Also list completed and cancelled ones.").Bool()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			views := []maintenanceView{}
			err := o.store.View(ctx, func(tx *store.Tx) error {
				list, err := tx.Maintenances(ctx, time.Time{})
				for _, m := range list {
					if *all || !m.Over() {
						views = append(views, o.planned(m))
					}
				}
				return err
			})
			if err != nil {
				return err
			}
			return p.print(*output, views, func(w io.Writer) error {
				if len(views) == 0 {
					_, err := fmt.Fprintln(w, "no maintenance")
					return err
				}
				t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
				fmt.Fprintln(t, "REF\tSTATUS\tFROM\tUNTIL\tCOMPONENTS\tTITLE")
				for _, v := range views {
					status := string(v.Status)
					if v.Draft {
						status += ", draft"
					}
					layout := "2006-01-02 15:04 MST"
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Ref, status, v.Starts.In(o.Config.Page.Zone).Format(layout),
						v.Ends.In(o.Config.Page.Zone).Format(layout), strings.Join(v.Components, " "), v.Title)
				}
				return t.Flush()
			})
		})
	}
}

func (p program) maintenanceCreate(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "maintenance", maintenanceHelp, "create", "Announce maintenance. It begins and ends automatically.")
	file, output := configFlag(cmd), outputFlag(cmd)
	title := cmd.Flag("title", "The planned work, in one line.").Required().String()
	from := cmd.Flag("from", "When it begins, such as \"2026-01-31 22:00\".").Required().String()
	until := cmd.Flag("until", "When it ends.").Required().String()
	components := cmd.Flag("component", "A component or group, may be repeated.").Required().Strings()
	noImpact := cmd.Flag("no-impact", "No downtime is expected: components keep their state, and all time counts for uptime.").Bool()
	draft := cmd.Flag("draft", "For operators only until it is published.").Bool()
	text := cmd.Arg("text", "The text for customers, Markdown; - reads it from the standard input.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			body, err := p.body(*text)
			starts, err2 := when("--from", *from, o.Config.Page.Zone)
			ends, err3 := when("--until", *until, o.Config.Page.Zone)
			if err := errors.Join(err, err2, err3); err != nil {
				return usage{err}
			}
			m, err := change(ctx, o, func(tx *store.Tx) (incident.Maintenance, error) {
				plan := desk.Plan{Title: *title, Impacting: !*noImpact, Starts: starts, Ends: ends, Components: *components}
				return o.ScheduleMaintenance(ctx, tx, plan, body, !*draft)
			})
			if err != nil {
				return err
			}
			return p.print(*output, o.planned(m), func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s %s\n", m.Ref, o.address("maintenance", m.Ref))
				return err
			})
		})
	}
}

func (p program) maintenanceUpdate(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "maintenance", maintenanceHelp, "update", "Add an update, move, publish, begin, complete or cancel maintenance.")
	file, output := configFlag(cmd), outputFlag(cmd)
	status := cmd.Flag("status", "in_progress begins it now, completed ends it now. Unset: not changed.").Enum(string(incident.InProgress),
		string(incident.Verifying), string(incident.Completed), string(incident.Cancelled))
	from := cmd.Flag("from", "Another begin, while it has not begun.").String()
	until := cmd.Flag("until", "Another end, while it is not over.").String()
	publish := cmd.Flag("publish", "Publish a draft.").Bool()
	ref := cmd.Arg("ref", "The maintenance, as list shows it.").Required().String()
	text := cmd.Arg("text", "The text, Markdown; - reads it from the standard input.").String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			body, err := p.body(*text)
			starts, err2 := o.optional("--from", *from)
			ends, err3 := o.optional("--until", *until)
			if *text == "" && *status == "" && *from == "" && *until == "" && !*publish {
				err = errors.New("update: nothing to change; give a text, --status, --from, --until or --publish")
			}
			if err := errors.Join(err, err2, err3); err != nil {
				return usage{err}
			}
			m, err := change(ctx, o, func(tx *store.Tx) (m incident.Maintenance, err error) {
				if m, err = o.maintenance(ctx, tx, *ref); err != nil {
					return m, err
				}
				v := desk.Version{Ref: *ref}
				if *from != "" || *until != "" {
					if m, err = o.EditMaintenance(ctx, tx, v, func(p desk.Plan) desk.Plan { return moved(p, starts, ends) }); err != nil {
						return m, err
					}
				}
				if *publish {
					if m, err = o.PublishMaintenance(ctx, tx, v); err != nil {
						return m, err
					}
				}
				if *status != "" || *text != "" {
					next := cmp.Or(incident.Status(*status), m.Status)
					m, err = o.UpdateMaintenance(ctx, tx, v, next, cmp.Or(body, said(next)))
				}
				return m, err
			})
			if err != nil {
				return err
			}
			return p.print(*output, o.planned(m), func(io.Writer) error { return nil })
		})
	}
}

// moved returns a plan with other times; zero: unchanged.
func moved(p desk.Plan, starts, ends time.Time) desk.Plan {
	if !starts.IsZero() {
		p.Starts = starts
	}
	if !ends.IsZero() {
		p.Ends = ends
	}
	return p
}

// said returns the default text of an update.
func said(s incident.Status) string {
	switch s {
	case incident.InProgress:
		return "The maintenance has begun."
	case incident.Verifying:
		return "The work is done. We are verifying it."
	case incident.Completed:
		return "The maintenance is completed."
	case incident.Cancelled:
		return "The maintenance is cancelled."
	}
	return ""
}
