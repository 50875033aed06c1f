package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/pkg/wish"
)

// maintenanceStart says that the node is being worked on.
func (p program) maintenanceStart(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := maintenance(app).Command("start", "The node is being worked on: nobody is paged, everything is recorded, status pages show maintenance. It ends by itself.")
	span := cmd.Flag("for", "How long, such as 2h or 90m.").PlaceHolder("2h").Required().Duration()
	reason, by, file := reasonFlag(cmd), byFlag(cmd), configFlag(cmd)
	return "maintenance start", func(ctx context.Context) int {
		now := time.Now().UTC().Truncate(time.Second)
		if *span <= 0 || *span > wish.MaxSpan {
			return p.fail(exitCritical, errors.New("--for must be from 1s to 8784h (a year)"))
		}
		m := &wish.Maintenance{Since: now, Until: now.Add(*span), By: *by, Reason: *reason}
		return p.change(ctx, *file, func(w wish.Wishes) (wish.Wishes, error) {
			w.Maintenance = m
			return w, nil
		})
	}
}

// maintenanceStop ends a maintenance early.
func (p program) maintenanceStop(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := maintenance(app).Command("stop", "The work is done.")
	file := configFlag(cmd)
	return "maintenance stop", func(ctx context.Context) int {
		return p.change(ctx, *file, func(w wish.Wishes) (wish.Wishes, error) {
			if w.Maintenance == nil {
				return w, errors.New("no maintenance is under way")
			}
			w.Maintenance = nil
			return w, nil
		})
	}
}

// maintenance is the parent of both; kingpin knows a command by its name.
func maintenance(app *kingpin.Application) *kingpin.CmdClause {
	if cmd := app.GetCommand("maintenance"); cmd != nil {
		return cmd
	}
	return app.Command("maintenance", "Say that this node is being worked on.")
}

// lastIncident is what ack takes in the place of a rule for the last incident.
const lastIncident = "incident"

// ackCommand acknowledges a finding until a date.
func (p program) ackCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("ack", "Acknowledge a finding until a date: it stays visible, marked with who and until when, and pages nobody.").Alias("accept")
	a := wish.Acceptance{}
	cmd.Arg("rule", "The finding's rule, as nodewatch rules lists them; or \"incident\" for the last incident, which is no longer shown then.").Required().StringVar(&a.Rule)
	cmd.Arg("subject", "What the finding is about, such as bond0; without it every subject of the rule.").StringVar(&a.Subject)
	until := cmd.Flag("until", "Until when: 2026-12-24 (the end of that day), \"2026-12-24 06:00\" (local time), or how long: 72h.").PlaceHolder("DATE").String()
	cmd.Flag("severity", "The highest severity to live with: what gets worse pages.").Default("warning").EnumVar(&a.Severity, "info", "warning", "critical")
	withdraw := cmd.Flag("withdraw", "No longer live with it.").Bool()
	reason := cmd.Flag("reason", "Why, for those who read it at night.").String()
	by, file := byFlag(cmd), configFlag(cmd)
	return "ack", func(ctx context.Context) int {
		c, err := commandConfig(*file)
		if err != nil {
			return p.fail(exitCritical, err)
		}
		if a.Rule == lastIncident {
			a.Rule, *until, *reason = judge.IncidentOver, cmp.Or(*until, "24h"), cmp.Or(*reason, "acknowledged")
		}
		if _, on := c.Rules.Rule(a.Rule); !on {
			return p.fail(exitCritical, fmt.Errorf("no rule %q in force; nodewatch rules lists them", a.Rule))
		}
		if *withdraw {
			return p.change(ctx, *file, withdrawn(a))
		}
		now := time.Now()
		a.At, a.By, a.Reason = now.UTC().Truncate(time.Second), *by, *reason
		if a.Until, err = end(*until, now); err != nil {
			return p.fail(exitCritical, err)
		}
		if a.Reason == "" {
			return p.fail(exitCritical, errors.New("--reason is needed: those who read it at night want to know why"))
		}
		return p.change(ctx, *file, func(w wish.Wishes) (wish.Wishes, error) {
			w, _ = withdrawn(a)(w)
			w.Accepted = append(w.Accepted, a)
			return w, nil
		})
	}
}

