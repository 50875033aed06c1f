//go:build lab

package lab

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.list"); f != nil && f.Value.String() != "" {
		os.Exit(m.Run())
	}
	// The parent may be killed; the lab must not outlive it.
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if reason := missing(); reason != "" {
		fmt.Println("lab: skipped:", reason)
		return 0
	}
	bin, err := filepath.Abs(os.Getenv("LAB_BIN"))
	if err != nil {
		fmt.Println("lab:", err)
		return 1
	}
	// The signal handler is never released: it ends with the process.
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	stage = &Stage{ctx: ctx, bin: bin, kernel: os.Getenv("KERNEL")}
	err = stage.Build()
	switch {
	case err != nil && ctx.Err() != nil:
		fmt.Println("lab: interrupted")
		return interrupted
	case errors.Is(err, errUnavailable):
		fmt.Println("lab: skipped:", err)
		return 0
	case err != nil:
		fmt.Println("lab: environment: could not be built:", err)
		return environmentFailed
	}
	context.AfterFunc(ctx, func() {
		stage.Close()
		fmt.Println("lab: interrupted")
		os.Exit(interrupted)
	})
	fmt.Printf("lab: kernel %s, up in %s\n", stage.world.Load().Kernel.Version, time.Since(begin).Round(time.Second))
	code := inOrder(m)
	if w := stage.world.Load(); w != nil && kept() && ctx.Err() == nil {
		fmt.Printf("lab: the guest stays up until this is interrupted; its shell: %s\n", w.Shell())
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		select {} // an interrupted run ends above
	}
	stage.Close()
	fmt.Println("lab:", count, "in", time.Since(begin).Round(time.Second))
	if code == 0 || count.failed > 0 {
		return code
	}
	if count.environment > 0 {
		return environmentFailed
	}
	return code
}

// kept reports whether the guest stays up at the end.
func kept() bool { return os.Getenv("KEEP") != "" }

const (
	environmentFailed = 3   // exit code if the environment failed, not nodewatch
	interrupted       = 130 // like the exit code of a shell whose command was ended by SIGINT
)

// missing returns why the lab cannot run here; empty: it can.
func missing() string {
	if os.Getuid() != 0 {
		return "not root, which a network namespace and a TAP device take"
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return err.Error()
	}
	need := append([]string{"qemu-system-x86_64", "busybox", "ceph-mon", "ceph-osd", "ceph", "rbd", "dpkg-deb", "depmod", "ldd"},
		programs...)
	for _, p := range need {
		if _, err := exec.LookPath(p); err != nil {
			return err.Error()
		}
	}
	if out, err := exec.Command("qemu-system-x86_64", "-netdev", "help").CombinedOutput(); err != nil ||
		!strings.Contains(string(out), "stream") {
		return "this QEMU has no network over a stream socket (7.2 and later have it)"
	}
	if os.Getenv("LAB_BIN") == "" {
		return "LAB_BIN does not name the directory of the guest's programs; run make lab"
	}
	return ""
}
