package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// stateHome is the default state directory if neither the configuration nor systemd
// names one: systemd/nodewatch.service creates it.
const stateHome = "/var/lib/nodewatch"

// takeover is the subdirectory of the state directory for a daemon whose predecessor
// cannot end, such as one in an uninterruptible sleep: the two must not write the
// same files.
const takeover = "takeover"

// maxTakeovers is the maximum number of daemons that cannot end and have each taken
// over from the previous one; the next one keeps no state.
const maxTakeovers = 3

// The time limits for the state directory, after which the reporters start without
// it, and for another daemon that uses it to respond at its address.
const (
	stateDeadline  = 20 * time.Second
	holderDeadline = 10 * time.Second
)

// stateDirectory returns the directory of the overrides and of the reporters' state.
func stateDirectory(c config.Config) string {
	if c.State != "" {
		return c.State
	}
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	return stateHome
}

// stateWanted reports whether the configuration, systemd or a reporter needs the
// state directory.
func stateWanted(c config.Config) bool {
	return c.State != "" || os.Getenv("STATE_DIRECTORY") != "" || len(c.Reporters) > 0
}

// readOverrides reads the overrides.
func readOverrides(dir string) func(context.Context) (override.Overrides, error) {
	return func(ctx context.Context) (override.Overrides, error) { return override.Read(ctx, dir) }
}

// A claim contains a daemon's rights to the state directory.
type claim struct {
	dir     string // where reporters keep their persistent state; empty: nowhere
	silent  bool   // another daemon reports for this node
	problem error  // problem to report to operators; nil: none
	lock    *statefile.Lock
}

// claimState locks the state directory. It may block as long as the disk does.
func claimState(ctx context.Context, dir string, me statefile.Holder) claim {
	if _, err := os.Stat(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return claim{problem: errNoStateDirectory}
		}
		return claim{problem: err}
	}
	lock, err := statefile.Acquire(dir, me)
	switch {
	case lock != nil:
		if other, used := successor(ctx, dir); used {
			return claim{silent: true, problem: errors.Join(reportsHere(other, dir), lock.Close())}
		}
		return claim{dir: dir, lock: lock, problem: errors.Join(err, statefile.Clean(dir, time.Now()), adopt(dir))}
	case !errors.Is(err, statefile.ErrHeld):
		return claim{dir: dir, problem: fmt.Errorf("cannot lock, so a second daemon would not be detected: %w", err)}
	}
	holder, alive := waitForHolder(ctx, dir)
	if alive {
		return claim{silent: true, problem: reportsHere(holder, dir)}
	}
	if strings.Count(dir, "/"+takeover) >= maxTakeovers {
		return claim{problem: fmt.Errorf("process %d uses %s and does not respond; this daemon saves no state because %d replacements do not respond either", holder.PID, dir, maxTakeovers)}
	}
	own, err := takeOver(dir)
	if err != nil {
		return claim{problem: fmt.Errorf("process %d uses %s and does not respond; this daemon saves no state: %w", holder.PID, dir, err)}
	}
	c := claimState(ctx, own, me)
	c.problem = errors.Join(fmt.Errorf("process %d uses %s and does not respond; this daemon reports in its place and saves its state in %s until it is restarted", holder.PID, dir, own), c.problem)
	return c
}

// reportsHere returns the error that another daemon uses the directory.
func reportsHere(other statefile.Holder, dir string) error {
	return fmt.Errorf("another nodewatch, process %d, uses %s and reports for this node; this one does not report", other.PID, dir)
}

// successor returns the daemon that took over from a holder of dir which has ended
// since, and whether it still works.
func successor(ctx context.Context, dir string) (h statefile.Holder, works bool) {
	own := filepath.Join(dir, takeover)
	info, err := os.Lstat(own)
	if err != nil || !info.IsDir() {
		return h, false
	}
	switch lock, err := statefile.Acquire(own, statefile.Holder{PID: os.Getpid()}); {
	case lock != nil:
		_ = lock.Close()
	case errors.Is(err, statefile.ErrHeld):
		if h, works = waitForHolder(ctx, own); works {
			return h, true
		}
	}
	return successor(ctx, own)
}

// errNoStateDirectory is the error of a daemon without a state directory.
var errNoStateDirectory = errors.New("there is no state directory: all state is lost on restart")

