package statefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// Only a regular file is read, and no symbolic link is followed, whatever is at the
// path of the file.
func TestReadOpensNothingButARegularFile(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]func(path string) error{
		"is a symbolic link": func(path string) error { return os.Symlink(secret, path) },
		// without a writer: opening it must not block
		"is not a regular file": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"is larger than":        func(path string) error { return os.WriteFile(path, make([]byte, 2049), 0o600) },
		"no such file":          func(string) error { return nil },
		"(d":                    func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		dir := t.TempDir()
		if err := place(filepath.Join(dir, "f")); err != nil {
			t.Fatal(err)
		}
		if raw, err := statefile.Read(dir, "f", 2048); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %q, %v, want an error with %q", raw, err, name)
		}
	}
}

// A symbolic link at the path of the file is replaced; its target is unchanged.
func TestWriteDoesNotFollowALink(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	if err := errors.Join(os.WriteFile(other, []byte("old"), 0o600), os.Symlink(other, filepath.Join(dir, "f"))); err != nil {
		t.Fatal(err)
	}
	if err := statefile.Write(dir, "f", []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(other); err != nil || string(raw) != "old" {
		t.Errorf("the link's target holds %q, %v", raw, err)
	}
	info, err := os.Lstat(filepath.Join(dir, "f"))
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("got %v, %v, want a regular file with 0644", info, err)
	}
}

func TestCleanRemovesOnlyAbandonedTemporaryFiles(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	for name, age := range map[string]time.Duration{".a.json.12.tmp": 2 * time.Hour, ".b.json.34.tmp": 0, "c.json": 48 * time.Hour,
		".lock": 48 * time.Hour} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, now.Add(-age), now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	if err := statefile.Clean(dir, now); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{".b.json.34.tmp", ".lock", "c.json"}, names(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The error for a directory that is missing, full, without free inodes or read-only
// names that cause.
func TestCheck(t *testing.T) {
	if err := statefile.Check(t.TempDir()); err != nil {
		t.Errorf("a usable directory: %v", err)
	}
	if err := statefile.Check(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if os.Getuid() != 0 {
		t.Skip("mounting file systems needs root")
	}
	for _, c := range []struct {
		options string
		flags   uintptr
		want    error
	}{
		{"size=64k", 0, syscall.ENOSPC},
		{"size=8m,nr_inodes=4", 0, syscall.ENOSPC},
		{"size=8m", syscall.MS_RDONLY, syscall.EROFS},
	} {
		dir := t.TempDir()
		if err := syscall.Mount("nodewatch-test", dir, "tmpfs", c.flags, c.options); err != nil {
			t.Skip("this root may not mount:", err)
		}
		err := statefile.Check(dir)
		if unmounted := syscall.Unmount(dir, syscall.MNT_DETACH); unmounted != nil {
			t.Fatal(unmounted)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.options, err, c.want)
		}
	}
}

func TestTheLockHasOneHolder(t *testing.T) {
	dir := t.TempDir()
	first, err := statefile.Acquire(dir, statefile.Holder{PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := statefile.Acquire(dir, statefile.Holder{PID: 8}); second != nil || !errors.Is(err, statefile.ErrHeld) {
		t.Errorf("got %v, %v, want %v", second, err, statefile.ErrHeld)
	}
	want := statefile.Holder{PID: 7, Addresses: []string{"http://127.0.0.1:10090/"}}
	if err := first.Note(want); err != nil {
		t.Fatal(err)
	}
	if got, err := statefile.ReadHolder(dir); err != nil || !cmp.Equal(want, got) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	third, err := statefile.Acquire(dir, statefile.Holder{PID: 9})
	if err != nil {
		t.Fatal("after the first has gone:", err)
	}
	if got, err := statefile.ReadHolder(dir); err != nil || got.PID != 9 {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
	link := t.TempDir()
	if err := os.Symlink("/dev/null", filepath.Join(link, "daemon.lock")); err != nil {
		t.Fatal(err)
	}
	if l, err := statefile.Acquire(link, statefile.Holder{}); l != nil || err == nil || errors.Is(err, statefile.ErrHeld) {
		t.Errorf("a link in its place: got %v, %v", l, err)
	}
}
