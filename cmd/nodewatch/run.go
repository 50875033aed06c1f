package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/watch"
)

// The daemon's limits on the node. With this soft limit, in bytes, of the memory that
// Go manages, it stays well below 40 MiB at the size of the incident; and on a node
// with 64 cores its garbage collection must not use 16 of them at once.
const (
	heap  = 24 << 20
	cores = 2
)

// shutdownTimeout is the time limit for reporters to report the shutdown.
const shutdownTimeout = 3 * time.Second

// A runner is the daemon.
type runner struct {
	program
	file   *string
	tape   *string
	listen *[]string
	socket *bool
	web    *string
	most   *int
	limits bool // --web.max-connections is set
	logs   *promslog.Config
	log    *slog.Logger
}

func (p program) runCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("run", "Run the daemon: monitor this node, serve the page, /metrics and the API.")
	r := &runner{program: p, file: configFlag(cmd)}
	r.tape = cmd.Flag("tape", "Record all readings to this file, on a RAM disk; .zst compresses.").String()
	r.listen = cmd.Flag("web.listen-address", "Address to serve on; repeatable. Default: 127.0.0.1:10090.").Strings()
	r.socket = cmd.Flag("web.systemd-socket", "Serve on the sockets that systemd passes.").Bool()
	r.web = cmd.Flag("web.config.file", "File for TLS and basic authentication, in exporter-toolkit's format.").String()
	r.most = cmd.Flag("web.max-connections",
		fmt.Sprintf("Maximum number of open connections from other machines; this machine may open %d more. Default: 100.",
			loopbackConnections)).IsSetByUser(&r.limits).Int()
	r.logs = logFlags(cmd)
	return "run", r.run
}

func (r *runner) run(ctx context.Context) int {
	l := launcher.Spawn() // first of all, because it forks and nothing else does
	defer l.Close()
	// Before any read that can hang: GiveUp needs every thread, and a thread in a
	// hanging read does not respond. The files read here can be read again later.
	privileged := launcher.GiveUp()
	c, err := readConfig(*r.file)
	if err == nil {
		err = r.flags(&c)
	}
	if err != nil {
		return r.fail(exitFailure, err)
	}
	defer brokenPipes()()
	var lines *watch.Log
	r.log, lines = newLog(r.logs, r.err)
	defer lines.Close(logFlushTimeout)
	if privileged != nil {
		r.log.Warn("nodewatch keeps capabilities that only its child programs need", "err", privileged)
	}
	r.lockMemory()
	out := watch.NewLog(r.out.to, nil)
	defer out.Close(logFlushTimeout)
	if err := r.daemon(ctx, c, l, out, lines); err != nil {
		return program{err: lines}.fail(exitFailure, oneLine{err})
	}
	return exitOK
}

// daemon watches until ctx ends. It returns an error if it cannot start.
func (r *runner) daemon(ctx context.Context, c config.Config, l *launcher.Client, out, lines *watch.Log) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer limitResources()()
	s := &viewHolder{node: hostName(c), links: linksOf(c.Links), specs: sourceSpecs(c)}
	reporters, err := newOutbox(hostName(c), stateDirectory(c), stateWanted(c),
		func(dir string) ([]watch.Delivery, error) { return deliveries(c, dir, l) })
	if err != nil {
		return err
	}
	list, err := sources(ctx, c, localPaths(), l, s.view)
	if err != nil {
		return err
	}
	settings, err := c.Rules.Settings()
	if err != nil {
		return err
	}
	secured, err := openWebFile(c.Web.Config)
	if err != nil {
		return err
	}
	record, finish, err := openTape(ctx, c.Tape)
	if err != nil {
		return err
	}
	go func() {
		for _, text := range warnings(c) {
			r.log.Warn(text)
		}
	}()
	go reporters.start(ctx)
	defer reporters.close(shutdownTimeout)
	list = append(list, launcherSource(l))
	list = append(list, reporterSources(reporters, len(c.Reporters))...)
	for _, src := range list {
		s.waiting = append(s.waiting, src.Name)
	}
	notify, transitions, reload, state := newNotifier(), newTransitionLog(r.log), newReloads(), keepState(ctx, reporters.judgeFile, r.log)
	changed := r.reloads(ctx, reload) // before the page is served: a SIGHUP must not end nodewatch then
	late := time.AfterFunc(readyAfter, notify.late)
	defer late.Stop()
	limit := newConnLimit(c.Web.Connections)
	found := &announcer{dir: runtimeDirectory(c), is: presence{PID: os.Getpid(), Version: buildinfo.Read().Version,
		Config: absolute(*r.file), State: absolute(stateDirectory(c))}}
	defer found.over()
	web := &server{
		listen: c.Web.Listen, systemd: *r.socket, web: secured, limit: limit, log: r.log, waiting: notify.waiting,
		up: func(url string) {
			fmt.Fprintf(out, "nodewatch %s: the page of this node is %s\n", buildinfo.Read().Version, url)
			reporters.up(url)
			if err := found.up(url); err != nil {
				r.log.Warn("Commands on this node cannot find the daemon automatically", "err", err)
			}
		},
	}
	handler := routes(s, slices.Concat(reload.collectors(), limit.collectors(), []prometheus.Collector{droppedLines(lines)})...)
	if err := web.start(ctx, handler); err != nil {
		return err
	}
	if found.dir != "" {
		go func() {
			if err := web.serveSocket(ctx, found.dir, handler); err != nil {
				r.log.Warn("Commands on this node cannot use the socket; they use the address", "err", err)
			}
		}()
	}
	watch.Daemon{
		Node: hostName(c), Version: buildinfo.Read().Version, Site: c.Site, Labels: c.Labels, Sources: list, Settings: settings,
		Changed: changed, Record: record, OnTick: notify.alive,
		OnView: []func(judge.View){s.show, notify.view, transitions.write, state.view, func(v judge.View) { reporters.take(v.Report) }},
	}.Run(ctx)
	return finish()
}