// waitForHolder reports whether the daemon that holds the lock of dir works; it waits
// up to ten seconds for that. For the moment between locking and writing, the file
// may still name a predecessor: a dying process counts only if it is named twice.
func waitForHolder(ctx context.Context, dir string) (h statefile.Holder, alive bool) {
	ctx, cancel := context.WithTimeout(ctx, holderDeadline)
	defer cancel()
	for dead := 0; ; {
		var err error
		if h, err = statefile.ReadHolder(dir); err == nil {
			for _, address := range h.Addresses {
				if answers(ctx, address) {
					return h, true
				}
			}
			switch {
			case !dying(h.PID):
				dead = 0
			case dead == h.PID:
				return h, false
			default:
				dead = h.PID
			}
		}
		select {
		case <-ctx.Done():
			return h, false
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// dying reports whether the process is a zombie or has SIGKILL pending, which it cannot
// obey while it sleeps uninterruptibly (proc(5), status). A missing process proves
// nothing: it would have released the lock, so the id is outdated or from another
// namespace.
func dying(pid int) bool {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "State":
			if strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X") {
				return true
			}
		case "SigPnd", "ShdPnd":
			if mask, err := strconv.ParseUint(value, 16, 64); err == nil && mask&(1<<(9-1)) != 0 {
				return true
			}
		}
	}
	return false
}

// answers reports whether a daemon responds at the address of its page, even if it
// requires a password or presents an unknown certificate.
func answers(ctx context.Context, address string) bool {
	if wrongPageURL(address) != nil {
		return false
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(address, "/")+"/-/healthy", nil)
	if err != nil {
		return false
	}
	// no data is sent; only the response counts
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	a, err := transport.RoundTrip(q)
	if err != nil {
		return false
	}
	return a.Body.Close() == nil
}

// reporterFiles returns the files of reporters in dir.
func reporterFiles(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range all {
		if e.Type().IsRegular() && strings.HasPrefix(e.Name(), "reporter-") && strings.HasSuffix(e.Name(), ".json") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// maxReporterFile is the maximum size of a reporter file that is copied, in bytes.
const maxReporterFile = 4 << 20

// takeOver creates the directory of a daemon that replaces one which cannot end, and
// copies its files there.
func takeOver(dir string) (string, error) {
	own := filepath.Join(dir, takeover)
	if err := os.Mkdir(own, 0o700); errors.Is(err, fs.ErrExist) {
		info, err := os.Lstat(own)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is no directory", own)
		}
		return own, err
	} else if err != nil {
		return "", err
	}
	names, err := reporterFiles(dir)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		raw, err := statefile.Read(dir, name, maxReporterFile)
		if err != nil {
			return "", err
		}
		if err := statefile.Write(own, name, raw, 0o600); err != nil {
			return "", err
		}
	}
	return own, nil
}

// adopt moves the files of a daemon that had taken over to their normal place.
func adopt(dir string) error {
	own := filepath.Join(dir, takeover)
	info, err := os.Lstat(own)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", own)
	}
	other, err := statefile.Acquire(own, statefile.Holder{PID: os.Getpid()})
	if errors.Is(err, statefile.ErrHeld) {
		return nil // the directory is in use
	}
	if err != nil {
		return err
	}
	defer func() { _ = other.Close() }()
	if err := adopt(own); err != nil { // the files of a later one are newer
		return err
	}
	if _, err := os.Lstat(filepath.Join(own, takeover)); err == nil {
		return nil // the directory is in use
	}
	names, err := reporterFiles(own)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(own, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return os.RemoveAll(own)
}

// An outbox starts the reporters as soon as the state directory has been read, and
// passes Reports to them. Only the reporters wait for the directory, at most for
// stateDeadline.
type outbox struct {
	node   string
	dir    string
	wanted bool
	make   func(dir string) ([]watch.Delivery, error)
	ready  chan struct{} // closed once it is known whether and where state is kept

	noting  sync.Mutex // serializes writes to the lock file
	mu      sync.Mutex // never held during I/O
	post    *watch.Dispatcher
	claimed claim
	me      statefile.Holder
	over    bool
}

// newOutbox returns the outbox, or an error in the reporters' configuration.
func newOutbox(node, dir string, wanted bool, reporters func(dir string) ([]watch.Delivery, error)) (*outbox, error) {
	if _, err := reporters(""); err != nil {
		return nil, err
	}
	return &outbox{node: node, dir: dir, wanted: wanted, make: reporters, ready: make(chan struct{}),
		me: statefile.Holder{PID: os.Getpid()}}, nil
}

