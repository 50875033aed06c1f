package host

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"syscall"
)

// maxNames is the maximum number of names in Waiting.ByComm.
const maxNames = 20

// uninterruptible is the letter of a task in uninterruptible sleep (proc(5)).
const uninterruptible = 'D'

// A taskRead is one pass over every thread of /proc.
type taskRead struct {
	proc    fs.FS
	left    int       // threads it may still read
	seen    int       // threads it has read
	buf     [512]byte // the name and the state are within the first 300
	found   map[string]int
	waiting Waiting
}

// findWaiting counts the threads in uninterruptible sleep. It opens only
// /proc/PID/task/TID/stat, which takes no lock that a stuck task may hold; cmdline and
// status would. The result is marked partial if less than half of the threads that the
// kernel counts were visible: hidepid and pid namespaces hide tasks.
func findWaiting(ctx context.Context, proc fs.FS, limit, threads int) *Waiting {
	l := taskRead{proc: proc, left: limit, found: map[string]int{}}
	l.each(ctx, ".", func(pid string) {
		l.each(ctx, pid+"/task", func(tid string) {
			l.thread(pid + "/task/" + tid + "/stat")
		})
	})
	if l.seen < threads/2 {
		l.waiting.Partly = true
	}
	l.waiting.ByComm = frequent(l.found, maxNames)
	return &l.waiting
}

// each calls do with every numeric name in a directory, up to the scan's limit.
func (l *taskRead) each(ctx context.Context, dir string, do func(name string)) {
	f, err := l.proc.Open(dir)
	if err != nil {
		l.failed(err)
		return
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		l.waiting.Partly = true
		return
	}
	for {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			if !isNumber(e.Name()) {
				continue
			}
			if l.left <= 0 || ctx.Err() != nil {
				l.waiting.Partly = true
				return
			}
			do(e.Name())
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			l.failed(err)
			return
		}
	}
}

// thread reads one stat file.
func (l *taskRead) thread(name string) {
	l.left--
	f, err := l.proc.Open(name)
	if err != nil {
		l.failed(err)
		return
	}
	defer f.Close()
	n, err := f.Read(l.buf[:])
	if err != nil && !errors.Is(err, io.EOF) {
		l.failed(err)
		return
	}
	l.seen++
	if comm, state, ok := parseTask(l.buf[:n]); ok && state == uninterruptible {
		l.waiting.Total++
		l.found[comm]++
	}
}

// failed counts a task that could not be read, unless it has just exited.
func (l *taskRead) failed(err error) {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
		l.waiting.Partly = true
	}
}

// frequent keeps the most frequent names, and sums the rest under "other".
func frequent(found map[string]int, most int) map[string]int {
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(found[b], found[a]), cmp.Compare(a, b))
	})
	kept := make(map[string]int, min(len(names), most+1))
	for i, name := range names {
		if i < most {
			kept[name] = found[name]
		} else {
			kept[other] += found[name]
		}
	}
	return kept
}

// other is the key in Waiting.ByComm for all names not listed.
const other = "other"

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
