package main

import (
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/page"
)

// A notifier tells systemd that the loop is alive, and of the worst finding. It
// is called by the loop itself: a stuck judge stops feeding the watchdog, a
// stuck source does not.
type notifier struct {
	notify func(state string) // sd_notify; a datagram, which does not wait
	every  time.Duration      // least time between two messages that say nothing new
	ready  bool
	status string
	last   time.Time
}

// newNotifier returns a notifier to $NOTIFY_SOCKET; without one it does nothing.
func newNotifier() *notifier {
	n := &notifier{every: 10 * time.Second, notify: func(state string) { _, _ = daemon.SdNotify(false, state) }}
	if timeout, err := daemon.SdWatchdogEnabled(false); err == nil && timeout > 0 {
		n.every = timeout / 3
	}
	return n
}

// alive is called after each View.
func (n *notifier) alive(v judge.View) {
	status := page.StatusLine(v.Report)
	state := "WATCHDOG=1"
	if !n.ready {
		state += "\n" + daemon.SdNotifyReady
	}
	if status != n.status {
		state += "\nSTATUS=" + status
	}
	if n.ready && status == n.status && v.Report.At.Sub(n.last) < n.every {
		return
	}
	n.notify(state)
	n.ready, n.status, n.last = true, status, v.Report.At
}
