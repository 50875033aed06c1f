package main

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// A crowd is a sequence of connections, admitted one second apart.
type crowd struct {
	t     *testing.T
	limit *connLimit
	names map[*conn]string
}

func newCrowd(t *testing.T, most int) *crowd {
	return &crowd{t, newConnLimit(most), map[*conn]string{}}
}

// comes admits a connection and checks which one is closed to make room, if any.
func (x *crowd) comes(name string, remote bool, closed string) *conn {
	x.t.Helper()
	time.Sleep(time.Second)
	near, far := net.Pipe()
	x.t.Cleanup(func() { far.Close() })
	c := &conn{Conn: near, limit: x.limit, remote: remote}
	x.names[c] = name
	victim, wait := x.limit.admit(c)
	if got := x.names[victim]; wait != 0 || got != closed {
		x.t.Errorf("%s comes: %q is closed after %s, want %q", name, got, wait, closed)
	}
	return c
}

func TestTheConnectionThatWaitsLongestIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newCrowd(t, 3)
		a := x.comes("a", true, "")
		b := x.comes("b", true, "")
		x.comes("c", true, "")
		a.answer(1) // a and b are being answered
		b.answer(1)
		x.comes("d", true, "c")
		time.Sleep(time.Second)
		b.answer(-1) // b waits again, but for less time than d
		x.comes("e", true, "d")
		x.comes("f", true, "b")
		x.comes("local", false, "") // there is always room for this machine
		_ = a.Close()
		_ = a.Close() // net/http closes some connections twice
		x.comes("g", true, "")
		x.comes("h", true, "e")
	})
}

func TestLoopbackHasConnectionsOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newCrowd(t, 1)
		x.comes("far", true, "")
		for range loopbackConnections {
			x.comes("near", false, "")
		}
		x.comes("nearer", false, "far") // this machine may also use the general limit
		x.comes("far again", true, "near")
	})
}

// A slow reader keeps its connection only until another client needs it.
func TestAnswersThatTakeLongAreClosedWhenNothingElseIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newCrowd(t, 2)
		x.comes("slow", true, "").answer(1)
		x.comes("slower", true, "").answer(1)
		x.comes("next", true, "slow")
	})
}

// A new connection has time to send its request.
func TestANewConnectionIsNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConnLimit(1)
		first, second := &conn{limit: l, remote: true}, &conn{limit: l, remote: true}
		l.admit(first)
		if victim, wait := l.admit(second); victim != nil || wait != requestGrace {
			t.Errorf("got %v and %s to wait, want %s", victim, wait, requestGrace)
		}
		time.Sleep(requestGrace)
		if victim, wait := l.admit(second); victim != first || wait != 0 {
			t.Errorf("got %v and %s to wait", victim, wait)
		}
	})
}

// If nodewatch itself is slow, no client loses its connection: neither one whose
// request was read, nor one that receives its response as it is written. They are
// protected for half a second.
func TestAClientThatWaitsForNodewatchIsNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConnLimit(2)
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		asks, answered, next := &conn{Conn: near, limit: l, remote: true}, &conn{limit: l, remote: true}, &conn{limit: l, remote: true}
		answered.Conn = near
		l.admit(asks)
		l.admit(answered)
		go far.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		if _, err := asks.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // so that one of them is older
		answered.answer(1)
		for range 2 {
			if victim, wait := l.admit(next); victim != nil || wait != requestGrace {
				t.Errorf("got %p and %s to wait, want %s", victim, wait, requestGrace)
			}
			time.Sleep(ownGrace / 2)
		}
		if victim, wait := l.admit(next); victim != asks || wait != 0 {
			t.Errorf("got %p and %s to wait, want %p", victim, wait, asks)
		}
	})
}

// A connection that is about to end makes room at once. A connection whose request
// has arrived is not closed for one that waits.
func TestWhoHasSpokenStays(t *testing.T) {
	x := newPair(t, 2)
	spoke, silent, third := x.comes("GET"), x.comes(""), x.comes("")
	x.limit.admit(spoke)
	x.limit.admit(silent)
	time.Sleep(2 * requestGrace)
	if victim, wait := x.limit.admit(third); victim != silent || wait != 0 {
		t.Errorf("got %p after %s, want the one that was silent", victim, wait)
	}
	third.end()
	if victim, wait := x.limit.admit(x.comes("")); victim != third || wait != 0 {
		t.Errorf("got %p after %s, want the one that ends, at once", victim, wait)
	}
}

// A connection makes room if its client does not read the response, but not if the
// response is slow.
func TestAClientThatDoesNotReadIsClosed(t *testing.T) {
	x := newPair(t, 2)
	slow, deaf := x.comes(""), x.comes("")
	x.limit.admit(slow)
	x.limit.admit(deaf)
	slow.answer(1)
	deaf.answer(1)
	// The kernel's buffer is full when three writes in a row place nothing: on a busy
	// machine one may end before it begins.
	for text, none := make([]byte, 1<<20), 0; none < 3; none++ {
		_ = deaf.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if n, _ := deaf.Write(text); n > 0 {
			none = -1
		}
	}
	time.Sleep(2 * answerGrace)
	if victim, wait := x.limit.admit(x.comes("")); victim != deaf || wait != 0 {
		t.Errorf("got %p after %s, want the one that takes nothing in", victim, wait)
	}
}

// A pair is a listener with real connections.
type pair struct {
	t     *testing.T
	l     net.Listener
	limit *connLimit
}

func newPair(t *testing.T, most int) *pair {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &pair{t, l, newConnLimit(most)}
}

// comes returns a connection on which the client has sent something.
func (x *pair) comes(says string) *conn {
	x.t.Helper()
	c := dial(x.t, x.l.Addr().String())
	if _, err := c.Write([]byte(says)); err != nil {
		x.t.Fatal(err)
	}
	accepted, err := x.l.Accept()
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { accepted.Close() })
	mine := &conn{Conn: accepted, limit: x.limit, remote: true}
	for says != "" && mine.queued(unix.TIOCINQ) == 0 {
		time.Sleep(time.Millisecond) // until it has arrived, or the test times out
	}
	return mine
}

func TestWhoIsLocal(t *testing.T) {
	for _, a := range []net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, &net.TCPAddr{IP: net.IPv6loopback}, &net.UnixAddr{}} {
		if !isLocal(a) {
			t.Errorf("%v is not local", a)
		}
	}
	if isLocal(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}) {
		t.Error("192.0.2.7 is local")
	}
}
