package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kingpin/v2"

	example "github.com/nodewatch/nodewatch/deploy/status"
	"github.com/nodewatch/nodewatch/internal/status/admin"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// A demo is a hub with a simulated fleet.
type demo struct {
	program
	host  *string
	port  *uint16
	speed *float64
	skip  *time.Duration
	quit  *bool

	dir    string // directory of all its files
	config config.Config
	store  *store.Store // a second connection to the hub's database
	began  time.Time
}

func (p program) demoCommand(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := app.Command("demo", "Show a fleet of 60 components with 90 days of history, and replay an incident of one node. Prints how to sign in to the operators' page, where the incident can be edited and published. All data is in a temporary directory that is removed at the end.")
	d := &demo{program: p}
	d.host = cmd.Flag("host", "Address to serve on.").Default("127.0.0.1").String()
	d.port = cmd.Flag("port", "Port of the public page; the operators' pages and the intake use the next two. 0: any free ports.").Default("10091").Uint16()
	d.speed = cmd.Flag("speed", "Speed of the replay, 1 to 100; the incident took 26 minutes.").Default("30").Float64()
	d.skip = cmd.Flag("skip", "Skip this much of the incident; the storm is from 5m42s to 17m.").Default("0s").Duration()
	d.quit = cmd.Flag("exit", "Exit once the incident is resolved, instead of at Ctrl-C.").Bool()
	return cmd, d.run
}

func (d *demo) run(ctx context.Context) int {
	if *d.speed < 1 || *d.speed > 100 {
		return d.fail(exitUsage, errors.New("demo: --speed must be 1 to 100"))
	}
	if *d.skip < 0 || *d.skip > time.Hour {
		return d.fail(exitUsage, errors.New("demo: --skip must be 0s to 1h"))
	}
	dir, err := os.MkdirTemp("", "nodewatch-status-demo-")
	if err != nil {
		return d.fail(exitFailure, err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // remaining files are in the directory for temporary files
	d.dir = dir
	if err := d.plays(ctx); err != nil && ctx.Err() == nil {
		return d.fail(exitFailure, err)
	}
	return exitOK
}

// configure sets the example's configuration with the demo's addresses and database.
// The times of the incident policy are divided by the demo's speed.
func (d *demo) configure() error {
	c, err := config.Parse("example.yml", example.Configuration)
	if err != nil {
		return err
	}
	address := func(n uint16) []string {
		port := *d.port
		if port != 0 {
			port += n
		}
		return []string{net.JoinHostPort(*d.host, strconv.Itoa(int(port)))}
	}
	c.Public.Listen, c.Operators.Listen, c.Intake.Listen = address(0), address(1), address(2)
	c.Intake.Rate = 50 // simulated time runs faster
	for _, span := range []*time.Duration{&c.Incidents.After, &c.Incidents.CloseAfter, &c.Incidents.ReopenWithin} {
		*span = time.Duration(float64(*span) / *d.speed)
	}
	c.Database = config.Database{Address: config.Address{Path: filepath.Join(d.dir, "status.db"), NoSync: true}}
	d.config = c
	return nil
}

// plays runs the hub, the fleet and the incident.
func (d *demo) plays(ctx context.Context) (err error) {
	if err := d.configure(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()

	said, hubOut := io.Pipe()
	ended := make(chan error, 1)
	running.Go(func() {
		log := slog.New(slog.NewTextHandler(d.err, &slog.HandlerOptions{Level: slog.LevelError}))
		err := run(ctx, filepath.Join(d.dir, "example.yml"), d.config, log, hubOut)
		_ = hubOut.Close() // never fails
		ended <- err
	})
	intake := ""
	for lines := bufio.NewScanner(said); intake == "" && lines.Scan(); {
		fmt.Fprintln(d.out, lines.Text())
		if address, is := strings.CutPrefix(lines.Text(), "reports: "); is {
			intake = address
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }() // until the hub ends
	if intake == "" {
		return <-ended
	}
	if d.store, err = store.Open(ctx, d.config.Database.Address); err != nil {
		return err
	}
	defer func() { _ = d.store.Close() }() // the data is discarded
	d.began = time.Now()
	if err := d.operator(ctx); err != nil {
		return err
	}
	nodes, err := d.fleet(ctx, intake)
	if err != nil {
		return err
	}
	if err := d.history(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "%d nodes report, with 90 days of history. Next, Node 2 of RL1, the only one with krbd on a layer2 bond: its storage NIC saturates.\n", len(nodes))
	for _, n := range nodes {
		running.Go(func() { n.report(ctx) })
	}
	played := make(chan error, 1)
	running.Go(func() { played <- d.narrate(ctx) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case err := <-played:
			if err != nil || *d.quit {
				return err
			}
			fmt.Fprintln(d.out, "The pages stay up until you press Ctrl-C.")
		}
	}
}

// demoOperator is the name of the demo's only operator.
const demoOperator = "demo"

// operator adds an operator with all rights and prints the password: visitors may try
// the operators' pages, but others who reach the address must not write there.
func (d *demo) operator(ctx context.Context) error {
	password := rand.Text()
	hash, err := admin.HashPassword(password)
	if err != nil {
		return err
	}
	err = d.store.Update(ctx, func(tx *store.Tx) error {
		return tx.AddOperator(ctx, store.Operator{Name: demoOperator, Role: store.Admin, Password: hash, Created: d.began})
	})
	if err == nil {
		_, err = fmt.Fprintf(d.out, "Sign in to the operators' page as %s with the password %s\n", demoOperator, password)
	}
	return err
}

// narrate prints each update of the incidents that the demo causes until the incident
// is resolved, and creates the draft of its post-mortem.
func (d *demo) narrate(ctx context.Context) error {
	sequence := map[int64]int{}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		list, err := d.incidents(ctx)
		if err != nil {
			return err
		}
		open, resolved := 0, []incident.Incident{}
		for _, i := range list {
			for _, u := range i.Updates[min(sequence[i.ID], len(i.Updates)):] {
				fmt.Fprintf(d.out, "%s  %s  %s: %s\n", u.At.Format(time.TimeOnly), u.Status, i.Title,
					strings.Join(strings.Fields(u.Body), " "))
			}
			sequence[i.ID] = len(i.Updates)
			if i.Open() {
				open++
			} else {
				resolved = append(resolved, i)
			}
		}
		if open == 0 && len(resolved) > 0 {
			return d.draft(ctx, resolved[len(resolved)-1])
		}
	}
}

// incidents returns the incidents that began after the demo started.
func (d *demo) incidents(ctx context.Context) (list []incident.Incident, err error) {
	err = d.store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Incidents(ctx, d.began)
		for _, i := range all {
			if i.Created.After(d.began) {
				list = append(list, i)
			}
		}
		return err
	})
	return list, err
}

// draft stores the draft of an incident's post-mortem, generated from its record, and
// prints it.
func (d *demo) draft(ctx context.Context, i incident.Incident) error {
	now := time.Now()
	err := d.store.Update(ctx, func(tx *store.Tx) error {
		body, err := desk.Draft(ctx, tx, d.config, i, now)
		if err != nil {
			return err
		}
		i.Postmortem = incident.Postmortem{Body: body, Created: now, Updated: now}
		return tx.SaveIncident(ctx, &i)
	})
	if err == nil {
		fmt.Fprintf(d.out, "\nThe draft of the post-mortem, for operators:\n\n%s\n", i.Postmortem.Body)
	}
	return err
}
