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

// loopbackConnections is how many connections from this machine there may be
// beside those that --web.max-connections allows: whoever is logged in can look
// while the network is full of others.
const loopbackConnections = 10

// How long a connection is left alone even when it is in the way of another one:
// time to be scheduled and to send its request, time to take in its answer, and time
// for nodewatch itself, on a busy machine, to read the request and to answer it.
const (
	requestGrace = 10 * time.Millisecond
	answerGrace  = 50 * time.Millisecond
	ownGrace     = 500 * time.Millisecond
)

// A connLimit bounds how many connections are open, over all listeners that share
// it. Over the limit, the one that has waited longest for its request is closed,
// so that no client can hold the page by doing nothing; if none waits, the one
// whose client has taken longest to take its answer in. Where it is nodewatch that
// is slow, the new connection waits.
type connLimit struct {
	most   int // of other machines; those of this machine may be loopbackConnections more
	closed prometheus.Counter

	mu     sync.Mutex
	open   map[*conn]struct{}
	remote int // of open, how many are of other machines
	ending int // closed to make room, and still held by net/http
}

// maxEnding is how many connections that were closed to make room net/http may
// still hold: it lingers half a second over some.
const maxEnding = 200

func newConnLimit(most int) *connLimit {
	return &connLimit{most: most, open: map[*conn]struct{}{}, closed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "nodewatch_http_connections_shed_total", Help: "Number of connections closed because there were more than --web.max-connections.",
	})}
}

// collectors are the limit's metrics.
func (l *connLimit) collectors() []prometheus.Collector {
	return []prometheus.Collector{l.closed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "nodewatch_http_connections", Help: "Number of open connections to the page and /metrics.",
	}, func() float64 {
		l.mu.Lock()
		defer l.mu.Unlock()
		return float64(len(l.open))
	})}
}

// listener returns one whose connections count.
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
		time.Sleep(wait) // at most answerGrace; what comes meanwhile waits in the kernel
	}
}

func isLocal(a net.Addr) bool {
	tcp, is := a.(*net.TCPAddr)
	return !is || tcp.IP.IsLoopback()
}

// admit adds c, or says how long to wait before trying again. The victim is no
// longer counted and is to be shed.
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

// inTheWay is the connection to close next, of other machines only or of all, or how
// long to wait until there may be one. Those come first that will not be used again,
// then those for whose client nodewatch waits; among each, the oldest. Where all wait
// for nodewatch, which is then slow, none is closed before it has had its time.
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
		case turn == awaited && age < requestGrace: // those that follow are younger
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

// A conn is a connection that counts.
type conn struct {
	net.Conn
	limit  *connLimit
	remote bool

	// Guarded by limit.mu.
	answering int       // requests that are being answered; HTTP/2 has several at once
	asked     bool      // a request has been read and is not being answered yet
	since     time.Time // when it began to wait for a request, or to be answered
	over      bool      // it is closed once it is answered
	ending    bool      // it was closed to make room
}

// What a connection is open for.
const (
	finished = iota // nothing: no further request comes
	awaited         // a request of its client
	owed            // an answer of nodewatch
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

// queued is how many bytes the kernel holds in one direction: TIOCINQ, what nobody has
// read; TIOCOUTQ, what the client has not taken in.
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

// Read implements net.Conn. It notes the end of a request's header, where it is not
// encrypted: from there on it is nodewatch's turn.
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

// answer notes that a request begins or ends to be answered.
func (c *conn) answer(step int) {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	c.asked = false
	if c.answering += step; c.answering == 0 || step > 0 && c.answering == 1 {
		c.since = time.Now()
	}
}

// end notes that no further request comes.
func (c *conn) end() {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	c.over, c.asked = true, false
}

// shed closes the connection; what a client has not taken in is thrown away, or
// the kernel would keep it.
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

// CloseWrite lets net/http end a last answer properly.
func (c *conn) CloseWrite() error {
	c.end()
	if half, can := c.Conn.(interface{ CloseWrite() error }); can {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// withConn is an http.Server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if secured, is := c.(*tls.Conn); is {
		c = secured.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// counted answers requests by next, and notes on their connections that it does. No
// request has a body here: one that claims to is answered, its body is not waited for,
// and its connection is closed.
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
		_ = control.Flush() // from here on the connection may be closed
		if body {
			_ = control.SetReadDeadline(time.Unix(1, 0)) // net/http would wait for the body,
			panic(http.ErrAbortHandler)                  // and then linger
		}
	})
}

// A measured writer keeps an answer that has no Content-Length until it is whole, so
// that it gets one: all but errors and what exporter-toolkit answers have one.
type measured struct {
	http.ResponseWriter
	code int // of the answer that is kept; 0: none is
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

// end writes what was kept.
func (m *measured) end() {
	if m.code == 0 {
		return
	}
	m.Header().Set("Content-Length", strconv.Itoa(m.kept.Len()))
	m.ResponseWriter.WriteHeader(m.code)
	_, _ = m.ResponseWriter.Write(m.kept.Bytes())
}
