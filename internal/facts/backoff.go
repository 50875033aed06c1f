package facts

import (
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// A write to a connection that is being established fails with the line of a lost
// session ("socket error on write"). The delay between the attempts to connect separates
// the two: the kernel doubles it from 250 ms to 15 s (before 5.11: from 0.5 s to
// 5 min), and only an established session resets it (net/ceph/messenger.c).

// backOff is how many socket errors a client logs at most within a period while an OSD
// is unreachable: for the session that it loses, for the attempt that follows at once,
// and for those after each delay. Delays are rounded to seconds.
var backOff = [...]struct {
	within time.Duration
	most   uint64
}{{10 * time.Second, 7}, {20 * time.Second, 8}, {time.Minute, 11}}

const (
	// steady is how many socket errors a client logs at most in one of two minutes in a row;
	// the delay reaches 15 s in the first.
	steady = 6

	// resent is how often a request must have been resent to prove sessions: losing the
	// session and a new map resend it as well.
	resent = 3

	// repeated is the minimum number of socket errors that are failed attempts; fewer, or
	// one for each client, are lost sessions.
	repeated = 3
)

var socket = reasonIndex(kmsg.ReasonSocket)

// KernelClients returns the number of kernel clients that may have a session with an
// OSD, at least 1.
func (f *Facts) KernelClients() uint64 {
	clients := uint64(max(1, len(f.Clients())))
	if f.Host.Value.CephFS {
		clients++
	}
	return clients
}

// findOpened returns, for each OSD of l, whether sessions with it have been established
// between its socket errors: there are more of them than the back-off allows, or osdc
// shows that a request is resent repeatedly, which takes a session each time.
func (f *Facts) findOpened(l lossLines) []bool {
	opened := make([]bool, len(l.osds))
	if !slices.ContainsFunc(l.lines, func(line lossLine) bool { return line.reason == socket }) {
		return opened
	}
	within := func(d time.Duration) []uint64 {
		n, window := make([]uint64, len(l.osds)), f.Kernel.Window(f.Now, d)
		for i := range l.lines {
			if line := &l.lines[i]; line.reason == socket {
				of, _ := window.Of(line.series)
				n[line.osd] += of
			}
		}
		return n
	}
	clients := f.KernelClients()
	for _, limit := range backOff {
		for i, n := range within(limit.within) {
			opened[i] = opened[i] || n > limit.most*clients
		}
	}
	minute, two := within(time.Minute), within(2*time.Minute)
	for i := range opened {
		opened[i] = opened[i] || minute[i] > steady*clients && two[i] > minute[i]+steady*clients
	}
	for _, w := range f.Waits() {
		if at, found := slices.BinarySearchFunc(l.osds, OSDName(w.Request.OSD), human.ByNumber); found && w.Attempts >= resent {
			opened[at] = true
		}
	}
	return opened
}

// failedAttempts returns how many of the socket errors were failed attempts to connect
// to an OSD with which no session was established in between: all of them if other lines
// show that connecting fails, or if they are repeated and no other reason ends as many
// sessions; otherwise none.
func (o *OSDLosses) failedAttempts(clients uint64) uint64 {
	errors := uint64(o.N[socket])
	lost := o.Broken() + o.sumOf(firstEnded, lastEnded) - errors
	if o.Unanswered() > 0 || errors >= max(repeated, clients+1) && errors > lost {
		return errors
	}
	return 0
}
