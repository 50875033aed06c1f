package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
)

// The thresholds and the limit of a scan for waiting tasks. A scan costs an open, a
// read and a close per thread (some 45 ms of CPU for 3,000 threads), so it is left
// out on a calm machine.
const (
	// IOPressure is the share of time, in percent, that some task waits for I/O. It
	// stays near zero while disks respond, and is near 100 when one hangs.
	IOPressure = 5
	// LoadPerCPU is the one-minute load per CPU. It includes tasks in uninterruptible
	// sleep, so it also detects them on kernels without pressure information.
	LoadPerCPU = 1.5
	// Threads is the most that a scan reads: some 20 times the threads of a
	// hypervisor with 65 guests, in less than a second of CPU.
	Threads = 50_000
)

// The number of reads for which the result of a scan is reused, as it costs more than
// all other files together: one more for each 1,000 threads, and no more than five
// more.
const (
	lookThreads = 1000
	lookRest    = 5
)

// Limits are the thresholds and the limit of a scan for waiting tasks. A zero field
// means the constant of the same name.
type Limits struct {
	IOPressure float64 // percent of time some task waits for I/O, over 10 s, at which to scan
	LoadPerCPU float64 // one-minute load per CPU at which to scan
	Threads    int     // the most that a scan reads
}

// The size limits of files, in bytes, above any real size: the rest of a longer file
// is not read.
const (
	small = 4 << 10 // one number or one line
	large = 1 << 20 // one line per CPU, interrupt or mount
)

// A Reader reads the host's state. It must be used by one goroutine only.
type Reader struct {
	proc   fs.FS
	limits Limits
	found  *Waiting // result of the latest scan; never changed
	rest   int      // number of reads that may still reuse it
}

// NewReader returns a Reader of proc, which is the root of a procfs:
// os.DirFS("/proc"). Open directories must be [fs.ReadDirFile].
func NewReader(proc fs.FS, limits Limits) *Reader {
	if limits.IOPressure == 0 {
		limits.IOPressure = IOPressure
	}
	if limits.LoadPerCPU == 0 {
		limits.LoadPerCPU = LoadPerCPU
	}
	if limits.Threads == 0 {
		limits.Threads = Threads
	}
	return &Reader{proc: proc, limits: limits}
}

// Read reads the state. None of the files it opens waits for storage, memory or
// network locks. A value that this kernel does not have is nil; Errors names those
// that exist but could not be read. Read fails only if it cannot read release, boot
// time, CPUs and load. When ctx ends, the scan for waiting tasks stops and its result
// is partial.
func (r *Reader) Read(ctx context.Context) (State, error) {
	var s State
	threads, err := r.base(&s)
	if err != nil {
		return State{}, fmt.Errorf("host: %w", err)
	}
	note := func(err error) {
		if err != nil {
			s.Errors = append(s.Errors, err.Error())
		}
	}
	s.BootID, err = r.line("sys/kernel/random/boot_id")
	note(err)
	s.Version, err = r.line("version")
	note(err)
	s.Signature, err = r.line("version_signature")
	note(absent(err))
	s.IO, err = r.pressure("pressure/io")
	note(err)
	s.CPU, err = r.pressure("pressure/cpu")
	note(err)
	s.Memory, err = r.pressure("pressure/memory")
	note(err)
	s.Hung, err = r.hung()
	note(err)
	s.Softnet, err = read(r, "net/softnet_stat", large, parseSoftnet)
	note(err)
	s.CephFS, err = r.cephFS()
	note(err)
	s.Waiting = r.waiting(ctx, s, threads)
	return s, nil
}

// waiting scans for waiting tasks if there may be some. With many threads it reuses
// the result for some further reads.
func (r *Reader) waiting(ctx context.Context, s State, threads int) *Waiting {
	if !r.raised(s) {
		r.found, r.rest = nil, 0
		return nil
	}
	if r.rest == 0 {
		r.found, r.rest = findWaiting(ctx, r.proc, r.limits.Threads, threads), 1+min(threads/lookThreads, lookRest)
	}
	r.rest--
	return r.found
}

// base reads the values that every Linux has, and returns the number of threads.
func (r *Reader) base(s *State) (threads int, err error) {
	if s.Release, err = r.line("sys/kernel/osrelease"); err != nil {
		return 0, err
	}
	b, err := r.file("stat", large)
	if err != nil {
		return 0, err
	}
	if s.Boot, s.CPUs, err = parseStat(b); err != nil {
		return 0, fmt.Errorf("stat: %w", err)
	}
	if b, err = r.file("loadavg", small); err != nil {
		return 0, err
	}
	if s.Load, threads, err = parseLoad(b); err != nil {
		return 0, fmt.Errorf("loadavg: %w", err)
	}
	return threads, nil
}

// raised reports whether tasks may be waiting.
func (r *Reader) raised(s State) bool {
	return s.IO != nil && s.IO.Some10 >= r.limits.IOPressure ||
		s.Load[0] >= r.limits.LoadPerCPU*float64(s.CPUs)
}

// pressure reads a file of /proc/pressure. It returns nil if the kernel was built
// without (no file) or started without pressure information (psi=0: it cannot be
// read).
func (r *Reader) pressure(name string) (*Pressure, error) {
	p, err := read(r, name, small, parsePressure)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return nil, nil
	}
	return p, absent(err)
}

// hung reads the number of hung tasks that the kernel has found since boot, in Linux
// 6.13 and later (kernel/hung_task.c).
func (r *Reader) hung() (*uint64, error) {
	n, err := read(r, "sys/kernel/hung_task_detect_count", small, parseCount)
	if err != nil {
		return nil, absent(err)
	}
	return &n, nil
}

// cephFS looks for a mount of CephFS. If the list of mounts is too long to be read in
// full, it searches the part that was read.
func (r *Reader) cephFS() (bool, error) {
	b, err := r.file("self/mounts", large)
	found := hasCephFS(b)
	if found {
		return true, nil
	}
	return false, err
}

// read reads and parses one file.
func read[T any](r *Reader, name string, limit int, parse func([]byte) (T, error)) (T, error) {
	var none T
	b, err := r.file(name, limit)
	if err != nil {
		return none, err
	}
	v, err := parse(b)
	if err != nil {
		return none, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// line reads a file of one line.
func (r *Reader) line(name string) (string, error) {
	b, err := r.file(name, small)
	if err != nil {
		return "", err
	}
	return cleanLine(b), nil
}

// file reads a file of at most limit bytes. For a longer file it returns the first
// limit bytes and an error.
func (r *Reader) file(name string, limit int) ([]byte, error) {
	f, err := r.proc.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(b) > limit {
		return b[:limit], fmt.Errorf("%s: longer than %d bytes", name, limit)
	}
	return b, nil
}

// absent returns nil for an error that means "does not exist", and other errors
// unchanged.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// cleanLine returns the first line, without its newline and unprintable characters.
func cleanLine(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.ToValidUTF8(strings.TrimSpace(line), "?")
}
