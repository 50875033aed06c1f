package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	prom "github.com/prometheus/common/model"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/internal/page"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The time limits for querying the daemon and for waiting until the daemon has
// applied an override; the daemon reads the file every two seconds.
const (
	askWhileChanging = 5 * time.Second
	takenUpWithin    = 8 * time.Second
)

// An overrider is a command that overrides something.
type overrider struct {
	*client
	conf config.Config
}

// overrider adds the flags of an override command.
func (p program) overrider(cmd *kingpin.CmdClause) *overrider {
	none := ""
	return &overrider{client: &client{program: p, file: configFlag(cmd), url: &none, ca: &none}}
}

// maintenanceStart starts a maintenance of the node.
func (p program) maintenanceStart(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := maintenance(app).Command("start",
		"Start a maintenance of this node: findings do not page but are recorded, and status pages show maintenance. It ends automatically.")
	length := cmd.Flag("for", "Duration, such as 2h, 90m or 1d.").PlaceHolder("2h").Required().String()
	reason, by, o := reasonFlag(cmd), byFlag(cmd), p.overrider(cmd)
	return "maintenance start", func(ctx context.Context) int {
		now := time.Now().UTC().Truncate(time.Second)
		span, err := duration(*length)
		if err != nil || span < time.Second || span > override.MaxSpan {
			return p.fail(exitCritical, fmt.Errorf("--for %q must be a duration from 1s to 366d, such as 2h or 1d", *length))
		}
		m := &override.Maintenance{Since: now, Until: now.Add(span), By: *by, Reason: *reason}
		var old *override.Maintenance
		if err := o.change(ctx, func(w override.Overrides) (override.Overrides, error) {
			old, w.Maintenance = w.Maintenance, m
			return w, nil
		}); err != nil {
			return p.fail(exitCritical, err)
		}
		o.say("Maintenance until %s by %s: %s.", localTime(m.Until), m.By, m.Reason)
		if old != nil {
			o.say("It replaces the maintenance until %s by %s: %s.", localTime(old.Until), old.By, old.Reason)
		}
		o.say("This node does not page. The maintenance ends automatically, or with: nodewatch maintenance stop")
		return o.takenUp(ctx, func(l page.SilenceList) bool { return l.Maintenance != nil && l.Maintenance.Until.Equal(m.Until) })
	}
}

// maintenanceStop ends a maintenance early.
func (p program) maintenanceStop(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := maintenance(app).Command("stop", "End the maintenance early.")
	o := p.overrider(cmd)
	return "maintenance stop", func(ctx context.Context) int {
		var old override.Maintenance
		if err := o.change(ctx, func(w override.Overrides) (override.Overrides, error) {
			if w.Maintenance == nil {
				return w, errors.New("no maintenance is in progress")
			}
			old, w.Maintenance = *w.Maintenance, nil
			return w, nil
		}); err != nil {
			return p.fail(exitCritical, err)
		}
		o.say("Ended the maintenance until %s by %s: %s.", localTime(old.Until), old.By, old.Reason)
		o.say("Findings page again.")
		return o.takenUp(ctx, func(l page.SilenceList) bool { return l.Maintenance == nil })
	}
}

// maintenance returns the parent of both commands; kingpin identifies a command by
// its name.
func maintenance(app *kingpin.Application) *kingpin.CmdClause {
	if cmd := app.GetCommand("maintenance"); cmd != nil {
		return cmd
	}
	return app.Command("maintenance", "Start or end a maintenance of this node.")
}

// lastIncident is the argument of ack that selects the last incident.
const lastIncident = "incident"

// An acknowledger acknowledges findings.
type acknowledger struct {
	*overrider
	a        override.Acknowledgement
	until    string
	withdraw bool
	ahead    bool
}

// ackCommand acknowledges a finding until a date.
func (p program) ackCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("ack", "Acknowledge a finding until a date: it stays visible, with the operator and the date, but does not page.").Alias("accept")
	k := &acknowledger{overrider: p.overrider(cmd)}
	cmd.Arg("rule", "The finding's rule, as nodewatch rules lists them; or \"incident\" for the last incident, which is then no longer shown.").Required().StringVar(&k.a.Rule)
	cmd.Arg("subject", "The finding's subject, such as bond0; default: every subject of the rule.").StringVar(&k.a.Subject)
	cmd.Flag("until", "End: 2026-12-24 (the end of that day), \"2026-12-24 06:00\" (local time), or a duration: 72h, 3d.").PlaceHolder("DATE").StringVar(&k.until)
	cmd.Flag("severity", "The highest severity to acknowledge; a higher one still pages.").Default("warning").EnumVar(&k.a.Severity, "info",
		"warning", "critical")
	cmd.Flag("ahead", "Acknowledge a finding that is not raised yet.").BoolVar(&k.ahead)
	cmd.Flag("withdraw", "No longer acknowledge it.").BoolVar(&k.withdraw)
	cmd.Flag("reason", "The reason, for the on-call engineer.").StringVar(&k.a.Reason)
	by := byFlag(cmd)
	return "ack", func(ctx context.Context) int {
		k.a.By = *by
		return k.run(ctx)
	}
}

