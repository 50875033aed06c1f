package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
)

// How often a busy port is tried again.
const listenAgain = 2 * time.Second

// A server serves the views.
type server struct {
	flags *web.FlagConfig
	log   *slog.Logger
	say   func(url string) // told once an address is served
}

// serve serves handler on every address until ctx ends. A port that is busy, as
// by an earlier nodewatch that sleeps in the kernel, is tried again for ever.
func (s server) serve(ctx context.Context, handler http.Handler) {
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = srv.Shutdown(last)
	})
	if s.flags.WebSystemdSocket != nil && *s.flags.WebSystemdSocket {
		go s.retry(ctx, "systemd's sockets", func() error { return web.ListenAndServe(srv, s.flags, s.log) })
		return
	}
	for _, address := range *s.flags.WebListenAddresses {
		go s.retry(ctx, address, func() error {
			l, err := net.Listen("tcp", address)
			if err != nil {
				return err
			}
			s.say(s.url(l.Addr()))
			return web.Serve(l, srv, s.flags, quiet())
		})
	}
}

// retry calls serve until ctx ends, and says so once when it fails.
func (s server) retry(ctx context.Context, address string, serve func() error) {
	said := ""
	for ctx.Err() == nil {
		err := serve()
		if errors.Is(err, http.ErrServerClosed) || ctx.Err() != nil {
			return
		}
		if err != nil && err.Error() != said {
			s.log.Error("cannot serve the page and /metrics; trying again", "address", address, "err", err)
			said = err.Error()
		}
		select {
		case <-time.After(listenAgain):
		case <-ctx.Done():
		}
	}
}

func (s server) url(a net.Addr) string {
	scheme := "http"
	if *s.flags.WebConfigFile != "" {
		scheme = "https"
	}
	return scheme + "://" + a.String() + "/"
}

// quiet is a logger that says nothing: nodewatch says itself where it listens.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
