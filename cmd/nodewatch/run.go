package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/watch"
)

// What the daemon may take of the node. With this soft limit, in bytes, of what Go
// manages it stays well under 40 MiB at the size of the incident; and on a node of
// 64 cores it shall not collect its garbage on 16 of them at once.
const (
	heap  = 24 << 20
	cores = 2
)

// goodbye is how long reporters may take to say that nodewatch stops.
const goodbye = 3 * time.Second

// A runner is the daemon.
type runner struct {
	program
	file   *string
	tape   *string
	listen *[]string
	socket *bool
	web    *string
	log    *slog.Logger
}

func (p program) runCommand(app *kingpin.Application) (string, func(context.Context) int) {
	cmd := app.Command("run", "The daemon: watch this node, serve the page, /metrics and the API.")
	r := &runner{program: p, file: configFlag(cmd)}
	r.tape = cmd.Flag("tape", "Record what is seen to this file, on a RAM disk; .zst compresses.").String()
	r.listen = cmd.Flag("web.listen-address", "Address to serve on; repeatable. Default: 127.0.0.1:10090.").Strings()
	r.socket = cmd.Flag("web.systemd-socket", "Serve on the sockets that systemd passes.").Bool()
	r.web = cmd.Flag("web.config.file", "File for TLS and basic authentication, in exporter-toolkit's format.").String()
	return "run", r.run
}

func (r *runner) run(ctx context.Context) int {
	c, err := readConfig(*r.file)
	if err != nil {
		return r.fail(exitCritical, err)
	}
	r.flags(&c)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer frugal()()
	r.log = slog.New(slog.NewTextHandler(watch.NewLog(ctx, r.err), &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	r.privileges()
	s := &shown{node: hostName(c)}
	reporters, err := deliveries(c, lasting(c))
	if err != nil {
		return r.fail(exitCritical, err)
	}
	list, err := sources(ctx, c, machine(), s.view)
	if err != nil {
		return r.fail(exitCritical, err)
	}
	post := watch.NewPost(hostName(c), reporters)
	defer post.Close(goodbye)
	list = append(list, faring(post)...)
	for _, src := range list {
		s.waiting = append(s.waiting, src.Name)
	}
	settings, err := c.Rules.Settings()
	if err != nil {
		return r.fail(exitCritical, err)
	}
	record, finish, err := openTape(ctx, c.Tape)
	if err != nil {
		return r.fail(exitCritical, err)
	}
	reload := newReloads()
	r.serve(ctx, c, routes(s, reload.collectors()...))
	notify, tell := newNotifier(), newTeller(r.log)
	watch.Daemon{
		Node: hostName(c), Version: version, Site: c.Site, Labels: c.Labels, Sources: list, Settings: settings,
		Changed: r.reloads(ctx, reload), Record: record, Show: s.show,
		Alive: func(v judge.View) {
			notify.alive(v)
			tell.tell(v)
			post.Take(v.Report)
		},
	}.Run(ctx)
	if err := finish(); err != nil {
		return r.fail(exitCritical, err)
	}
	return exitOK
}

// frugal holds the process to what the daemon may take. The function that it
// returns ends that.
func frugal() (over func()) {
	limit := debug.SetMemoryLimit(heap)
	procs := runtime.GOMAXPROCS(min(cores, runtime.NumCPU()))
	return func() {
		debug.SetMemoryLimit(limit)
		runtime.GOMAXPROCS(procs)
	}
}

// flags lets the flags win over the file.
func (r *runner) flags(c *config.Config) {
	if len(*r.listen) > 0 {
		c.Web.Listen = *r.listen
	}
	if *r.web != "" {
		c.Web.Config = *r.web
	}
	if *r.tape != "" {
		c.Tape.File = *r.tape
	}
}

// privileges gives up what only children could misuse, and keeps memory.
func (r *runner) privileges() {
	if err := dropAmbient(); err != nil {
		r.log.Warn("children keep nodewatch's capabilities", "err", err)
	}
	if err := lockMemory(); err != nil {
		r.log.Info("memory is not locked: give nodewatch CAP_IPC_LOCK or LimitMEMLOCK=infinity, so that it works while the root disk is stuck", "err", err)
	}
}

func (r *runner) serve(ctx context.Context, c config.Config, routes http.Handler) {
	flags := &web.FlagConfig{WebListenAddresses: &c.Web.Listen, WebSystemdSocket: r.socket, WebConfigFile: &c.Web.Config}
	server{flags: flags, log: r.log, say: func(url string) {
		fmt.Fprintf(r.out, "nodewatch %s: the page of this node is %s\n", version, url)
	}}.serve(ctx, routes)
}

// reloads reads the configuration file again at each SIGHUP. A bad file keeps the
// configuration as it is, and is said. Of a good one the rules take effect at once.
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
				r.log.Error("the configuration is as it was, as the file has a mistake", "err", err)
				continue
			}
			settings, err := c.Rules.Settings()
			if err != nil {
				r.log.Error("the configuration is as it was", "err", err)
				continue
			}
			select {
			case changed <- settings:
				r.log.Info("rules read again; what is not about rules takes a restart", "file", *r.file)
			case <-ctx.Done():
				return
			}
		}
	}()
	return changed
}

// withoutTime leaves the time to the journal.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}
