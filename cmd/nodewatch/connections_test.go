package main

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A crowd is connections that are admitted one after the other, a second apart.
type crowd struct {
	t     *testing.T
	limit *connLimit
	names map[*conn]string
}

func newCrowd(t *testing.T, most int) *crowd {
	return &crowd{t, newConnLimit(most), map[*conn]string{}}
}

// comes admits a connection and checks which one is closed for it, if any.
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
		b.answer(-1) // b waits again, but shorter than d
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
		x.comes("nearer", false, "far") // this machine may use what is free for all
		x.comes("far again", true, "near")
	})
}

// Who reads slowly holds a connection only while nobody else needs it.
func TestAnswersThatTakeLongAreClosedWhenNothingElseIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newCrowd(t, 2)
		x.comes("slow", true, "").answer(1)
		x.comes("slower", true, "").answer(1)
		x.comes("next", true, "slow")
	})
}

// A connection that has just come has time to send its request, and an answer has
// time to be taken in.
func TestWhatHasJustComeIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConnLimit(1)
		first, second := &conn{limit: l, remote: true}, &conn{limit: l, remote: true}
		l.admit(first)
		if victim, wait := l.admit(second); victim != nil || wait != requestGrace {
			t.Errorf("got %v and %s to wait, want %s", victim, wait, requestGrace)
		}
		first.answer(1)
		time.Sleep(requestGrace)
		if victim, wait := l.admit(second); victim != nil || wait != answerGrace-requestGrace {
			t.Errorf("got %v and %s to wait, want %s", victim, wait, answerGrace-requestGrace)
		}
		time.Sleep(answerGrace)
		if victim, wait := l.admit(second); victim != first || wait != 0 {
			t.Errorf("got %v and %s to wait", victim, wait)
		}
	})
}

// A connection that was told to end makes room at once, and one whose request has
// come does not make room for one that waits.
func TestWhoHasSpokenStays(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	limit := newConnLimit(2)
	comes := func(says string) *conn {
		c := dial(t, l.Addr().String())
		if _, err := c.Write([]byte(says)); err != nil {
			t.Fatal(err)
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { accepted.Close() })
		mine := &conn{Conn: accepted, limit: limit, remote: true}
		for says != "" && !mine.arrived() {
			time.Sleep(time.Millisecond) // until it is there, or the test's time is over
		}
		return mine
	}
	spoke, silent, third := comes("GET"), comes(""), comes("")
	limit.admit(spoke)
	limit.admit(silent)
	time.Sleep(2 * requestGrace)
	if victim, wait := limit.admit(third); victim != silent || wait != 0 {
		t.Errorf("got %p after %s, want the one that was silent", victim, wait)
	}
	third.end()
	if victim, wait := limit.admit(comes("")); victim != third || wait != 0 {
		t.Errorf("got %p after %s, want the one that ends, at once", victim, wait)
	}
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
