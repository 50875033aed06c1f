//go:build lab

package lab

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// world is what all scenarios take turns with.
var world *World

// passed, failed count the scenarios that have ended.
var passed, failed atomic.Int32

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.list"); f != nil && f.Value.String() != "" {
		os.Exit(m.Run())
	}
	// Whoever started this may be killed; the lab must not outlive it.
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
	os.Exit(run(m))
}

func run(m *testing.M) int {
	begin := time.Now()
	if reason := missing(); reason != "" {
		fmt.Println("lab: skipped:", reason)
		return 0
	}
	bin, err := filepath.Abs(os.Getenv("LAB_BIN"))
	if err != nil {
		fmt.Println("lab:", err)
		return 1
	}
	// Never released: the end of the process is the end of it.
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if world, err = Build(ctx, bin, os.Getenv("KERNEL")); err != nil {
		fmt.Println("lab: could not be built:", err)
		return 1
	}
	context.AfterFunc(ctx, func() {
		world.Close()
		fmt.Println("lab: interrupted")
		os.Exit(130)
	})
	fmt.Printf("lab: kernel %s, up in %s\n", world.Kernel.Version, time.Since(begin).Round(time.Second))
	code := m.Run()
	if os.Getenv("KEEP") != "" && ctx.Err() == nil {
		fmt.Printf("lab: the guest stays up until this is interrupted; its shell: %s\n", world.Shell())
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		select {} // what was interrupted ends above
	}
	world.Close()
	fmt.Printf("lab: %d passed, %d failed, %s in all\n", passed.Load(), failed.Load(), time.Since(begin).Round(time.Second))
	return code
}

// missing says why the lab cannot run here; empty if it can.
func missing() string {
	if os.Getuid() != 0 {
		return "not root, which a network namespace and a TAP device take"
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return err.Error()
	}
	need := append([]string{"qemu-system-x86_64", "busybox", "ceph-mon", "ceph-osd", "ceph", "rbd", "dpkg-deb", "depmod", "ldd"}, programs...)
	for _, p := range need {
		if _, err := exec.LookPath(p); err != nil {
			return err.Error()
		}
	}
	if os.Getenv("LAB_BIN") == "" {
		return "LAB_BIN does not name the directory of the guest's programs; run make lab"
	}
	return ""
}