// start claims the state directory and starts the reporters.
func (o *outbox) start(ctx context.Context) {
	type prepared struct {
		claim
		list []watch.Delivery
		err  error
	}
	done := make(chan prepared, 1)
	o.mu.Lock()
	me := o.me // addresses that are served later are recorded once the lock is held
	o.mu.Unlock()
	go func() {
		p := prepared{claim: claimState(ctx, o.dir, me)}
		if !p.silent {
			p.list, p.err = o.make(p.dir)
		}
		done <- p
	}()
	var p prepared
	select {
	case p = <-done:
	case <-ctx.Done():
		return
	case <-time.After(stateDeadline):
		p.problem = fmt.Errorf("%s does not respond: reporters have started without their saved state; restart nodewatch once the disk works", o.dir)
		p.list, p.err = o.make("")
		defer func() {
			go func() {
				late := <-done
				o.late(late.claim)
			}()
		}()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	p.claim.problem = errors.Join(p.claim.problem, p.err)
	if o.claimed = p.claim; !p.silent && !o.over {
		o.post = watch.NewDispatcher(o.node, p.list)
	}
	close(o.ready)
	o.note()
}

// late applies the claim of the state directory after the reporters have started
// without it: it keeps the lock, and if another daemon reports, it stops reporting
// here.
func (o *outbox) late(c claim) {
	o.mu.Lock()
	o.claimed.lock = c.lock
	post := o.post
	if !c.silent {
		post = nil
	} else {
		o.claimed, o.post = c, nil
	}
	o.note()
	o.mu.Unlock()
	if post != nil {
		post.Close(shutdownTimeout)
	}
}

// up records an address of the page, for other daemons that want the state directory.
func (o *outbox) up(address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.me.Addresses = append(o.me.Addresses, reachable(address))
	o.note()
}

// note writes the user of the state directory into the lock file, in a separate
// goroutine, as the caller holds mu. Without it, a second daemon would assume that
// this one hangs.
func (o *outbox) note() {
	lock := o.claimed.lock
	if lock == nil {
		return
	}
	go func() {
		o.noting.Lock()
		defer o.noting.Unlock()
		o.mu.Lock()
		me := o.me
		o.mu.Unlock()
		_ = lock.Note(me)
	}()
}

// judgeFile returns the file of the judge's state; false: it is not known yet, or none
// is kept, as by a second daemon.
func (o *outbox) judgeFile() (statefile.File, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	file := statefile.Judge(o.claimed.dir)
	return file, file.Persistent()
}

// take passes a Report to the reporters, if they have started.
func (o *outbox) take(r report.Report) {
	if p := o.posting(); p != nil {
		p.Enqueue(r)
	}
}

func (o *outbox) posting() *watch.Dispatcher {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.post
}

// deliveries returns the delivery status of the reporters.
func (o *outbox) deliveries(context.Context) ([]node.Delivery, error) {
	if p := o.posting(); p != nil {
		return p.State(), nil
	}
	return nil, nil
}

// state returns whether persistent state can be kept.
func (o *outbox) state(ctx context.Context) (node.StateDirectory, error) {
	select {
	case <-o.ready:
	case <-ctx.Done():
		return node.StateDirectory{}, ctx.Err()
	case <-time.After(time.Second): // the first View does not wait for it
		return node.StateDirectory{}, fmt.Errorf("%w: %s has not answered yet", watch.ErrHeld, o.dir)
	}
	o.mu.Lock()
	c := o.claimed
	o.mu.Unlock()
	switch {
	case errors.Is(c.problem, errNoStateDirectory) && !o.wanted:
		return node.StateDirectory{}, fmt.Errorf("%s: %w", o.dir, fs.ErrNotExist)
	case c.problem != nil:
		return node.StateDirectory{}, errors.New(strings.ReplaceAll(c.problem.Error(), "\n", "; "))
	}
	if err := statefile.Check(o.dir); err != nil {
		return node.StateDirectory{}, errors.New(err.Error()) // a removed directory is not an absent source either
	}
	return node.StateDirectory{Path: o.dir}, nil
}

// close stops the reporters.
func (o *outbox) close(wait time.Duration) {
	o.mu.Lock()
	o.over = true
	p := o.post
	o.mu.Unlock()
	if p != nil {
		p.Close(wait)
	}
}
