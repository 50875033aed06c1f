package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// fakeChild returns a cephChild whose child is a script.
func fakeChild(t *testing.T, script string, v judge.View) *cephChild {
	t.Helper()
	dir := t.TempDir()
	c := config.Default().Ceph
	c.Child, c.Keyring = filepath.Join(dir, "child"), filepath.Join(dir, "keyring")
	installFile(t, c.Child, []byte("#!/bin/sh\n"+script+"\n"), 0o755)
	installFile(t, c.Keyring, nil, 0o600)
	return newCephChild(c, localLauncher(t), func() (judge.View, bool) { return v, true })
}

// localLauncher returns a launcher in the test's process.
func localLauncher(t *testing.T) *launcher.Client {
	t.Helper()
	l, err := launcher.Local()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestCephChildIsAskedForThisNodesImages(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	s := node.Snapshot{Now: at}.Take(node.Entry{At: at, Obs: node.SawMapped{Reading: node.Reading[[]rbd.Mapped]{At: at, Value: []rbd.Mapped{
		{Device: "rbd0", Pool: "rbd", Image: "vm-101-disk-0", ClientAddr: "192.0.2.12"},
		{Device: "rbd1", Pool: "rbd", Image: "vm-102-disk-0", ClientAddr: "192.0.2.12"},
	}}}})
	asked := filepath.Join(t.TempDir(), "asked") // a pipe: the child may not write files
	if err := syscall.Mkfifo(asked, 0o600); err != nil {
		t.Fatal(err)
	}
	request := make(chan []byte, 1)
	go func() {
		raw, _ := os.ReadFile(asked) // a missing file is detected below
		request <- raw
	}()
	c := fakeChild(t, `cat > `+asked+`; echo '{"fsid":"33b862db-5e43-43fb-927c-e4b2e2132a65","health":{"status":"HEALTH_OK"}}'`,
		judge.View{Snapshot: s})
	got, err := c.read(t.Context())
	if err != nil || got.Health.Status != "HEALTH_OK" {
		t.Fatalf("got %+v, %v", got, err)
	}
	raw := <-request
	for _, want := range []string{`"addrs":["192.0.2.12"]`, `"name":"vm-101-disk-0"`, `"name":"vm-102-disk-0"`,
		`"name":"client.nodewatch"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the child was not told %s in %s", want, raw)
		}
	}
}

func TestCephChildThatFails(t *testing.T) {
	for script, want := range map[string]error{
		"echo nodewatch-ceph: not let in >&2; exit 5": fs.ErrPermission,
		"exit 4":     errors.ErrUnsupported,
		"exit 1":     nil,
		"echo '{'":   nil,
		"kill -9 $$": nil,
	} {
		_, err := fakeChild(t, script, judge.View{}).read(t.Context())
		if err == nil || want != nil && !errors.Is(err, want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %v in one line", script, err, want)
		}
	}
	c := fakeChild(t, "true", judge.View{})
	c.Keyring += "-that-is-not-there"
	if _, err := c.read(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a keyring: got %v", err)
	}
	c.Child += "-that-is-not-there"
	if _, err := c.read(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a child: got %v", err)
	}
}

// A late child is killed; while it is alive no other is started.
func TestCephChildThatIsLate(t *testing.T) {
	up := filepath.Join(t.TempDir(), "up")
	if err := syscall.Mkfifo(up, 0o600); err != nil {
		t.Fatal(err)
	}
	c := fakeChild(t, "echo >"+up+"; exec sleep 600", judge.View{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.read(ctx)
		ended <- err
	}()
	if _, err := os.ReadFile(up); err != nil { // the pipe opens once the child runs
		t.Fatal(err)
	}
	if _, err := c.read(t.Context()); !errors.Is(err, launcher.ErrBusy) {
		t.Errorf("a second child was started: %v", err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// During a storm the cluster is queried less often, and then not at all.
func TestCephChildIsHeldInAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCephChild(config.Default().Ceph, nil, nil)
		storm := judge.View{Report: report.Report{Findings: []report.Finding{{Rule: "krbd-retry-storm"}}}}
		c.latest = time.Now()
		asked := 0
		for minute := range 60 {
			v := storm
			if minute >= 50 {
				v = judge.View{}
			}
			if err := c.held(v); err == nil {
				asked++
				c.latest = time.Now()
			} else if !errors.Is(err, watch.ErrHeld) {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if minute == 49 && asked != 3 {
				t.Errorf("asked %d times in 50 minutes of a storm, want at 5, 10 and 15 minutes", asked)
			}
		}
		if asked != 3+10 {
			t.Errorf("asked %d times, want each minute again after the storm", asked)
		}
	})
}
