package override

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// The file in the state directory, and its former name, which is read if the new file
// does not exist.
const (
	name    = "overrides.json"
	oldName = "wishes.json"
)

// Read returns the overrides in the state directory dir; none if there is no file.
func Read(_ context.Context, dir string) (Overrides, error) {
	raw, err := statefile.Read(dir, name, maxSize)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = statefile.Read(dir, oldName, maxSize)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Overrides{}, nil
	}
	if err != nil {
		return Overrides{}, fmt.Errorf("overrides: %w", err)
	}
	return Parse(bytes.NewReader(raw))
}

// Change changes the overrides in dir by the given function. Only one change runs at a
// time, and a crash at any moment leaves either the old or the new overrides. The file
// is readable by all users. Change waits for another change to end, at most until ctx
// ends.
func Change(ctx context.Context, dir string, change func(Overrides) (Overrides, error)) error {
	lock, err := os.OpenFile(filepath.Join(dir, "."+name+".lock"),
		os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("overrides: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := locked(ctx, lock); err != nil {
		return fmt.Errorf("overrides: %s: %w", lock.Name(), err)
	}
	old, err := Read(ctx, dir)
	if err != nil {
		return err
	}
	changed, err := change(old)
	if err != nil {
		return err
	}
	if err := changed.Check(); err != nil {
		return err
	}
	if err := write(dir, changed); err != nil {
		return fmt.Errorf("overrides: %w", err)
	}
	return nil
}

// lockEvery is the retry interval for a lock held by another process.
const lockEvery = 100 * time.Millisecond

// locked locks f, or returns an error when ctx ends. It polls because a wait in flock(2)
// would not end with ctx.
func locked(ctx context.Context, f *os.File) error {
	again := time.NewTicker(lockEvery)
	defer again.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("locked by another command: %w", ctx.Err())
		}
	}
}

// write replaces the old file with the new one.
func write(dir string, w Overrides) error {
	raw, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	if err := statefile.Write(dir, name, append(raw, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, oldName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
