package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
)

const incidentHelp = "Incidents as customers see them."

// A command adds itself to the program, and returns the function that executes it.
type command = func(*kingpin.Application) (*kingpin.CmdClause, func(context.Context) int)

// incidentCommands returns the commands for incidents.
func (p program) incidentCommands() []command {
	return []command{p.incidentList, p.incidentShow, p.incidentCreate, p.incidentUpdate, p.incidentTake, p.incidentPublish, p.incidentEdit,
		p.incidentDiscard}
}

// incidentView is an incident in JSON.
type incidentView struct {
	Ref        string          `json:"ref"`
	Title      string          `json:"title"`
	Impact     report.Impact   `json:"impact"`
	Status     incident.Status `json:"status"`
	OpenedBy   string          `json:"opened_by,omitempty"` // GROUP/KIND for which it was opened automatically
	Owner      string          `json:"owner,omitempty"`
	Draft      bool            `json:"draft"`
	Started    time.Time       `json:"started"`
	Resolved   *time.Time      `json:"resolved,omitempty"`
	Components []affectedView  `json:"components"`
	AfterCare  string          `json:"after_care,omitempty"`
	Postmortem string          `json:"postmortem,omitempty"` // draft, published
	Updates    []updateView    `json:"updates"`
	URL        string          `json:"url"`
}

type affectedView struct {
	Component string        `json:"component"`
	Impact    report.Impact `json:"impact"`
}

type updateView struct {
	ID     int64           `json:"id"`
	Status incident.Status `json:"status"`
	Body   string          `json:"body"`
	At     time.Time       `json:"at"`
	Author string          `json:"author,omitempty"` // empty: written automatically
}

func (o open) view(i incident.Incident) incidentView {
	v := incidentView{
		Ref: i.Ref, Title: i.Title, Impact: i.Impact, Status: i.Status, OpenedBy: i.OpenedBy, Owner: i.Owner, Draft: !i.Public(),
		Started:    i.Started,
		Components: []affectedView{}, AfterCare: i.AfterCare, Updates: updateViews(i.Updates), URL: o.address("incidents", i.Ref),
	}
	if !i.Resolved.IsZero() {
		v.Resolved = &i.Resolved
	}
	switch {
	case !i.Postmortem.Published.IsZero():
		v.Postmortem = "published"
	case i.Postmortem.Body != "":
		v.Postmortem = "draft"
	}
	for _, a := range i.Components {
		v.Components = append(v.Components, affectedView{a.Component, a.Impact})
	}
	return v
}

func updateViews(list []incident.Update) []updateView {
	all := []updateView{}
	for _, u := range list {
		all = append(all, updateView{u.ID, u.Status, u.Body, u.At, u.Author})
	}
	return all
}

func (p program) incidentList(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "incident", incidentHelp, "list", "List incidents: those that are open or a draft, or all.")
	file, output := configFlag(cmd), outputFlag(cmd)
	all := cmd.Flag("all", "Also list resolved ones.").Bool()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			views := []incidentView{}
			err := o.store.View(ctx, func(tx *store.Tx) error {
				list, err := tx.Incidents(ctx, time.Time{})
				for _, i := range list {
					if *all || i.Open() || !i.Public() {
						views = append(views, o.view(i))
					}
				}
				return err
			})
			if err != nil {
				return err
			}
			return p.print(*output, views, func(w io.Writer) error {
				if len(views) == 0 {
					_, err := fmt.Fprintln(w, "no incidents")
					return err
				}
				t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
				fmt.Fprintln(t, "REF\tSTATUS\tIMPACT\tSTARTED\tOWNER\tTITLE")
				for _, v := range views {
					status := string(v.Status)
					if v.Draft {
						status += ", draft"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Ref, status, v.Impact,
						v.Started.In(o.Config.Page.Zone).Format("2006-01-02 15:04 MST"), v.Owner, v.Title)
				}
				return t.Flush()
			})
		})
	}
}

