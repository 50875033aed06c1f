package statefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockName is the name of the file that the daemon locks in its state directory.
const lockName = "daemon.lock"

// maxHolder is the most that is read of a lock's file, in bytes.
const maxHolder = 16 << 10

// A Holder is the daemon that holds a lock, as written in the lock's file.
type Holder struct {
	PID       int      `json:"pid"`
	Addresses []string `json:"addresses,omitempty"` // of its page
}

// A Lock is a lock on a state directory, held until Close or the end of the process.
type Lock struct{ file *os.File }

// ErrHeld reports that another process holds the lock.
var ErrHeld = errors.New("another process uses the state directory")

// Acquire takes the lock of the state directory dir (flock(2)) without waiting. The
// error is ErrHeld if another process holds it: ReadHolder then returns which.
func Acquire(dir string, me Holder) (*Lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("state: lock: %w", err)
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, errors.Join(ErrHeld, f.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("state: lock: %s: %w", f.Name(), err), f.Close())
	}
	l := &Lock{file: f}
	return l, l.Note(me)
}

// Note writes the holder of the lock into its file.
func (l *Lock) Note(me Holder) error {
	raw, err := json.Marshal(me)
	if err != nil {
		return fmt.Errorf("state: lock: %w", err)
	}
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("state: lock: %w", err)
	}
	if _, err := l.file.WriteAt(append(raw, '\n'), 0); err != nil {
		return fmt.Errorf("state: lock: %w", err)
	}
	return nil
}

// Close releases the lock.
func (l *Lock) Close() error { return l.file.Close() }

// ReadHolder returns the holder of the lock from its file.
func ReadHolder(dir string) (Holder, error) {
	raw, err := Read(dir, lockName, maxHolder)
	if err != nil {
		return Holder{}, fmt.Errorf("state: lock: %w", err)
	}
	var h Holder
	if err := json.Unmarshal(raw, &h); err != nil && !errors.Is(err, io.EOF) {
		return Holder{}, fmt.Errorf("state: lock: %w", err)
	}
	return h, nil
}
