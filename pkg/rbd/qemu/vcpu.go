package qemu

import (
	"io/fs"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// A guest is paused if its virtual CPUs do not run: QEMU makes their threads wait, so
// their CPU time does not change while the process lives. This sign has known limits:
//
//   - It does not show who paused the guest, or why. A guest that a migration fills
//     is distinguished by its command line, until it has run.
//   - A guest that has crashed, or was shut down and is kept (-no-shutdown), has
//     virtual CPUs that do not run as well. One that merely idles has not: its
//     clock ticks.
//   - It takes vcpuStill reads to see, of which the daemon makes one in 30 s.
//   - Threads must have names (-name debug-threads=on): where QEMU gives them none,
//     a guest that runs is seen to, but not one that is paused.

// vcpuStill is the number of consecutive reads in which no virtual CPU may have run:
// a minute, at the daemon's interval.
const vcpuStill = 2

// vcpuMax is the maximum number of virtual CPUs of a guest; QEMU currently supports
// at most 4096.
const vcpuMax = 4096

// A vcpuWatch tracks the threads of virtual machines that are virtual CPUs. It reads
// comm, schedstat and stat of threads, none of which waits for a thread.
type vcpuWatch struct {
	proc  fs.FS
	known map[processKey]*vcpus
	bare  int // guests whose threads have no individual names
}

func newVCPUWatch(proc fs.FS) vcpuWatch {
	return vcpuWatch{proc: proc, known: map[processKey]*vcpus{}}
}

// vcpus are the virtual CPUs of one guest.
type vcpus struct {
	threads []vcpu
	reads   int
	bare    bool // its threads have no individual names
	whole   bool // the counts of all threads are from the latest read
	front   int  // the thread to read first: it was the last that ran
	still   int  // number of consecutive reads in which none had run
	ran     bool // one has run since the guest was first seen
	running bool // one has run since the previous read
}

type vcpu struct {
	dir  string // PID/task/TID
	used uint64 // its count, as returned by vcpuWatch.used
}

// read updates the guests' virtual CPUs.
func (w *vcpuWatch) read(list []Process) {
	alive := make(map[processKey]*vcpus, len(list))
	w.bare = 0
	for _, p := range list {
		key := processKey{p.PID, p.Start}
		v := w.known[key]
		if v == nil {
			v = &vcpus{}
		}
		alive[key] = v
		w.look(p, v)
		if v.bare && v.reads >= procYoung {
			w.bare++
		}
	}
	w.known = alive
}

// look determines whether a virtual CPU has run since the previous read. For a
// running guest that takes one file.
func (w *vcpuWatch) look(p Process, v *vcpus) {
	v.reads++
	if v.reads <= procYoung || len(v.threads) == 0 && v.reads%askAgain == 0 {
		w.list(p, v)
	}
	v.running = false
	if v.front < len(v.threads) {
		t := &v.threads[v.front]
		if used, ok := w.used(t.dir); ok && used != t.used {
			t.used, v.running = used, v.reads > 1
			v.whole, v.still = false, 0
			v.ran = v.ran || v.running
			return
		}
	}
	w.lookAll(p, v)
}

// lookAll reads the counts of all virtual CPUs.
func (w *vcpuWatch) lookAll(p Process, v *vcpus) {
	moved, gone := -1, false
	for i := range v.threads {
		used, ok := w.used(v.threads[i].dir)
		if !ok {
			gone = true
		} else if used != v.threads[i].used {
			moved, v.threads[i].used = i, used
		}
	}
	switch {
	case gone:
		w.list(p, v)
		v.whole, v.still = false, 0
	case len(v.threads) == 0:
	case moved >= 0 && v.whole:
		v.front, v.running, v.ran = moved, true, true
		v.still = 0
	case !v.whole: // the others' last read is of unknown age
		v.whole, v.still = true, 0
	default:
		v.still++
	}
}

// list finds the threads that are virtual CPUs. It keeps their previous counts.
func (w *vcpuWatch) list(p Process, v *vcpus) {
	dir := strconv.Itoa(p.PID) + "/task"
	entries, err := fs.ReadDir(w.proc, dir)
	if err != nil {
		return
	}
	before := make(map[string]uint64, len(v.threads))
	for _, t := range v.threads {
		before[t.dir] = t.used
	}
	v.threads, v.front, v.bare = v.threads[:0], 0, false
	for _, e := range entries[:min(len(entries), 4*vcpuMax)] {
		t := vcpu{dir: dir + "/" + e.Name()}
		comm, err := procRead(w.proc, t.dir+"/comm", 64)
		v.bare = v.bare || err == nil
		if err != nil || !vcpuComm(strings.TrimSuffix(string(comm), "\n")) || len(v.threads) == vcpuMax {
			continue
		}
		if used, known := before[t.dir]; known {
			t.used = used
		} else {
			t.used, _ = w.used(t.dir)
			v.whole = false
		}
		v.threads = append(v.threads, t)
	}
	v.bare = v.bare && len(v.threads) == 0
}

// vcpuComm reports whether a thread is a virtual CPU by its name: QEMU's CPU 0/KVM, CPU
// 0/TCG and ALL CPUs/TCG, cloud-hypervisor's vcpu0.
func vcpuComm(comm string) bool {
	number, isCHV := strings.CutPrefix(comm, "vcpu")
	return strings.HasPrefix(comm, "CPU ") && strings.Contains(comm, "/") || strings.HasPrefix(comm, "ALL CPUs/") || isCHV &&
		naming.Digits(number)
}

// used returns a number that changes if a thread runs: how often it was put on a CPU
// (schedstat) or, if the kernel does not count that, its CPU time in clock ticks.
func (w *vcpuWatch) used(dir string) (n uint64, ok bool) {
	if data, err := procRead(w.proc, dir+"/schedstat", 256); err == nil {
		fields := strings.Fields(string(data))
		if len(fields) == 3 && fields[2] != "0" {
			n, err := strconv.ParseUint(fields[2], 10, 64)
			return n, err == nil
		}
	}
	s, err := procReadStat(w.proc, dir)
	return s.ticks, err == nil
}

// state returns the guest's state: running, paused, or empty if unknown; and the
// reason for a guest that waits for its migration.
func (w *vcpuWatch) state(p Process, incoming bool) (state, reason string) {
	v := w.known[processKey{p.PID, p.Start}]
	switch {
	case v == nil || len(v.threads) == 0:
		return "", ""
	case v.running:
		return "running", ""
	case v.still < vcpuStill:
		return "", ""
	case w.blocked(v):
		return "", ""
	case incoming && !v.ran:
		return "paused", "migration"
	}
	return "paused", ""
}

// blocked reports whether a virtual CPU sleeps uninterruptibly in the kernel: it
// waits for the host and was not paused.
func (w *vcpuWatch) blocked(v *vcpus) bool {
	for _, t := range v.threads {
		if s, err := procReadStat(w.proc, t.dir); err != nil || s.state == 'D' {
			return true
		}
	}
	return false
}

// missing returns which pauses cannot be detected.
func (w *vcpuWatch) missing(partly *guest.Partly) {
	if w.bare > 0 {
		partly.Add("whether " + strconv.Itoa(w.bare) +
			" of the virtual machines are paused is unknown without libvirt: their threads have no names")
		partly.Remedy(remedyThreads)
	}
}
