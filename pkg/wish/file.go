package wish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// name is the file's, in the state directory.
const name = "wishes.json"

// Read returns the wishes in the state directory dir; none if there is no file.
func Read(_ context.Context, dir string) (Wishes, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return Wishes{}, nil
	}
	if err != nil {
		return Wishes{}, fmt.Errorf("wish: %w", err)
	}
	defer func() { _ = f.Close() }()
	return Parse(f)
}

// Change changes the wishes in dir by the given function, one change at a time,
// so that a crash at any moment leaves the old or the new ones. Everybody may read them.
func Change(dir string, change func(Wishes) (Wishes, error)) error {
	lock, err := os.OpenFile(filepath.Join(dir, "."+name+".lock"), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("wish: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("wish: %s: %w", lock.Name(), err)
	}
	old, err := Read(context.Background(), dir)
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
		return fmt.Errorf("wish: %w", err)
	}
	return nil
}

// write puts the new file in the place of the old one.
func write(dir string, w Wishes) (err error) {
	raw, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(append(raw, '\n'))
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, name))
}
