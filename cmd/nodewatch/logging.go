package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/promslog/flag"
	"golang.org/x/time/rate"

	"github.com/nodewatch/nodewatch/internal/watch"
)

// logFlushTimeout is the time limit for writing the last lines of a log.
const logFlushTimeout = time.Second

// logFlags adds the log flags that every Prometheus exporter has.
func logFlags(cmd *kingpin.CmdClause) *promslog.Config {
	c := &promslog.Config{Level: promslog.NewLevel(), Format: promslog.NewFormat()}
	cmd.Flag(flag.LevelFlagName, flag.LevelFlagHelp).Default("info").HintOptions(promslog.LevelFlagOptions...).SetValue(c.Level)
	cmd.Flag(flag.FormatFlagName, flag.FormatFlagHelp).Default("logfmt").HintOptions(promslog.FormatFlagOptions...).SetValue(c.Format)
	return c
}

// newLog returns a logger that writes to w without ever waiting for it, and its
// queue. Under journald its lines have no time.
func newLog(c *promslog.Config, w io.Writer) (*slog.Logger, *watch.Log) {
	journal := toJournal(w, os.Getenv("JOURNAL_STREAM"))
	on := func(w io.Writer) *slog.Logger {
		log := promslog.New(&promslog.Config{Level: c.Level, Format: c.Format, Writer: w})
		if journal {
			return slog.New(untimed{log.Handler()})
		}
		return log
	}
	queue := watch.NewLog(w, func(n uint64) []byte {
		var line bytes.Buffer
		on(&line).Warn("Log lines were dropped because log output was blocked", "lines", n)
		return line.Bytes()
	})
	return on(queue), queue
}

// toJournal reports whether w is the stream to journald that systemd has set up
// and named in $JOURNAL_STREAM, as device:inode (systemd.exec(5)).
func toJournal(w io.Writer, stream string) bool {
	f, is := w.(*os.File)
	if !is || stream == "" {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	at, is := info.Sys().(*syscall.Stat_t)
	return is && stream == fmt.Sprintf("%d:%d", at.Dev, at.Ino)
}

// An untimed handler omits the time, which the journal adds.
type untimed struct{ slog.Handler }

func (h untimed) Handle(ctx context.Context, r slog.Record) error {
	r.Time = time.Time{}
	return h.Handler.Handle(ctx, r)
}

func (h untimed) WithAttrs(list []slog.Attr) slog.Handler { return untimed{h.Handler.WithAttrs(list)} }

func (h untimed) WithGroup(name string) slog.Handler { return untimed{h.Handler.WithGroup(name)} }

// The rate of lines that a client can cause: a few at once, then one per interval.
const (
	clientLines     = 5
	clientLineEvery = time.Minute
)

// limitedLog returns a logger for lines that clients can cause: lines beyond the
// limit are omitted, and the next one contains their number.
func limitedLog(log *slog.Logger) *slog.Logger {
	return slog.New(&limitedHandler{Handler: log.Handler(), shared: &limitedLines{rate: rate.NewLimiter(rate.Every(clientLineEvery),
		clientLines)}})
}

// A limitedHandler passes on as many records as its limit allows.
type limitedHandler struct {
	slog.Handler
	shared *limitedLines
}

type limitedLines struct {
	rate *rate.Limiter
	left atomic.Uint64
}

func (h *limitedHandler) Handle(ctx context.Context, r slog.Record) error {
	if !h.shared.rate.AllowN(r.Time, 1) {
		h.shared.left.Add(1)
		return nil
	}
	if n := h.shared.left.Swap(0); n > 0 {
		r.AddAttrs(slog.Uint64("suppressed", n))
	}
	return h.Handler.Handle(ctx, r)
}

func (h *limitedHandler) WithAttrs(list []slog.Attr) slog.Handler {
	return &limitedHandler{h.Handler.WithAttrs(list), h.shared}
}

func (h *limitedHandler) WithGroup(name string) slog.Handler {
	return &limitedHandler{h.Handler.WithGroup(name), h.shared}
}

// quieter omits informational lines: nodewatch itself logs where it listens.
func quieter(log *slog.Logger) *slog.Logger { return slog.New(errorsOnly{log.Handler()}) }

type errorsOnly struct{ slog.Handler }

func (h errorsOnly) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func (h errorsOnly) WithAttrs(list []slog.Attr) slog.Handler {
	return errorsOnly{h.Handler.WithAttrs(list)}
}

func (h errorsOnly) WithGroup(name string) slog.Handler { return errorsOnly{h.Handler.WithGroup(name)} }

// droppedLines returns the metric for the number of lost log lines.
func droppedLines(l *watch.Log) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "nodewatch_log_lines_dropped_total", Help: "Number of log lines dropped because log output was blocked.",
	}, func() float64 { return float64(l.Dropped()) })
}
