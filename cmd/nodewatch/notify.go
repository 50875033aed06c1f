package main

import (
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/page"
)

// readyAfter is when systemd is told READY at the latest: what else waits for
// nodewatch must not wait for a source that hangs or a port that is busy.
const readyAfter = 10 * time.Second

// A notifier tells systemd that nodewatch is ready, that its loop is alive, and
// what the worst finding is. The loop itself feeds the watchdog: a stuck judge is
// restarted, a stuck source is not.
type notifier struct {
	notify func(state string) // sd_notify; a datagram, which does not wait
	every  time.Duration      // how often the watchdog is fed

	mu      sync.Mutex
	ready   bool
	worst   string // StatusLine of the last View; empty: there is none yet
	trouble string // why the page is not served
	served  bool   // every address is
	status  string // what systemd was last told
	fed     time.Time
}

// newNotifier returns a notifier to $NOTIFY_SOCKET; without one it does nothing.
func newNotifier() *notifier {
	n := &notifier{every: 10 * time.Second, notify: func(state string) { _, _ = daemon.SdNotify(false, state) }}
	if timeout, err := daemon.SdWatchdogEnabled(false); err == nil && timeout > 0 {
		n.every = timeout / 3
	}
	return n
}

// alive is called by the loop, once a second.
func (n *notifier) alive() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.fed) >= n.every {
		n.fed = time.Now()
		n.notify("WATCHDOG=1")
	}
}

// view is called with each View.
func (n *notifier) view(v judge.View) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.worst = page.StatusLine(v.Report)
	n.tell(false)
}

// waiting is called with why the page is not served; empty: it is.
func (n *notifier) waiting(trouble string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trouble, n.served = trouble, trouble == ""
	n.tell(false)
}

// late is called once the start has taken readyAfter.
func (n *notifier) late() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell(true)
}

// tell tells systemd what it has not been told.
func (n *notifier) tell(late bool) {
	status := n.worst
	if status == "" {
		status = notYet
	}
	if n.trouble != "" {
		status = n.trouble + "; " + status
	}
	said := ""
	if !n.ready && (late || n.served && n.worst != "") {
		n.ready = true
		said = daemon.SdNotifyReady + "\n"
	}
	if status == n.status && said == "" {
		return
	}
	n.status = status
	n.notify(said + "STATUS=" + status)
}
