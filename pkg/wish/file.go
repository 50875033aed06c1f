package wish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// name is the file's, in the state directory.
const name = "wishes.json"

// Read returns the wishes in the state directory dir; none if there is no file.
func Read(_ context.Context, dir string) (Wishes, error) {
	raw, err := statefile.Read(dir, name, maxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return Wishes{}, nil
	}
	if err != nil {
		return Wishes{}, fmt.Errorf("wish: %w", err)
	}
	return Parse(bytes.NewReader(raw))
}

// Change changes the wishes in dir by the given function, one change at a time,
// so that a crash at any moment leaves the old or the new ones. Everybody may read them.
func Change(dir string, change func(Wishes) (Wishes, error)) error {
	lock, err := os.OpenFile(filepath.Join(dir, "."+name+".lock"), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o644)
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
func write(dir string, w Wishes) error {
	raw, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	return statefile.Write(dir, name, append(raw, '\n'), 0o644)
}
