package host

import (
	"context"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// crowd returns a procfs of n processes with one waiting thread each, i of them named by
// name(i).
func crowd(n int, name func(int) string) fstest.MapFS {
	proc := fstest.MapFS{}
	for i := 1; i <= n; i++ {
		path := fmt.Sprintf("%d/task/%d/stat", i, i)
		proc[path] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d (%s) D 1 1 1 0 -1 0", i, name(i))}
	}
	return proc
}

func worker(int) string { return "worker" }

func TestRaised(t *testing.T) {
	limits := NewReader(nil, Limits{})
	tests := []struct {
		name string
		s    State
		want bool
	}{
		{"calm", State{CPUs: 4, Load: [3]float64{3, 9, 9}, IO: &Pressure{Some10: 4.99, Some60: 50}}, false},
		{"no pressure, calm", State{CPUs: 4, Load: [3]float64{5.99}}, false},
		{"no pressure, load", State{CPUs: 4, Load: [3]float64{6}}, true},
		{"pressure", State{CPUs: 4, IO: &Pressure{Some10: 5}}, true},
		{"pressure of CPU only", State{CPUs: 4, IO: &Pressure{}, CPU: &Pressure{Some10: 90}}, false},
	}
	for _, tt := range tests {
		if got := limits.raised(tt.s); got != tt.want {
			t.Errorf("%s: want %v, got %v", tt.name, tt.want, got)
		}
	}
}

func TestWaitingNames(t *testing.T) {
	name := func(i int) string {
		if i <= 5 {
			return "often"
		}
		return fmt.Sprintf("once%02d", i)
	}
	got := findWaiting(t.Context(), crowd(30, name), Threads, 30)
	want := map[string]int{"often": 5, "other": 6}
	for i := 6; i <= 24; i++ {
		want[fmt.Sprintf("once%02d", i)] = 1
	}
	if diff := cmp.Diff(&Waiting{Total: 30, ByComm: want}, got); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
}

func TestWaitingPartly(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	one := func(path string, err error) fs.FS {
		return denying{crowd(10, worker), map[string]error{path: err}}
	}
	tests := []struct {
		name    string
		ctx     context.Context
		proc    fs.FS
		limit   int
		threads int
		total   int
		partly  bool
	}{
		{"whole", t.Context(), crowd(10, worker), 10, 10, 10, false},
		{"limit", t.Context(), crowd(10, worker), 9, 10, 9, true},
		{"context ended", ended, crowd(10, worker), 10, 10, 0, true},
		{"hidden", t.Context(), crowd(10, worker), 50, 22, 10, true},
		{"thread gone", t.Context(), one("3/task/3/stat", syscall.ESRCH), 50, 10, 9, false},
		{"process gone", t.Context(), one("3/task", fs.ErrNotExist), 50, 10, 9, false},
		{"thread denied", t.Context(), one("3/task/3/stat", fs.ErrPermission), 50, 10, 9, true},
		{"no list", t.Context(), one(".", fs.ErrPermission), 50, 0, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := findWaiting(tt.ctx, tt.proc, tt.limit, tt.threads)
			if got.Total != tt.total || got.Partly != tt.partly {
				t.Errorf("want %d waiting, partly %v, got %+v", tt.total, tt.partly, got)
			}
		})
	}
}

// TestLooks: the more threads exist, the more reads reuse the result of a scan; a
// calm discards it.
func TestLooks(t *testing.T) {
	raised, calm := State{IO: &Pressure{Some10: 90}, CPUs: 1}, State{CPUs: 1}
	tests := []struct {
		threads int
		reads   string // one letter per read: raised or calm
		want    string // one letter per read: the scan that it returns, - for none, c for calm
	}{
		{200, "rrrr", "LLLL"},
		{1000, "rrrrr", "L-L-L"},
		{3000, "rrrrrr", "L---L-"},
		{1 << 20, "rrrrrrrrr", "L-----L--"},
		{3000, "rrcrr", "L-cL-"},
	}
	for _, tt := range tests {
		r := NewReader(fstest.MapFS{}, Limits{})
		got := ""
		for i, c := range tt.reads {
			r.proc = crowd(i+1, worker)
			switch w := r.waiting(t.Context(), map[rune]State{'r': raised, 'c': calm}[c], tt.threads); {
			case w == nil:
				got += "c"
			case w.Total == i+1:
				got += "L"
			default:
				got += "-"
			}
		}
		if got != tt.want {
			t.Errorf("%d threads: want %s, got %s", tt.threads, tt.want, got)
		}
	}
}

func TestParseTask(t *testing.T) {
	tests := []struct {
		in, comm string
		state    byte
		ok       bool
	}{
		{"1 (systemd) S 0 1", "systemd", 'S', true},
		{"4102 (CPU 0/KVM) D 1", "CPU 0/KVM", 'D', true},
		{"9 (a) D (b) R 1", "a) D (b", 'R', true},
		{"9 () D", "", 'D', true},
		{"9 (red\x1b[31m\xff) D 1", "red?[31m?", 'D', true},
		{"9 (cut", "", 0, false},
		{"9 (cut)", "", 0, false},
		{"9 )cut( D", "", 0, false},
		{"", "", 0, false},
	}
	for _, tt := range tests {
		comm, state, ok := parseTask([]byte(tt.in))
		if comm != tt.comm || state != tt.state || ok != tt.ok {
			t.Errorf("%q: want %q %c %v, got %q %c %v", tt.in, tt.comm, tt.state, tt.ok, comm, state, ok)
		}
	}
}