func (k *acknowledger) run(ctx context.Context) int {
	conf, err := commandConfig(*k.file)
	if err != nil {
		return k.fail(exitCritical, err)
	}
	incident := k.a.Rule == lastIncident
	if incident {
		k.a.Rule, k.until, k.a.Reason = judge.IncidentOver, cmp.Or(k.until, "24h"), cmp.Or(k.a.Reason, "acknowledged")
	}
	if _, on := conf.Rules.Rule(k.a.Rule); !on {
		return k.fail(exitCritical, noRule(k.a.Rule))
	}
	if k.withdraw {
		return k.takeBack(ctx)
	}
	now := time.Now()
	k.a.At = now.UTC().Truncate(time.Second)
	if k.a.Until, err = end(k.until, now); err != nil {
		return k.fail(exitCritical, err)
	}
	if k.a.Reason == "" {
		return k.fail(exitCritical, errors.New("--reason is required: the on-call engineer needs to know why"))
	}
	asking, cancel := context.WithTimeout(ctx, askWhileChanging)
	defer cancel()
	var r report.Report
	asked := k.ask(asking, conf, "/api/v1/report", &r)
	if asked == nil {
		if err := k.refuses(r, incident); err != nil {
			return k.fail(exitCritical, err)
		}
	}
	if err := k.change(ctx, func(w override.Overrides) (override.Overrides, error) {
		w, _ = without(w, k.a)
		w.Accepted = append(w.Accepted, k.a)
		return w, nil
	}); err != nil {
		return k.fail(exitCritical, err)
	}
	k.say("Acknowledged %s up to severity %s until %s by %s: %s.", k.what(), k.a.Severity, localTime(k.a.Until), k.a.By, k.a.Reason)
	if asked != nil {
		k.say("%s It was not checked whether the finding is raised.", notLive(asked))
		return exitOK
	}
	k.sayEffect(r)
	return k.takenUp(ctx, func(l page.SilenceList) bool {
		return slices.ContainsFunc(l.Acknowledged, func(x page.ListAcknowledged) bool {
			return x.Rule == k.a.Rule && x.Subject == k.a.Subject && x.Until.Equal(k.a.Until)
		})
	})
}

// what describes the acknowledged object, for people.
func (k *acknowledger) what() string {
	if k.a.Subject == "" {
		return k.a.Rule + " (every subject)"
	}
	return k.a.Rule + " on " + k.a.Subject
}

// refuses returns why the finding in the daemon's report cannot be acknowledged; nil:
// it can.
func (k *acknowledger) refuses(r report.Report, incident bool) error {
	switch {
	case incident && r.Incident == nil:
		return errors.New("there is no incident to acknowledge")
	case incident && r.Incident.End.IsZero():
		return errors.New("the incident is still in progress; acknowledge it once it is over")
	case k.a.Subject == "" || k.ahead:
		return nil
	}
	var subjects []string
	for _, f := range k.raised(r) {
		if f.Subject == k.a.Subject {
			return nil
		}
		if f.Subject != "" {
			subjects = append(subjects, f.Subject)
		}
	}
	where := "it is not raised"
	if len(subjects) > 0 {
		where = "it is raised on " + strings.Join(subjects, ", ")
	}
	return fmt.Errorf("%s is not raised on %q; %s. Use --ahead to acknowledge it before it is raised", k.a.Rule, k.a.Subject, where)
}

// raised returns the raised findings of the rule.
func (k *acknowledger) raised(r report.Report) []report.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f report.Finding) bool { return f.Rule != k.a.Rule })
}

// sayEffect prints which raised findings are silenced, and which are too severe for
// that.
func (k *acknowledger) sayEffect(r report.Report) {
	n := 0
	for _, f := range k.raised(r) {
		if k.a.Subject != "" && f.Subject != k.a.Subject {
			continue
		}
		n++
		if f.Severity.Rank() > report.Severity(k.a.Severity).Rank() {
			k.say("%s is %s and still pages: use --severity %s to acknowledge that severity.", strings.TrimSpace(f.Rule+" "+f.Subject),
				f.Severity, f.Severity)
			continue
		}
		k.say("No longer pages: %s %s", f.Severity, f.Summary)
	}
	if n == 0 {
		k.say("It is not raised now.")
	}
}

