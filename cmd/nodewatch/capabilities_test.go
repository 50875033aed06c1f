package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/internal/launcher"
)

// The daemon drops, on every thread, the capabilities that only the probe needs, and
// debugfs is still read: by the probe, which has no other capability. The daemon runs
// as under its unit: as its own user, with these capabilities as ambient ones.
func TestOnlyTheProbeMayReadDebugfs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a user capabilities")
	}
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0); errno == syscall.ENOTSUP {
		t.Skip("a build with cgo, as -race makes one, cannot change all threads: use CGO_ENABLED=0")
	}
	h := hypervisor{name: "capabilities", disks: 2, guests: 1, sessions: 2}
	h.build(t)
	for name, mode := range map[string]os.FileMode{"": 0o755, "sys/kernel/debug": 0o700} {
		if err := os.Chmod(filepath.Join(h.root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	own := []uintptr{unix.CAP_SYSLOG, unix.CAP_IPC_LOCK}
	programs := launcher.Capabilities()
	cmd := exec.Command("/proc/self/exe", "run", "--web.listen-address", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), asDaemon+"=1", "NODEWATCH_TEST_ROOT="+h.root, "RUNTIME_DIRECTORY=", "STATE_DIRECTORY=")
	cmd.Dir = "/"
	user := uint32(1<<20 + os.Getpid()) // nobody's
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}, AmbientCaps: slices.Concat(own, programs)}
	var said lockedBuffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	d := &hostileDaemon{t: t, cmd: cmd, url: pageURL.FindString(line), said: &said}
	if d.url == "" {
		t.Fatalf("the daemon says no address\n%s", said.String())
	}
	d.until("/metrics", `nodewatch_source_up{source="osdc"} 1`)
	d.until("/", "osd_request_timeout on")
	probe, running := process(cmd.Process.Pid).called("probe")
	if !running {
		t.Fatal("no probe")
	}
	for pid, want := range map[int][]uintptr{cmd.Process.Pid: own, int(probe): programs} {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		if len(threads) < 2 {
			t.Errorf("process %d: threads %v", pid, threads)
		}
		for _, thread := range threads {
			raw, err := os.ReadFile(thread)
			if err != nil {
				continue // the process has ended
			}
			for _, set := range []string{"CapPrm", "CapEff"} {
				if text := fmt.Sprintf("\n%s:\t%016x\n", set, bits(want)); !strings.Contains(string(raw), text) {
					t.Errorf("want %q in %s\n%s", text, thread, raw)
				}
			}
		}
	}
}

// bits parses capabilities in the kernel's format.
func bits(caps []uintptr) (set uint64) {
	for _, c := range caps {
		set |= 1 << c
	}
	return set
}
