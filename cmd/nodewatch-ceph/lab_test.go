//go:build ceph

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ceph/go-ceph/rados"

	"github.com/nodewatch/nodewatch/test/cephlab"
)

// A lab is a real cluster with a connected administrator, and nodewatch-ceph as it is
// shipped: without the race detector, with which each of its many starts takes a second.
type lab struct {
	*cephlab.Cluster
	t       *testing.T
	admin   *rados.Conn
	program string // path of nodewatch-ceph
}

// build builds nodewatch-ceph into a directory, and returns its path.
func build(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, "nodewatch-ceph")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "ceph,pacific", "-ldflags=-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
}

// startLab starts a cluster and connects to it. The connection is never shut down,
// because that would block without a monitor.
func startLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{Cluster: cephlab.Start(t), t: t}
	var err error
	if l.program, err = build(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if l.admin, err = rados.NewConnWithUser("admin"); err != nil {
		t.Fatal(err)
	}
	if err = l.admin.ReadConfigFile(l.Conf); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"client_mount_timeout": "20", "rados_mon_op_timeout": "20", "rados_osd_op_timeout": "20",
		"admin_socket": "", "log_file": ""} {
		if err = l.admin.SetConfigOption(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err = l.admin.Connect(); err != nil {
		t.Fatalf("connect: %v", err)
	}
	return l
}

// must sends a command to the monitor, which must succeed.
func (l *lab) must(command string) string {
	l.t.Helper()
	b, info, err := l.admin.MonCommand([]byte(command))
	if err != nil {
		l.t.Fatalf("%s: %s: %v", command, info, err)
	}
	return string(b)
}
