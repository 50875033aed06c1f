// Package postgres is a real PostgreSQL server for tests: on loopback, as an
// unprivileged user, with its data in a directory that is removed with the test.
package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// startup is the time limit for the server's first response, on a very busy machine.
const startup = 2 * time.Minute

// A Server is a running PostgreSQL.
type Server struct {
	port    string
	schemas int
}

// root returns the directory of the module: the nearest one above the test's with a
// go.mod.
func root() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "."
}

// An installation contains the programs of a PostgreSQL server.
type installation struct {
	bin  string
	tree string // where tools/unpack has put it and its libraries; "": it is installed
}

// installed finds initdb and postgres. Without them the test is skipped, or fails if
// NODEWATCH_NO_SKIP is set.
func installed(t testing.TB) installation {
	t.Helper()
	unpacked := filepath.Join(root(), "bin", "debian")
	for _, i := range []installation{{filepath.Join(unpacked, "usr/lib/postgresql/*/bin"), unpacked}, {"/usr/lib/postgresql/*/bin", ""}} {
		found, err := filepath.Glob(i.bin)
		if err != nil {
			t.Fatal(err)
		}
		for _, i.bin = range found {
			if i.command(t.Context(), "postgres", "--version").Run() == nil {
				return i
			}
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return installation{bin: filepath.Dir(path)}
	}
	const why = "no PostgreSQL server to test with: make deps unpacks one"
	if os.Getenv("NODEWATCH_NO_SKIP") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
	return installation{}
}

// command returns a command with the path of its libraries.
func (i installation) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(i.bin, name), args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "TZ=UTC"}
	if i.tree != "" {
		if libraries, err := filepath.Glob(filepath.Join(i.tree, "usr/lib/*-linux-gnu")); err == nil {
			cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
		}
	}
	return cmd
}

// within returns the installation at a place that the user can access: an unpacked
// one below a directory that is closed to others, as a checkout may be, is copied to
// dir.
func (i installation) within(t testing.TB, dir string, as *syscall.Credential) installation {
	t.Helper()
	cmd := i.command(t.Context(), "postgres", "--version")
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if i.tree == "" || cmd.Run() == nil {
		return i
	}
	for _, part := range []string{"usr/lib", "usr/share/postgresql"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(i.tree, part))); err != nil {
			t.Fatal(err)
		}
	}
	bin, err := filepath.Rel(i.tree, i.bin)
	if err != nil {
		t.Fatal(err)
	}
	return installation{bin: filepath.Join(dir, bin), tree: dir}
}

// Start starts a server that ends with the test, even if the test is killed.
func Start(t testing.TB) *Server {
	t.Helper()
	dir := directory(t)
	data := filepath.Join(dir, "data")
	as := unprivileged(t, dir)
	server := installed(t).within(t, dir, as)
	run := func(name string, args ...string) *exec.Cmd {
		cmd := server.command(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}
		return cmd
	}
	if out, err := run("initdb", "-D", data, "-U", "nodewatch", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePort(t)
	process := run("postgres", "-D", data, "-h", "127.0.0.1", "-p", port, "-k", dir, "-c", "fsync=off", "-c", "jit=off", "-c",
		"shared_buffers=32MB", "-c", "max_connections=100")
	var output bytes.Buffer
	process.Stdout, process.Stderr = &output, &output
	process.Cancel = func() error { return process.Process.Signal(syscall.SIGQUIT) }
	process.WaitDelay = 10 * time.Second
	started, ended := make(chan error, 1), make(chan struct{})
	go func() { // the parent's death signal is sent at the end of the starting thread
		runtime.LockOSThread()
		defer runtime.UnlockOSThread() // else the thread ends, and with it the processes that it started before
		defer close(ended)
		err := process.Start()
		started <- err
		if err == nil {
			_ = process.Wait() // a signal ends it
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGQUIT) // the server may have ended
		<-ended
	})
	s := &Server{port: port}
	for deadline := time.Now().Add(startup); ; time.Sleep(50 * time.Millisecond) {
		err := s.exec(t.Context(), "SELECT 1")
		if err == nil {
			return s
		}
		select {
		case <-ended:
			t.Fatalf("postgres has ended:\n%s", &output)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("postgres does not answer: %v", err)
		}
	}
}

// Schema creates a new schema and returns the URL of a database with this schema
// only. This is faster than creating a database.
func (s *Server) Schema(t testing.TB) string {
	t.Helper()
	s.schemas++
	name := fmt.Sprintf("status%d", s.schemas)
	if err := s.exec(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	return s.url() + "&search_path=" + name
}

func (s *Server) url() string {
	return fmt.Sprintf("postgres://nodewatch@127.0.0.1:%s/postgres?sslmode=disable&connect_timeout=5", s.port)
}

func (s *Server) exec(ctx context.Context, statement string) error {
	db, err := sql.Open("pgx", s.url())
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}

// directory returns a directory that an unprivileged user can access, unlike the
// test's own.
func directory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nodewatch-database-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// unprivileged returns the user to run as, because PostgreSQL refuses to run as root;
// nil: the current user.
func unprivileged(t testing.TB, dir string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("PostgreSQL does not run as root, and there is no user nobody: %v", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
