package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// loopbackConnections is the number of connections from this machine in addition to
// those that --web.max-connections allows: local users can reach the page while other
// machines use all connections.
const loopbackConnections = 10

// The minimum times before a connection may be closed to make room for another one:
// time for the client to be scheduled and to send its request, time to receive the
// response, and time for nodewatch itself, on a busy machine, to read the request and
// to respond.
const (
	requestGrace = 10 * time.Millisecond
	answerGrace  = 50 * time.Millisecond
	ownGrace     = 500 * time.Millisecond
)

// A connLimit bounds the number of open connections over all listeners that share it.
// Over the limit, it closes the connection that has waited longest for its request,
// so that no client can block the page by staying idle. If none waits, it closes the
// one whose client has taken longest to receive its response. If nodewatch itself is
// slow, the new connection waits.
type connLimit struct {
	most   int // limit for other machines; this machine may have loopbackConnections more
	closed prometheus.Counter

	mu     sync.Mutex
	open   map[*conn]struct{}
	remote int // open connections from other machines
	ending int // closed to make room, but still held by net/http
}

// maxEnding is the number of connections closed to make room that net/http may still
// hold: it keeps some of them for half a second.
const maxEnding = 200

func newConnLimit(most int) *connLimit {
	return &connLimit{most: most, open: map[*conn]struct{}{}, closed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "nodewatch_http_connections_shed_total",
		Help: "Number of connections closed because there were more than --web.max-connections.",
	})}
}

// collectors returns the metrics of the limit.
func (l *connLimit) collectors() []prometheus.Collector {
	return []prometheus.Collector{l.closed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "nodewatch_http_connections", Help: "Number of open connections to the page and /metrics.",
	}, func() float64 {
		l.mu.Lock()
		defer l.mu.Unlock()
		return float64(len(l.open))
	})}
}

// listener returns a listener whose connections are limited.
func (l *connLimit) listener(of net.Listener) net.Listener { return limitedListener{of, l} }

type limitedListener struct {
	net.Listener
	limit *connLimit
}

// Accept returns the next connection once there is room for it.
func (l limitedListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, limit: l.limit, remote: !isLocal(accepted.RemoteAddr())}
	for {
		victim, wait := l.limit.admit(c)
		if victim != nil {
			victim.shed()
		}
		if wait == 0 {
			return c, nil
		}
		time.Sleep(wait) // at most answerGrace; new connections wait in the kernel
	}
}

func isLocal(a net.Addr) bool {
	tcp, is := a.(*net.TCPAddr)
	return !is || tcp.IP.IsLoopback()
}

// admit admits c, or returns how long to wait before the next attempt. The victim is
// no longer counted, and the caller must shed it.
func (l *connLimit) admit(c *conn) (victim *conn, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	crowded := c.remote && l.remote >= l.most
	if crowded || len(l.open) >= l.most+loopbackConnections {
		victim, wait = l.inTheWay(now, crowded)
		if victim == nil {
			return nil, wait
		}
		if l.ending >= maxEnding {
			return nil, requestGrace
		}
		l.forget(victim)
		victim.ending = true
		l.ending++
		l.closed.Inc()
	}
	c.since = now
	l.open[c] = struct{}{}
	if c.remote {
		l.remote++
	}
	return victim, 0
}

// inTheWay returns the connection to close next, from other machines only or from
// all, or how long to wait until there may be one. Connections that will not be used
// again come first, then those that wait for their client; the oldest of each kind is
// chosen. If all wait for nodewatch, which is then slow, none is closed before its
// minimum time.
func (l *connLimit) inTheWay(now time.Time, remote bool) (*conn, time.Duration) {
	list := make([]*conn, 0, len(l.open))
	for c := range l.open {
		if !remote || c.remote {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *conn) int { return cmp.Or(cmp.Compare(a.turn(), b.turn()), a.since.Compare(b.since)) })
	oldest := list[0]
	for _, c := range list {
		if c.since.Before(oldest.since) {
			oldest = c
		}
		switch turn, age := c.turn(), now.Sub(c.since); {
		case turn == finished:
			return c, 0
		case turn == awaited && age < requestGrace: // the following ones are younger
			return nil, requestGrace - age
		case turn == awaited && c.queued(unix.TIOCINQ) == 0, turn == owed && age >= answerGrace && c.queued(unix.TIOCOUTQ) > 0:
			return c, 0
		}
	}
	if now.Sub(oldest.since) >= ownGrace {
		return oldest, 0
	}
	return nil, requestGrace
}

