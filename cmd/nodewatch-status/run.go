package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/intake"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

func (p program) runCommand(app *kingpin.Application) (*kingpin.CmdClause, func(context.Context) int) {
	cmd := app.Command("run", "Run the hub: receive reports and serve the pages.")
	file := configFlag(cmd)
	l := &promslog.Config{Level: promslog.NewLevel(), Format: promslog.NewFormat(), Writer: p.err}
	cmd.Flag(flag.LevelFlagName, flag.LevelFlagHelp).Default("info").HintOptions(promslog.LevelFlagOptions...).SetValue(l.Level)
	cmd.Flag(flag.FormatFlagName, flag.FormatFlagHelp).Default("logfmt").HintOptions(promslog.FormatFlagOptions...).SetValue(l.Format)
	return cmd, func(ctx context.Context) int {
		c, err := load(*file)
		if err != nil {
			return p.fail(exitUsage, err)
		}
		if err := run(ctx, *file, c, promslog.New(l), p.out); err != nil {
			return p.fail(exitFailure, err)
		}
		return exitOK
	}
}

// run serves until ctx ends.
func run(ctx context.Context, file string, c config.Config, log *slog.Logger, out io.Writer) error {
	s, err := store.Open(ctx, c.Database.Address)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // all acknowledged data is committed
	in, err := intake.New(intake.Config{
		Now: time.Now, Next: c.Intake.Next, Rate: c.Intake.Rate,
		Failed: func(err error) {
			if !errors.Is(err, context.Canceled) { // the hub stops
				log.Error("A request was refused because the database is not available", "err", err)
			}
		},
	}, s)
	if err != nil {
		return err
	}
	h, err := newHub(c, s, log)
	if err != nil {
		return err
	}
	if err := h.refresh(ctx); err != nil {
		return err
	}
	h.beaten.Store(time.Now().UnixMilli()) // the database was just opened
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { in.Run(ctx) })
	running.Go(func() { h.checks.Run(ctx) })
	jobs := h.jobs()
	for i, j := range jobs {
		// Most jobs have the same interval: if they ran at the same time, reports would wait
		// for all of them.
		offset := j.every * time.Duration(i) / time.Duration(len(jobs))
		running.Go(func() { h.repeat(ctx, j, offset) })
	}
	failed := make(chan error, 8)
	for _, x := range []struct {
		name    string
		listen  []string
		web     string
		handler http.Handler
	}{
		{"public page", c.Public.Listen, c.Public.WebFile, h.public()},
		{"operators' page", c.Operators.Listen, c.Operators.WebFile, h.operators(in)},
		{"reports", c.Intake.Listen, c.Intake.WebFile, in},
	} {
		for _, address := range x.listen {
			l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
			if err != nil {
				return fmt.Errorf("cannot serve the %s on %s: %w", x.name, address, err)
			}
			scheme := "http"
			if x.web != "" {
				scheme = "https"
			}
			fmt.Fprintf(out, "%s: %s://%s/\n", x.name, scheme, l.Addr())
			running.Go(func() {
				if err := serve(ctx, l, x.handler, x.web, log); err != nil {
					failed <- fmt.Errorf("the %s is no longer served: %w", x.name, err)
				}
			})
		}
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	notify(daemon.SdNotifyReady)
	for {
		select {
		case <-ctx.Done():
			notify(daemon.SdNotifyStopping)
			return nil
		case err := <-failed:
			return err
		case <-hangup:
			notify(daemon.SdNotifyReloading)
			h.reload(file)
			notify(daemon.SdNotifyReady)
		}
	}
}

// notify sends a state to systemd, if it listens.
func notify(state string) { _, _ = daemon.SdNotify(false, state) }

// reload reads the configuration file again. If it contains a mistake, the
// configuration stays unchanged.
func (h *hub) reload(file string) {
	c, err := load(file)
	h.broken.Store(err != nil)
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			h.log.Error("Reload failed: keeping the previous configuration", "err", line)
		}
		return
	}
	was := h.config.Swap(&c)
	h.checks.Set(c)
	if !reflect.DeepEqual([]any{was.Public, was.Operators, was.Intake, was.Database}, []any{c.Public, c.Operators, c.Intake, c.Database}) {
		h.log.Warn("Groups, checks and the page have been reloaded; changes of public, operators, intake and database require a restart")
		return
	}
	h.log.Info("Configuration reloaded")
}

// requestTimeout is the maximum duration of a request, to which the 5 s may be added that
// SQLite waits for a lock. The sum is shorter than the server's WriteTimeout, at whose end
// the connection is closed without a response.
const requestTimeout = 10 * time.Second

// bounded ends the context of each request after requestTimeout. A handler that waits for
// the database then responds with 503.
func bounded(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		ctx, cancel := context.WithTimeout(q.Context(), requestTimeout)
		defer cancel()
		handler.ServeHTTP(w, q.WithContext(ctx))
	})
}

// newServer returns the server of one listener, with its limits.
func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           bounded(handler),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // clients cause these errors
	}
}

// serve serves on the listener until ctx ends.
func serve(ctx context.Context, l net.Listener, handler http.Handler, webFile string, log *slog.Logger) error {
	srv := newServer(handler, log)
	ended := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		_ = srv.Shutdown(last)
	})
	err := web.Serve(l, srv, &web.FlagConfig{WebConfigFile: &webFile}, log)
	if ctx.Err() != nil {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// plain responds with a line of text.
func plain(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, strings.TrimSpace(line)+"\n") // the client may have disconnected
}