// takeBack withdraws an acknowledgement.
func (k *acknowledger) takeBack(ctx context.Context) int {
	if err := k.change(ctx, func(w override.Overrides) (override.Overrides, error) { return without(w, k.a) }); err != nil {
		return k.fail(exitCritical, err)
	}
	k.say("No longer acknowledged: %s. It pages again.", k.what())
	return k.takenUp(ctx, func(l page.SilenceList) bool {
		return !slices.ContainsFunc(l.Acknowledged, func(x page.ListAcknowledged) bool {
			return x.Rule == k.a.Rule &&
				x.Subject == k.a.Subject
		})
	})
}

// without removes the acknowledgement of the same rule and subject.
func without(w override.Overrides, a override.Acknowledgement) (override.Overrides, error) {
	left := slices.DeleteFunc(slices.Clone(w.Accepted), func(x override.Acknowledgement) bool {
		return x.Rule == a.Rule &&
			x.Subject == a.Subject
	})
	if len(left) == len(w.Accepted) {
		return w, fmt.Errorf("%s is not acknowledged; nodewatch silences lists what is acknowledged",
			strings.TrimSpace(a.Rule+" "+a.Subject))
	}
	w.Accepted = left
	return w, nil
}

// say prints a line, wrapped to the terminal.
func (o *overrider) say(format string, args ...any) {
	fmt.Fprint(o.out, page.Paragraph(fmt.Sprintf(format, args...), o.style(nil)))
}

// change changes the overrides, and removes expired ones.
func (o *overrider) change(ctx context.Context, change func(override.Overrides) (override.Overrides, error)) error {
	var err error
	if o.conf, err = commandConfig(*o.file); err != nil {
		return err
	}
	dir := stateDirectory(o.conf)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("state directory: %w; run this as root, or set another with state_directory", err)
	}
	return override.Change(ctx, dir, func(w override.Overrides) (override.Overrides, error) {
		return change(w.Without(time.Now()))
	})
}

// takenUp waits until the daemon has applied the change, and reports if it has not.
// Without a daemon it does not wait.
func (o *overrider) takenUp(ctx context.Context, done func(page.SilenceList) bool) int {
	ctx, cancel := context.WithTimeout(ctx, takenUpWithin)
	defer cancel()
	for {
		var l page.SilenceList
		err := o.ask(ctx, o.conf, "/api/v1/silences", &l)
		switch {
		case errors.Is(err, errNoDaemon):
			o.say("%s The daemon applies this when it starts.", noDaemon)
			return exitOK
		case err == nil && done(l):
			o.say("The daemon has applied it.")
			return exitOK
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return o.fail(exitWarning, fmt.Errorf("%s has been changed, but the daemon did not apply it within %s; see nodewatch sources overrides", stateDirectory(o.conf), takenUpWithin))
		}
	}
}

// localTime formats a time for an operator at a terminal.
func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// duration parses a duration in Prometheus' form, such as 1d or 2h30m, or in Go's.
func duration(text string) (time.Duration, error) {
	if d, err := prom.ParseDuration(text); err == nil {
		return time.Duration(d), nil
	}
	return time.ParseDuration(text)
}

// end parses the time in --until.
func end(text string, now time.Time) (time.Time, error) {
	var at time.Time
	if d, err := duration(text); err == nil {
		at = now.Add(d)
	} else if day, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		at = day.AddDate(0, 0, 1)
	} else if minute, err := time.ParseInLocation("2006-01-02 15:04", text, now.Location()); err == nil {
		at = minute
	} else if at, err = time.Parse(time.RFC3339, text); err != nil {
		return at, fmt.Errorf("--until %q is not a date or duration: 2026-12-24, \"2026-12-24 06:00\", 72h or 3d", text)
	}
	switch {
	case !at.After(now):
		return at, fmt.Errorf("--until %q is in the past", text)
	case at.Sub(now) > override.MaxSpan:
		return at, fmt.Errorf("--until %q is more than a year ahead", text)
	}
	return at.UTC().Truncate(time.Second), nil
}

func reasonFlag(cmd *kingpin.CmdClause) *string {
	return cmd.Flag("reason", "The reason, for the on-call engineer.").Required().String()
}

// byFlag adds the flag for the author of an override. The default is the user who ran
// sudo, or else the current user.
func byFlag(cmd *kingpin.CmdClause) *string {
	who := os.Getenv("SUDO_USER")
	if who == "" {
		who = strconv.Itoa(os.Getuid())
		if u, err := user.Current(); err == nil {
			who = u.Username
		}
	}
	return cmd.Flag("by", "The operator's name; default: the user, or the user who ran sudo.").PlaceHolder("NAME").Default(who).String()
}
