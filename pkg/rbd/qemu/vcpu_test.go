package qemu

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

// A vcpuScene is a guest whose threads run as the test directs.
type vcpuScene struct {
	rbdtest.Proc
	watch vcpuWatch
	of    Process
}

func newVCPUScene(threads ...string) *vcpuScene {
	s := &vcpuScene{Proc: rbdtest.Proc{MapFS: fstest.MapFS{}}, of: Process{PID: 50, Start: 7}}
	s.watch = newVCPUWatch(s)
	for i, comm := range threads {
		s.File(fmt.Sprintf("50/task/%d/comm", 50+i), comm+"\n")
		s.run(i, 1)
	}
	return s
}

// run sets how often a thread was put on a CPU to n.
func (s *vcpuScene) run(thread int, n int) {
	s.File(fmt.Sprintf("50/task/%d/schedstat", 50+thread), fmt.Sprintf("%d 2 %d\n", n*1000, n))
	s.stat(thread, 'S', n)
}

func (s *vcpuScene) stat(thread int, state byte, ticks int) {
	s.File(fmt.Sprintf("50/task/%d/stat", 50+thread), fmt.Sprintf("%d (CPU 0/KVM) %c 1 1 1 0 -1 0 0 0 0 0 %d 0 0 0 20 0 1 0 7 0 0\n",
		50+thread, state, ticks))
}

// look reads once, and returns the state.
func (s *vcpuScene) look(incoming bool) string {
	s.watch.read([]Process{s.of})
	state, reason := s.watch.state(s.of, incoming)
	return strings.TrimSpace(state + " " + reason)
}

func (s *vcpuScene) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	for i, w := range want {
		if got := s.look(false); got != w {
			t.Errorf("%s, reading %d: got %q, want %q", what, i+1, got, w)
		}
	}
}

func TestStoppedVCPUs(t *testing.T) {
	s := newVCPUScene("kvm", "CPU 0/KVM", "CPU 1/KVM", "IO iothread0")
	s.expect(t, "from the start", "", "", "paused", "paused")
	s.run(3, 9)
	s.run(0, 9)
	s.expect(t, "other threads run", "paused")
	s.run(2, 2)
	s.expect(t, "one continues", "running")
	s.run(2, 3)
	s.expect(t, "it runs", "running")
	s.run(1, 2)
	s.run(2, 4)
	s.expect(t, "both run", "running")
	s.expect(t, "it stops", "", "", "paused") // the counts of the others are read first
	s.run(1, 3)
	s.expect(t, "the other continues", "running")
}

func TestVCPUsThatAreNotPaused(t *testing.T) {
	s := newVCPUScene("qemu", "CPU 0/KVM")
	s.stat(1, 'D', 1)
	s.expect(t, "it waits for the host", "", "", "", "")

	s = newVCPUScene("qemu", "CPU 0/KVM")
	for range 6 {
		if got := s.look(true); got != "" && got != "paused migration" {
			t.Errorf("incoming: got %q", got)
		}
	}
	s.run(1, 5)
	if got := s.look(true); got != "running" {
		t.Errorf("got %q", got)
	}
	for range 4 {
		s.look(true)
	}
	if got := s.look(true); got != "paused" {
		t.Errorf("paused after its migration: got %q", got)
	}
}

// Without the scheduler's counts the CPU time in ticks shows the state; without names
// the state is unknown, and that is reported.
func TestVCPUsWithLessToSee(t *testing.T) {
	s := newVCPUScene("qemu", "vcpu0")
	delete(s.MapFS, "50/task/51/schedstat")
	s.expect(t, "ticks", "", "", "paused")
	s.stat(1, 'R', 2)
	s.expect(t, "a tick", "running")

	s = newVCPUScene("kvm", "kvm", "kvm")
	s.expect(t, "no names", "", "", "", "")
	var partly guest.Partly
	s.watch.missing(&partly)
	if partly.String() == "" || partly.Remedies() != remedyThreads {
		t.Errorf("got %q, %q", partly.String(), partly.Remedies())
	}

	// A virtual CPU is plugged in and unplugged again.
	s = newVCPUScene("qemu", "CPU 0/KVM")
	s.expect(t, "one", "", "", "paused", "paused")
	delete(s.MapFS, "50/task/51/comm")
	delete(s.MapFS, "50/task/51/stat")
	delete(s.MapFS, "50/task/51/schedstat")
	s.File("50/task/60/comm", "CPU 1/KVM\n")
	s.run(10, 1)
	s.expect(t, "another", "", "", "", "paused")
}

// A real QEMU is paused while it waits for the command to start; then it runs; then
// its manager stops it.
func TestVCPUsOfARealQEMU(t *testing.T) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("no QEMU; on Debian: apt-get install qemu-system-x86")
	}
	socket := filepath.Join(t.TempDir(), "qmp")
	cmd := exec.Command(qemu, "-name", "pause,debug-threads=on", "-accel", "tcg", "-S", "-m", "32", "-nodefaults", "-display", "none",
		"-qmp", "unix:"+socket+",server=on,wait=off")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	deadline := time.Now().Add(3 * time.Minute)
	var conn net.Conn
	for conn == nil {
		if conn, err = net.Dial("unix", socket); err != nil && time.Now().After(deadline) {
			t.Fatal("QEMU does not come up:", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(command string) {
		t.Helper()
		_ = conn.SetDeadline(deadline)
		fmt.Fprintf(conn, "{\"execute\":%q}\n", command)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(command, err)
			}
			if strings.Contains(line, `"return"`) {
				return
			}
		}
	}
	say("qmp_capabilities")
	start, err := procStart(os.DirFS("/proc"), cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p := Process{PID: cmd.Process.Pid, Start: start}
	watch := newVCPUWatch(hostfs.FS("/proc"))
	until := func(want string) {
		t.Helper()
		for time.Now().Before(deadline) {
			watch.read([]Process{p})
			if state, _ := watch.state(p, false); state == want {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("never %s: %+v", want, watch.known)
	}
	until("paused")
	say("cont")
	until("running")
	say("stop")
	until("paused")
	say("cont")
	until("running")
}