func (p program) incidentShow(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "incident", incidentHelp, "show", "Show an incident with its updates.")
	file, output := configFlag(cmd), outputFlag(cmd)
	ref := cmd.Arg("ref", "The incident, as list shows it.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			i, err := o.find(ctx, *ref)
			if err != nil {
				return err
			}
			return p.print(*output, o.view(i), func(w io.Writer) error { return o.show(w, i) })
		})
	}
}

// find returns the incident with a Ref.
func (o open) find(ctx context.Context, ref string) (i incident.Incident, err error) {
	err = o.store.View(ctx, func(tx *store.Tx) (err error) {
		i, err = o.incident(ctx, tx, ref)
		return err
	})
	return i, err
}

func (o open) show(w io.Writer, i incident.Incident) error {
	v := o.view(i)
	fmt.Fprintf(w, "%s\n%s, %s", v.Title, v.Status, v.Impact)
	if v.Draft {
		fmt.Fprint(w, ", draft")
	}
	zone := o.Config.Page.Zone
	fmt.Fprintf(w, ", since %s\n", v.Started.In(zone).Format("2006-01-02 15:04 MST"))
	for _, x := range []struct{ what, text string }{{"components", joined(i.Components)}, {"opened for", v.OpenedBy},
		{"taken over by", v.Owner}, {"post-mortem", v.Postmortem}, {"after-care", v.AfterCare}, {"address", v.URL}} {
		if x.text != "" {
			fmt.Fprintf(w, "%s: %s\n", x.what, x.text)
		}
	}
	return showUpdates(w, i.Updates, zone)
}

func showUpdates(w io.Writer, list []incident.Update, zone *time.Location) (err error) {
	for _, u := range list {
		by := u.Author
		if by == "" {
			by = "automatic"
		}
		_, err = fmt.Fprintf(w, "\n%s  %s  #%d  %s\n%s\n", u.At.In(zone).Format("2006-01-02 15:04:05 MST"), u.Status, u.ID, by, u.Body)
	}
	return err
}

func (p program) incidentCreate(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "incident", incidentHelp, "create", "Open an incident and publish it.")
	file, output := configFlag(cmd), outputFlag(cmd)
	title := cmd.Flag("title", "The problem, in one line.").Required().String()
	status := cmd.Flag("status", "investigating, identified, monitoring or resolved.").Default("investigating").Enum(statuses(incident.Statuses())...)
	components := cmd.Flag("component",
		"ID=IMPACT, may be repeated: the component or all of a group is operational, degraded, partial or major while the incident is open, regardless of measurements.").Strings()
	started := cmd.Flag("started", "Start of the incident, such as \"2026-01-31 22:00\". Unset: now.").String()
	draft := cmd.Flag("draft", "For operators only until it is published.").Bool()
	care := cmd.Flag("after-care", "Instructions for customers after the incident, Markdown.").String()
	text := cmd.Arg("text", "The first update, Markdown; - reads it from the standard input.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			body, err := p.body(*text)
			list, err2 := affected(*components)
			at, err3 := o.optional("--started", *started)
			if err := errors.Join(err, err2, err3); err != nil {
				return usage{err}
			}
			i, err := change(ctx, o, func(tx *store.Tx) (incident.Incident, error) {
				post := desk.Post{Status: incident.Status(*status), Body: body, Affected: list, At: at}
				return o.OpenIncident(ctx, tx, desk.NewIncident{Title: *title, AfterCare: *care, Publish: !*draft, Post: post})
			})
			if err != nil {
				return err
			}
			return p.print(*output, o.view(i), func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s %s\n", i.Ref, o.address("incidents", i.Ref))
				return err
			})
		})
	}
}

