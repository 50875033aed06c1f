package host

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkRead reads this machine's state without a scan of all threads, as each
// poll does.
func BenchmarkRead(b *testing.B) {
	r := NewReader(os.DirFS("/proc"), Limits{IOPressure: 101, LoadPerCPU: 1e6})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(b.Context()); err != nil {
			b.Skip("no procfs here:", err)
		}
	}
}

// BenchmarkLook scans 3,000 real threads, as many as a hypervisor with 65 guests has.
func BenchmarkLook(b *testing.B) {
	const threads = 3000
	if n := limitOf("/proc/sys/kernel/threads-max"); n > 0 && n < 2*threads {
		b.Skipf("this kernel allows %d threads", n)
	}
	started, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	for range threads {
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
			started <- struct{}{}
			<-release
		}()
	}
	for range threads {
		<-started
	}
	proc := os.DirFS("/proc")
	b.ReportAllocs()
	for b.Loop() {
		if w := findWaiting(b.Context(), proc, Threads, threads); w.Partly {
			b.Fatalf("not all threads were read: %+v", w)
		}
	}
}

func limitOf(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return n
}
