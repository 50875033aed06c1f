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

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

const maintenanceHelp = "Planned work as customers see it."

// maintenanceCommands are the commands of maintenance.
func (p program) maintenanceCommands() []command {
	return []command{p.maintenanceList, p.maintenanceCreate, p.maintenanceUpdate}
}

// maintenanceView is a maintenance for programs.
type maintenanceView struct {
	Ref        string          `json:"ref"`
	Title      string          `json:"title"`
	Status     incident.Status `json:"status"`
	Impacting  bool            `json:"impacting"`
	Draft      bool            `json:"draft"`
	Starts     time.Time       `json:"starts"`
	Ends       time.Time       `json:"ends"`
	Node       string          `json:"node,omitempty"` // that announced it
	Components []string        `json:"components"`
	Updates    []updateView    `json:"updates"`
	URL        string          `json:"url"`
}

func (o open) planned(m incident.Maintenance) maintenanceView {
	return maintenanceView{
		Ref: m.Ref, Title: m.Title, Status: m.Status, Impacting: m.Impacting, Draft: !m.Public(), Starts: m.Starts, Ends: m.Ends, Node: m.Node,
		Components: append([]string{}, m.Components...), Updates: updateViews(m.Updates), URL: o.address("maintenance", m.Ref),
	}
}

func (p program) maintenanceList(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "maintenance", maintenanceHelp, "list", "List maintenance that is not over, or all.")
	file, output := configFlag(cmd), outputFlag(cmd)
	all := cmd.Flag("all", "Also what is completed or cancelled.").Bool()
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
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Ref, status, v.Starts.In(o.config.Page.Zone).Format(layout), v.Ends.In(o.config.Page.Zone).Format(layout), strings.Join(v.Components, " "), v.Title)
				}
				return t.Flush()
			})
		})
	}
}

func (p program) maintenanceCreate(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "maintenance", maintenanceHelp, "create", "Announce maintenance. It begins and ends by itself.")
	file, output := configFlag(cmd), outputFlag(cmd)
	title := cmd.Flag("title", "What is done, in a line.").Required().String()
	from := cmd.Flag("from", "When it begins, such as \"2026-01-31 22:00\".").Required().String()
	until := cmd.Flag("until", "When it ends.").Required().String()
	components := cmd.Flag("component", "A component or group, may be repeated.").Required().Strings()
	noImpact := cmd.Flag("no-impact", "No downtime is expected: components stay as they are, and all time counts for uptime.").Bool()
	draft := cmd.Flag("draft", "For operators only until it is published.").Bool()
	text := cmd.Arg("text", "What customers should know, Markdown; - reads it from the standard input.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			body, err := p.body(*text)
			starts, err2 := when("--from", *from, o.config.Page.Zone)
			ends, err3 := when("--until", *until, o.config.Page.Zone)
			wrong := []error{err, err2, err3, short("--title", *title, maxTitle)}
			if err2 == nil && err3 == nil && !starts.Before(ends) {
				wrong = append(wrong, errors.New("--until must be after --from"))
			}
			if err2 == nil && err3 == nil && ends.Before(o.now) {
				wrong = append(wrong, errors.New("--until must not be in the past"))
			}
			for _, id := range *components {
				if len(members(o.config, id)) == 0 {
					wrong = append(wrong, fmt.Errorf("--component %q: the configuration has no component or group of this id", id))
				}
			}
			if err := errors.Join(wrong...); err != nil {
				return usage{err}
			}
			m, err := o.maintenance(ctx, "", o.by("maintenance.create", *title), func(m *incident.Maintenance) error {
				*m = incident.Maintenance{Ref: incident.Ref(o.now, *title), Title: *title, Impacting: !*noImpact, Starts: starts, Ends: ends, Created: o.now, Components: *components}
				if !*draft {
					m.Published = o.now
				}
				m.Post(incident.Update{Status: incident.Scheduled, Body: body, At: o.now, Created: o.now, Author: caller()})
				return nil
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
	status := cmd.Flag("status", "in_progress begins it now, completed ends it now. Unset: as it is.").Enum(string(incident.InProgress), string(incident.Verifying), string(incident.Completed), string(incident.Cancelled))
	from := cmd.Flag("from", "Another begin, while it has not begun.").String()
	until := cmd.Flag("until", "Another end, while it is not over.").String()
	publish := cmd.Flag("publish", "Publish a draft.").Bool()
	ref := cmd.Arg("ref", "The maintenance, as list shows it.").Required().String()
	text := cmd.Arg("text", "What to say, Markdown; - reads it from the standard input.").String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			body, err := p.body(*text)
			if err != nil {
				return usage{err}
			}
			m, err := o.maintenance(ctx, *ref, o.by("maintenance.update", *status), func(m *incident.Maintenance) error {
				if m.Over() {
					return usage{fmt.Errorf("maintenance %s is %s", m.Ref, m.Status)}
				}
				if err := o.move(m, *from, *until); err != nil {
					return usage{err}
				}
				if *publish && !m.Public() {
					m.Published = o.now
				}
				m.Updated = o.now
				u := incident.Update{Status: m.Status, Body: body, At: o.now, Created: o.now, Author: caller()}
				if *status != "" {
					u.Status = incident.Status(*status)
				}
				if u.Body == "" {
					u.Body = map[incident.Status]string{incident.InProgress: "The maintenance has begun.", incident.Completed: "The maintenance is completed.", incident.Cancelled: "The maintenance is cancelled.", incident.Verifying: "The work is done. We are verifying it."}[u.Status]
				}
				if *status != "" || body != "" {
					m.Post(u)
				} else if *from == "" && *until == "" && !*publish {
					return usage{errors.New("update: nothing to change; give a text, --status, --from, --until or --publish")}
				}
				return nil
			})
			if err != nil {
				return err
			}
			return p.print(*output, o.planned(m), func(io.Writer) error { return nil })
		})
	}
}

// move gives a maintenance other times.
func (o open) move(m *incident.Maintenance, from, until string) (err error) {
	if from != "" {
		if !m.Began.IsZero() {
			return fmt.Errorf("maintenance %s has begun: --from cannot be changed", m.Ref)
		}
		if m.Starts, err = when("--from", from, o.config.Page.Zone); err != nil {
			return err
		}
	}
	if until != "" {
		if m.Ends, err = when("--until", until, o.config.Page.Zone); err != nil {
			return err
		}
	}
	if !m.Starts.Before(m.Ends) {
		return errors.New("the maintenance must end after it begins")
	}
	return nil
}