// absolute returns a file name that is valid in any directory; empty: none.
func absolute(name string) string {
	if name == "" {
		return ""
	}
	if full, err := filepath.Abs(name); err == nil {
		return full
	}
	return name
}

// brokenPipes makes a write to a pipe without a reader fail instead of ending the
// process. The returned function ends this. The signal is caught, not ignored,
// because children would inherit an ignored one.
func brokenPipes() (over func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}

// limitResources limits the resources of the process. The returned function ends
// this.
func limitResources() (over func()) {
	limit := debug.SetMemoryLimit(heap)
	procs := runtime.GOMAXPROCS(min(cores, runtime.NumCPU()))
	return func() {
		debug.SetMemoryLimit(limit)
		runtime.GOMAXPROCS(procs)
	}
}

// flags applies the flags, which override the file.
func (r *runner) flags(c *config.Config) error {
	if len(*r.listen) > 0 {
		c.Web.Listen = *r.listen
	}
	if *r.web != "" {
		c.Web.Config = *r.web
	}
	if r.limits {
		c.Web.Connections = *r.most
	}
	if *r.tape != "" {
		c.Tape.File = *r.tape
	}
	wrong := c.Web.Mistakes() // mistakes in the file were reported before
	switch {
	case len(wrong) == 0:
		return nil
	case strings.HasPrefix(wrong[0].Field, "listen"):
		return fmt.Errorf("--web.listen-address: %s", wrong[0].Text)
	default:
		return fmt.Errorf("--web.max-connections: %s", wrong[0].Text)
	}
}

// lockMemory locks the daemon's memory.
func (r *runner) lockMemory() {
	if err := launcher.LockMemory(); err != nil {
		r.log.Info("memory is not locked: give nodewatch CAP_IPC_LOCK or LimitMEMLOCK=infinity so that it keeps working while the root disk is stalled", "err", err)
	}
}

// reloads reads the configuration file again at each SIGHUP. A bad file is reported
// and leaves the configuration unchanged. The rules of a good one take effect at
// once.
func (r *runner) reloads(ctx context.Context, m *reloads) <-chan node.Settings {
	changed := make(chan node.Settings)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hup)
		for {
			select {
			case <-hup:
			case <-ctx.Done():
				return
			}
			c, err := readConfig(*r.file)
			m.note(err)
			if err != nil {
				r.log.Error("Reload failed: invalid configuration; keeping the previous one", "err", oneLine{err})
				continue
			}
			settings, err := c.Rules.Settings()
			if err != nil {
				r.log.Error("Reload failed; keeping the previous configuration", "err", err)
				continue
			}
			select {
			case changed <- settings:
				r.log.Info("Rules reloaded; other changes require a restart", "file", *r.file)
			case <-ctx.Done():
				return
			}
		}
	}()
	return changed
}
