package main

import (
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/page"
)

// readyAfter is the latest time at which systemd is notified with READY: units that
// wait for nodewatch must not wait for a hanging source or a busy port.
const readyAfter = 10 * time.Second

// A notifier notifies systemd that nodewatch is ready, that its loop is alive, and of
// the worst finding. The loop itself feeds the watchdog: a stuck judge is restarted, a
// stuck source is not.
type notifier struct {
	notify func(state string) bool // hands it to systemd without waiting; false: it could not
	every  time.Duration           // how often the watchdog is fed

	mu      sync.Mutex
	ready   bool
	worst   string // StatusLine of the last View; empty: there is none yet
	trouble string // why the page is not served
	served  bool   // every address is
	status  string // the status last sent to systemd
	fed     time.Time
}

// newNotifier returns a notifier to $NOTIFY_SOCKET; without one it does nothing.
func newNotifier() *notifier {
	n := &notifier{every: 10 * time.Second, notify: background(func(state string) { _, _ = daemon.SdNotify(false, state) })}
	if timeout, err := daemon.SdWatchdogEnabled(false); err == nil && timeout > 0 {
		n.every = timeout / 3
	}
	return n
}

// notifyQueue is how many messages wait while systemd takes none.
const notifyQueue = 16

// background makes a sender of one that may wait: the datagrams of sd_notify do,
// once the queue of a systemd that does not read is full.
func background(send func(string)) func(string) bool {
	queue := make(chan string, notifyQueue)
	go func() { // for the life of the process: a message cannot be taken back
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

// alive is called by the loop, once a second.
func (n *notifier) alive() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.fed) >= n.every {
		if n.notify("WATCHDOG=1") {
			n.fed = time.Now()
		}
	}
}

// view is called with each View.
func (n *notifier) view(v judge.View) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.worst = page.StatusLine(v.Report)
	n.send(false)
}

// waiting is called with why the page is not served; empty: it is.
func (n *notifier) waiting(trouble string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trouble, n.served = trouble, trouble == ""
	n.send(false)
}

// late is called once the start has taken readyAfter.
func (n *notifier) late() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.send(true)
}

// write sends systemd what has changed.
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