func (p program) incidentUpdate(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "incident", incidentHelp, "update",
		"Add an update. This takes the incident over: it is no longer updated automatically.")
	file, output := configFlag(cmd), outputFlag(cmd)
	status := cmd.Flag("status", "investigating, identified, monitoring or resolved. Unset: not changed.").Enum(statuses(incident.Statuses())...)
	components := cmd.Flag("component", "ID=IMPACT, may be repeated, as with create.").Strings()
	at := cmd.Flag("at", "Time of the update, such as \"2026-01-31 22:00\". Unset: now.").String()
	ref := cmd.Arg("ref", "The incident, as list shows it.").Required().String()
	text := cmd.Arg("text", "The text, Markdown; - reads it from the standard input.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			body, err := p.body(*text)
			list, err2 := affected(*components)
			moment, err3 := o.optional("--at", *at)
			if err := errors.Join(err, err2, err3); err != nil {
				return usage{err}
			}
			i, err := change(ctx, o, func(tx *store.Tx) (incident.Incident, error) {
				i, err := o.incident(ctx, tx, *ref)
				if err != nil {
					return i, err
				}
				post := desk.Post{Status: cmp.Or(incident.Status(*status), i.Status), Body: body, Affected: list, At: moment}
				return o.UpdateIncident(ctx, tx, desk.Version{Ref: *ref}, post)
			})
			if err != nil {
				return err
			}
			return p.print(*output, o.view(i), func(io.Writer) error { return nil })
		})
	}
}

// A doing is an operator's change of an incident.
type doing = func(open, context.Context, *store.Tx, desk.Version) (incident.Incident, error)

// simple returns a command for an incident that needs only its name.
func (p program) simple(app *kingpin.Application, of, help, name, nameHelp string, do doing) (*kingpin.CmdClause,
	func(context.Context) int) {
	cmd := subcommand(app, of, help, name, nameHelp)
	file := configFlag(cmd)
	ref := cmd.Arg("ref", "The incident, as incident list shows it.").Required().String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			_, err := change(ctx, o, func(tx *store.Tx) (incident.Incident, error) {
				if i, err := o.incident(ctx, tx, *ref); err != nil {
					return i, err
				}
				return do(o, ctx, tx, desk.Version{Ref: *ref})
			})
			return err
		})
	}
}

func (p program) incidentTake(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	return p.simple(app, "incident", incidentHelp, "take", "Take an incident over: it is no longer updated automatically.", open.TakeOver)
}

func (p program) incidentPublish(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	return p.simple(app, "incident", incidentHelp, "publish", "Publish a draft.", open.PublishIncident)
}

func (p program) incidentDiscard(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	return p.simple(app, "incident", incidentHelp, "discard", "Delete a draft.",
		func(o open, ctx context.Context, tx *store.Tx, v desk.Version) (incident.Incident, error) {
			return incident.Incident{}, o.DeleteIncident(ctx, tx, v)
		})
}

func (p program) incidentEdit(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := subcommand(app, "incident", incidentHelp, "edit", "Correct the texts of an incident. This takes it over.")
	file := configFlag(cmd)
	ref := cmd.Arg("ref", "The incident, as list shows it.").Required().String()
	title := cmd.Flag("title", "The problem, in one line.").String()
	care := cmd.Flag("after-care", "Instructions for customers after the incident, Markdown.").String()
	update := cmd.Flag("update", "The number of an update, as show prints it, to give another text.").Int64()
	text := cmd.Arg("text", "The text of the update, Markdown; - reads it from the standard input.").String()
	return cmd, func(ctx context.Context) int {
		return p.within(ctx, *file, func(o open) error {
			body, err := p.body(*text)
			if (*update != 0) != (body != "") {
				err = errors.Join(err, errors.New("edit: --update and the text of the update go together"))
			}
			if *update == 0 && *title == "" && *care == "" {
				err = errors.Join(err, errors.New("edit: nothing to change; give --title, --after-care or --update"))
			}
			if err != nil {
				return usage{err}
			}
			e := desk.Edit{}
			if *title != "" {
				e.Title = title
			}
			if *care != "" {
				e.AfterCare = care
			}
			if *update != 0 {
				e.Updates = map[int64]string{*update: body}
			}
			_, err = change(ctx, o, func(tx *store.Tx) (incident.Incident, error) {
				if i, err := o.incident(ctx, tx, *ref); err != nil {
					return i, err
				}
				return o.EditIncident(ctx, tx, desk.Version{Ref: *ref}, e)
			})
			return err
		})
	}
}
