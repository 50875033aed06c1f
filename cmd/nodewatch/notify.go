package main

import (
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/page"
)

// readyAfter is the time after which READY is sent to systemd at the latest: units
// that wait for nodewatch must not wait for a hanging source or a busy port.
const readyAfter = 10 * time.Second

// A notifier notifies systemd that nodewatch is ready, that its loop is running, and
// of the worst finding. The loop itself feeds the watchdog: systemd restarts a stuck
// judge, but not a daemon with a stuck source.
type notifier struct {
	notify func(state string) bool // queues a state for systemd without waiting; false: the queue is full
	every  time.Duration           // how often the watchdog is fed

	mu      sync.Mutex
	ready   bool
	worst   string // StatusLine of the last View; empty: there is no View yet
	trouble string // why the page is not served
	served  bool   // every address is served
	status  string // the status last sent to systemd
	fed     time.Time
}

// newNotifier returns a notifier for $NOTIFY_SOCKET; without it, the notifier does
// nothing.
func newNotifier() *notifier {
	n := &notifier{every: 10 * time.Second, notify: background(func(state string) { _, _ = daemon.SdNotify(false, state) })}
	if timeout, err := daemon.SdWatchdogEnabled(false); err == nil && timeout > 0 {
		n.every = timeout / 3
	}
	return n
}

// notifyQueue is the maximum number of messages that wait for systemd.
const notifyQueue = 16

// background returns a sender that does not block: the datagrams of sd_notify block
// once the queue of a systemd that does not read is full.
func background(send func(string)) func(string) bool {
	queue := make(chan string, notifyQueue)
	go func() { // runs until the process ends: a message cannot be cancelled
		for state := range queue {
			send(state)
		}
	}()
	return func(state string) bool {
		select {
		case queue <- state:
			return true
		default:
			return false
		}
	}
}

// alive feeds the watchdog. The loop calls it once a second.
func (n *notifier) alive() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.fed) >= n.every {
		if n.notify("WATCHDOG=1") {
			n.fed = time.Now()
		}
	}
}

// view sends the status of a View. It is called with each one.
func (n *notifier) view(v judge.View) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.worst = page.StatusLine(v.Report)
	n.send(false)
}

// waiting sets why the page is not served; empty: it is served.
func (n *notifier) waiting(trouble string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trouble, n.served = trouble, trouble == ""
	n.send(false)
}

// late sends READY if it was not sent within readyAfter.
func (n *notifier) late() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.send(true)
}

// send sends changes to systemd.
func (n *notifier) send(late bool) {
	status := n.worst
	if status == "" {
		status = notYet
	}
	if n.trouble != "" {
		status = n.trouble + "; " + status
	}
	said := ""
	ready := n.ready || late || n.served && n.worst != ""
	if ready && !n.ready {
		said = daemon.SdNotifyReady + "\n"
	}
	if status == n.status && said == "" {
		return
	}
	if n.notify(said + "STATUS=" + status) {
		n.ready, n.status = ready, status
	}
}