// withdrawn takes the acceptance of the same rule and subject away.
func withdrawn(a wish.Acceptance) func(wish.Wishes) (wish.Wishes, error) {
	return func(w wish.Wishes) (wish.Wishes, error) {
		var left []wish.Acceptance
		for _, x := range w.Accepted {
			if x.Rule != a.Rule || x.Subject != a.Subject {
				left = append(left, x)
			}
		}
		if len(left) == len(w.Accepted) {
			return w, fmt.Errorf("%s is not accepted; nodewatch wishes lists what is", strings.TrimSpace(a.Rule+" "+a.Subject))
		}
		w.Accepted = left
		return w, nil
	}
}

// wishesCommand lists what holds.
func (p program) wishesCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("wishes", "List the maintenance under way and the findings that are accepted.")
	file := configFlag(cmd)
	return "wishes", func(ctx context.Context) int {
		c, err := commandConfig(*file)
		if err != nil {
			return p.fail(exitCritical, err)
		}
		w, err := wish.Read(ctx, stateDirectory(c))
		if err != nil {
			return p.fail(exitCritical, err)
		}
		p.list(w.Without(time.Now()))
		return exitOK
	}
}

// change changes the wishes, leaves out those that are over, and shows what holds.
func (p program) change(ctx context.Context, file string, change func(wish.Wishes) (wish.Wishes, error)) int {
	c, err := commandConfig(file)
	if err != nil {
		return p.fail(exitCritical, err)
	}
	var now wish.Wishes
	if err := changeIn(ctx, c, func(w wish.Wishes) (wish.Wishes, error) {
		w, err := change(w.Without(time.Now()))
		now = w
		return w, err
	}); err != nil {
		return p.fail(exitCritical, err)
	}
	p.list(now)
	return exitOK
}

func changeIn(ctx context.Context, c config.Config, change func(wish.Wishes) (wish.Wishes, error)) error {
	dir := stateDirectory(c)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("state directory: %w; run this as root, or name another with state_directory", err)
	}
	return wish.Change(ctx, dir, change)
}

func (p program) list(w wish.Wishes) {
	if w.Maintenance == nil && len(w.Accepted) == 0 {
		fmt.Fprintln(p.out, "no maintenance, and nothing is accepted")
		return
	}
	if m := w.Maintenance; m != nil {
		fmt.Fprintf(p.out, "maintenance until %s by %s: %s\n", m.Until.Local().Format("2006-01-02 15:04:05 MST"), m.By, m.Reason)
	}
	for _, a := range w.Accepted {
		subject := a.Subject
		if subject == "" {
			subject = "(every subject)"
		}
		fmt.Fprintf(p.out, "accepted until %s by %s, up to %s: %s %s: %s\n", a.Until.Local().Format("2006-01-02 15:04:05 MST"), a.By, a.Severity, a.Rule, subject, a.Reason)
	}
}

// end is the time that --until names.
func end(text string, now time.Time) (time.Time, error) {
	var at time.Time
	if d, err := time.ParseDuration(text); err == nil {
		at = now.Add(d)
	} else if day, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		at = day.AddDate(0, 0, 1)
	} else if minute, err := time.ParseInLocation("2006-01-02 15:04", text, now.Location()); err == nil {
		at = minute
	} else if at, err = time.Parse(time.RFC3339, text); err != nil {
		return at, fmt.Errorf("--until %q is no date: 2026-12-24, \"2026-12-24 06:00\" or 72h", text)
	}
	if !at.After(now) || at.Sub(now) > wish.MaxSpan {
		return at, fmt.Errorf("--until %q must lie in the coming year", text)
	}
	return at.UTC().Truncate(time.Second), nil
}

func reasonFlag(cmd *kingpin.CmdClause) *string {
	return cmd.Flag("reason", "Why, for those who read it at night.").Required().String()
}

// byFlag is who wishes: whoever has become root with sudo, else the user.
func byFlag(cmd *kingpin.CmdClause) *string {
	who := os.Getenv("SUDO_USER")
	if who == "" {
		who = strconv.Itoa(os.Getuid())
		if u, err := user.Current(); err == nil {
			who = u.Username
		}
	}
	return cmd.Flag("by", "Who; by default the user, or whoever has become root with sudo.").PlaceHolder("NAME").Default(who).String()
}