func (l *connLimit) forget(c *conn) {
	if _, is := l.open[c]; !is {
		return
	}
	delete(l.open, c)
	if c.remote {
		l.remote--
	}
}

// A conn is a limited connection.
type conn struct {
	net.Conn
	limit  *connLimit
	remote bool

	// Guarded by limit.mu.
	answering int       // requests that are being answered; HTTP/2 can have several
	asked     bool      // a request has been read, but not yet passed to the handler
	since     time.Time // when the connection started to wait for a request or for a response
	over      bool      // close the connection after the response
	ending    bool      // closed to make room
}

// The states of a connection.
const (
	finished = iota // no further request will come
	awaited         // waits for a request of its client
	owed            // waits for a response of nodewatch
)

func (c *conn) turn() int {
	switch {
	case c.answering > 0 || c.asked:
		return owed
	case c.over:
		return finished
	}
	return awaited
}

// queued returns the number of bytes in a kernel buffer: TIOCINQ, received and not yet
// read; TIOCOUTQ, sent and not yet acknowledged by the client.
func (c *conn) queued(which uint) int {
	raw, can := c.Conn.(syscall.Conn)
	if !can {
		return 0
	}
	held := 0
	if control, err := raw.SyscallConn(); err == nil {
		_ = control.Control(func(fd uintptr) { held, _ = unix.IoctlGetInt(int(fd), which) })
	}
	return held
}

// Read implements net.Conn. On an unencrypted connection it detects the end of a
// request's header: from then on the connection waits for nodewatch.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bytes.Contains(p[:n], []byte("\r\n\r\n")) {
		c.limit.mu.Lock()
		if c.answering == 0 {
			c.asked, c.since = true, time.Now()
		}
		c.limit.mu.Unlock()
	}
	return n, err
}

// answer records the beginning (1) or the end (-1) of a response.
func (c *conn) answer(step int) {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	c.asked = false
	if c.answering += step; c.answering == 0 || step > 0 && c.answering == 1 {
		c.since = time.Now()
	}
}

// end records that no further request will come.
func (c *conn) end() {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	c.over, c.asked = true, false
}

// shed closes the connection and discards unsent data, which the kernel would
// otherwise keep.
func (c *conn) shed() {
	if tcp, is := c.Conn.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn.Close()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.limit.mu.Lock()
	c.limit.forget(c)
	if c.ending {
		c.ending = false
		c.limit.ending--
	}
	c.limit.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite lets net/http complete a last response properly.
func (c *conn) CloseWrite() error {
	c.end()
	if half, can := c.Conn.(interface{ CloseWrite() error }); can {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// withConn implements the ConnContext of an http.Server.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if secured, is := c.(*tls.Conn); is {
		c = secured.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// counted passes requests to next, and records this on their connections. No request
// has a body here: if one claims to have a body, it gets a response without waiting
// for the body, and its connection is closed.
func counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, is := r.Context().Value(connKey{}).(*conn)
		if is {
			c.answer(1)
			defer c.answer(-1)
		}
		body := r.ContentLength != 0 && r.ProtoMajor == 1
		if body {
			w.Header().Set("Connection", "close")
			if is {
				c.end()
			}
		}
		control, whole := http.NewResponseController(w), &measured{ResponseWriter: w}
		next.ServeHTTP(whole, r)
		whole.end()
		_ = control.Flush() // from now on the connection may be closed
		if body {
			_ = control.SetReadDeadline(time.Unix(1, 0)) // otherwise net/http would wait for the body,
			panic(http.ErrAbortHandler)                  // and then delay the close
		}
	})
}

// A measured writer buffers a response without a Content-Length until it is complete,
// to set that header. This affects only errors and the responses of exporter-toolkit.
type measured struct {
	http.ResponseWriter
	code int // status of the buffered response; 0: nothing is buffered
	kept bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (m *measured) WriteHeader(code int) {
	if m.Header().Get("Content-Length") == "" {
		m.code = code
		return
	}
	m.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (m *measured) Write(p []byte) (int, error) {
	if m.code == 0 && m.Header().Get("Content-Length") == "" {
		m.code = http.StatusOK
	}
	if m.code != 0 {
		return m.kept.Write(p)
	}
	return m.ResponseWriter.Write(p)
}

// end writes the buffered response.
func (m *measured) end() {
	if m.code == 0 {
		return
	}
	m.Header().Set("Content-Length", strconv.Itoa(m.kept.Len()))
	m.ResponseWriter.WriteHeader(m.code)
	_, _ = m.ResponseWriter.Write(m.kept.Bytes())
}
