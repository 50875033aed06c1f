package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/sys/unix"
)

// listenAgain is the retry interval for a busy port.
const listenAgain = 2 * time.Second

// lookUp is the time limit for resolving a name to listen on.
const lookUp = 5 * time.Second

// maxStreams is the maximum number of concurrent requests on one HTTP/2 connection.
const maxStreams = 8

// A server serves the views.
type server struct {
	listen  []string // addresses, host:port
	systemd bool     // serve on the sockets passed by systemd, not on listen
	web     *webFile
	limit   *connLimit
	log     *slog.Logger
	up      func(url string)     // called for each served address
	waiting func(trouble string) // called with the reason why an address is not served yet; empty: all are served

	mu   sync.Mutex
	busy []busyAddress
}

// A busyAddress is an address on which nodewatch cannot listen yet.
type busyAddress struct {
	address string
	why     string // the latest reason
}

// inUse is why an address is busy at the start: another process uses it.
const inUse = "address in use"

// whyBusy returns the reason without what changes between attempts, such as the port of
// a DNS query.
func whyBusy(err error) string {
	if _, is := errors.AsType[*net.DNSError](err); is {
		return "its name is not resolved"
	}
	switch errno, is := errors.AsType[syscall.Errno](err); {
	case !is:
		return err.Error()
	case errno == syscall.EADDRINUSE:
		return inUse
	default:
		return errno.Error()
	}
}

// start serves handler until ctx ends. It returns an error if that is impossible. A
// busy port is not an error, because an earlier nodewatch in uninterruptible
// sleep may hold it: it is retried.
func (s *server) start(ctx context.Context, handler http.Handler) error {
	listeners, err := s.listeners(ctx)
	if err != nil {
		return err
	}
	go s.web.watch(ctx, s.log)
	s.waiting(s.trouble())
	for _, l := range listeners {
		go s.serve(ctx, l, handler)
	}
	for _, b := range slices.Clone(s.busy) {
		go s.retry(ctx, b, handler)
	}
	return nil
}

// listeners opens every free address.
func (s *server) listeners(ctx context.Context) ([]net.Listener, error) {
	if s.systemd {
		list, err := activation.Listeners()
		if err == nil && (len(list) == 0 || slices.Contains(list, nil)) {
			err = errors.New("--web.systemd-socket: systemd passed no socket; enable nodewatch.socket")
		}
		for _, l := range list {
			deferAccept(l)
		}
		return list, err
	}
	var list []net.Listener
	for _, address := range s.listen {
		l, err := listen(ctx, address)
		switch {
		case errors.Is(err, syscall.EADDRINUSE) && slices.ContainsFunc(list, func(l net.Listener) bool { return refers(err, l) }):
			closeAll(list)
			return nil, fmt.Errorf("cannot serve on %s: it is the same address as another one of web.listen", address)
		case errors.Is(err, syscall.EADDRINUSE):
			s.busy = append(s.busy, busyAddress{address, inUse})
			s.log.Error("Cannot listen yet; retrying", "address", address, "err", err)
		case err != nil:
			closeAll(list)
			return nil, fmt.Errorf("cannot serve on %s: %w", address, err)
		default:
			list = append(list, l)
		}
	}
	return list, nil
}

func closeAll(list []net.Listener) {
	for _, l := range list {
		_ = l.Close()
	}
}

// refers reports whether an error of listen is about the address of the listener, which
// a name may resolve to.
func refers(err error, l net.Listener) bool {
	op, is := errors.AsType[*net.OpError](err)
	return is && op.Addr != nil && op.Addr.String() == l.Addr().String()
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	bounded, cancel := context.WithTimeout(ctx, lookUp)
	defer cancel()
	l, err := new(net.ListenConfig).Listen(bounded, "tcp", address)
	if err == nil {
		deferAccept(l)
	}
	return l, err
}

// speakWithin is how long the kernel withholds a connection until the client has sent
// data.
const speakWithin = 3 * time.Second

// deferAccept makes the kernel hand over connections only when their requests begin
// to arrive (tcp(7), TCP_DEFER_ACCEPT): silent clients cost nothing, and a slow
// client takes no connection before it sends. If the kernel does not support this,
// only the connection limit applies.
func deferAccept(l net.Listener) {
	tcp, is := l.(*net.TCPListener)
	if !is {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, int(speakWithin/time.Second))
		})
	}
}

// retry listens on the address as soon as possible, and serves. It reports each error
// that differs from the one before.
func (s *server) retry(ctx context.Context, b busyAddress, handler http.Handler) {
	for {
		select {
		case <-time.After(listenAgain):
		case <-ctx.Done():
			return
		}
		l, err := listen(ctx, b.address)
		if err == nil {
			s.replace(b)
			s.serve(ctx, l, handler)
			return
		}
		if now := (busyAddress{b.address, whyBusy(err)}); now != b && ctx.Err() == nil {
			s.log.Error("Cannot listen yet; retrying", "address", b.address, "err", err)
			s.replace(b, now)
			b = now
		}
	}
}

// replace replaces an address that is busy, or removes it, and reports why not every
// address is served.
func (s *server) replace(b busyAddress, by ...busyAddress) {
	s.mu.Lock()
	if i := slices.Index(s.busy, b); i >= 0 {
		s.busy = slices.Replace(s.busy, i, i+1, by...)
	}
	trouble := s.trouble()
	s.mu.Unlock()
	s.waiting(trouble)
}

// trouble returns why not every address is served.
func (s *server) trouble() string {
	if len(s.busy) == 0 {
		return ""
	}
	return fmt.Sprintf("cannot listen on %s (%s), retrying", s.busy[0].address, s.busy[0].why)
}

// serve serves on the listener until ctx ends. Each listener has a separate
// http.Server, because exporter-toolkit modifies it.
func (s *server) serve(ctx context.Context, l net.Listener, handler http.Handler) {
	errs := limitedLog(s.log)
	srv := newServer(s.refuseWhileBroken(handler), errs)
	context.AfterFunc(ctx, func() { shutDown(ctx, srv) })
	s.up(s.web.scheme() + "://" + l.Addr().String() + "/")
	err := web.Serve(refusing{s.limit.listener(l), s.web}, srv, s.web.flags(), quieter(errs))
	if ctx.Err() == nil {
		s.log.Error("The page and /metrics are no longer served", "address", l.Addr().String(), "err", err)
	}
}

// newServer returns a server that no client can block for long.
func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than any scrape interval
		MaxHeaderBytes:    16 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ConnContext:       withConn,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	// Called before the first connection is accepted, after exporter-toolkit has
	// wrapped the handler: its own responses, such as 401, are counted too.
	srv.BaseContext = func(net.Listener) context.Context {
		srv.Handler = counted(srv.Handler)
		return context.Background()
	}
	return srv
}

// shutDown ends the server, and allows current responses one second.
func shutDown(ctx context.Context, srv *http.Server) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = srv.Shutdown(last)
}

// refuseWhileBroken refuses requests while the web configuration is broken.
func (s *server) refuseWhileBroken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.web.broken.Load() {
			w.Header().Set("Connection", "close")
			write(w, http.StatusServiceUnavailable, plainText, []byte("nodewatch's web configuration is invalid; see its log\n"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// A refusing listener closes every connection while the web configuration is broken:
// neither TLS nor a password can be required then.
type refusing struct {
	net.Listener
	web *webFile
}

func (l refusing) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || !l.web.broken.Load() {
			return c, err
		}
		_ = c.Close()
	}
}
