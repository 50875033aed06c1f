package checks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	probing "github.com/prometheus-community/pro-bing"
	"github.com/prometheus/blackbox_exporter/prober"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// probe runs a check once, for at most its timeout.
func probe(ctx context.Context, k config.Check) Result {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	if k.Prober == "icmp" {
		return ping(ctx, k)
	}
	ask := prober.Probers[k.Prober]
	if ask == nil {
		return Result{State: report.Unknown, Reason: CannotCheck, Detail: "there is no prober " + k.Prober}
	}
	answers, firstErr := prometheus.NewRegistry(), &firstError{}
	ok := ask(ctx, k.Address, k.Probe, answers, slog.New(firstErr))
	r := Result{State: report.Operational, Expires: expiry(answers)}
	text, err := firstErr.get()
	switch {
	case !ok && cannotRun(err):
		r.State, r.Reason, r.Detail = report.Unknown, CannotCheck, text
	case !ok && ctx.Err() != nil:
		r.State, r.Reason, r.Detail = k.Failure, Failed, fmt.Sprintf("no answer within %v", k.Timeout)
	case !ok:
		r.State, r.Reason, r.Detail = k.Failure, Failed, text
	case k.ExpiryDays > 0 && !r.Expires.IsZero() && time.Until(r.Expires) < time.Duration(k.ExpiryDays)*24*time.Hour:
		r.State, r.Reason = report.DegradedPerformance, Certificate
		r.Detail = "the certificate expires at " + r.Expires.Format("2006-01-02 15:04 MST")
	}
	return r
}

// expiry returns the earliest expiry of the certificates in the chain that the probe
// received.
func expiry(answers prometheus.Gatherer) time.Time {
	families, err := answers.Gather()
	if err != nil {
		return time.Time{} // the probe's own metrics contradict each other
	}
	for _, f := range families {
		if f.GetName() == "probe_ssl_earliest_cert_expiry" && len(f.GetMetric()) == 1 {
			return time.Unix(int64(f.GetMetric()[0].GetGauge().GetValue()), 0).UTC()
		}
	}
	return time.Time{}
}

// The parameters of a ping.
const (
	packets     = 3
	packetEvery = 300 * time.Millisecond
)

// ping sends three packets. One reply is enough.
func ping(ctx context.Context, k config.Check) Result {
	blind := func(err error) Result {
		return Result{State: report.Unknown, Reason: CannotCheck, Detail: line(err.Error())}
	}
	failed := func(text string) Result { return Result{State: k.Failure, Reason: Failed, Detail: line(text)} }
	address, err := resolve(ctx, k.Address)
	if err != nil {
		if cannotRun(err) {
			return blind(err)
		}
		return failed(err.Error())
	}
	p := probing.New(address.String())
	p.SetIPAddr(address)
	p.SetPrivileged(false)
	p.SetLogger(probing.NoopLogger{})
	p.Count, p.Interval, p.RecordRtts, p.RecordTTLs = packets, packetEvery, false, false
	if deadline, set := ctx.Deadline(); set {
		p.Timeout = time.Until(deadline)
	}
	if err := p.RunWithContext(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return blind(err)
	}
	if p.PacketsRecv == 0 {
		return Result{State: k.Failure, Reason: NoPackets, Detail: fmt.Sprintf("no packets returned by host %s, %d sent", address,
			p.PacketsSent)}
	}
	return Result{State: report.Operational}
}

// resolve returns the address of a host, IPv4 if it has one.
func resolve(ctx context.Context, host string) (*net.IPAddr, error) {
	list, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if a.IP.To4() != nil {
			return &a, nil
		}
	}
	if len(list) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	return &list[0], nil
}

// cannotRun reports whether the hub itself caused an error: it has no permission, no
// free file descriptor or port, no network, or its resolver does not respond.
func cannotRun(err error) bool {
	if unresolved, is := errors.AsType[*net.DNSError](err); is {
		return !unresolved.IsNotFound
	}
	for _, own := range []error{syscall.EPERM, syscall.EACCES, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// maxDetail is the maximum length of an error's text, in bytes.
const maxDetail = 300

// line returns a text of another host on one line.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail], "") + "…"
	}
	return s
}

// A firstError is a slog.Handler that keeps the first error that a probe logs. A
// probe reports the reason of its failure only there.
type firstError struct {
	mu   sync.Mutex
	text string
	err  error
}

func (l *firstError) get() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return line(l.text), l.err
}

// Enabled implements slog.Handler.
func (*firstError) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// Handle implements slog.Handler.
func (l *firstError) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != "" {
		return nil
	}
	l.text = r.Message
	r.Attrs(func(a slog.Attr) bool {
		if err, is := a.Value.Any().(error); is {
			l.err = err
		}
		if len(l.text) < maxDetail {
			l.text += ", " + a.String()
		}
		return true
	})
	return nil
}

// WithAttrs implements slog.Handler.
func (l *firstError) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *firstError) WithGroup(string) slog.Handler { return l }
