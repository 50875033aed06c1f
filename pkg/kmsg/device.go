package kmsg

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A source returns one record per read. It is the device or, in tests, a simulated
// ring.
type source interface {
	// read reads one record into b. With a zero deadline it does not wait; otherwise
	// it waits at most until then. The error is EAGAIN if no record came, and
	// os.ErrDeadlineExceeded if the deadline passed before it tried to read. EPIPE
	// means that records were overwritten, EINVAL that one was too long for b; the
	// next read returns the one after them.
	read(b []byte, until time.Time) (int, error)
	Close() error
}

// A device is an open /dev/kmsg.
type device struct {
	file  *os.File
	raw   syscall.RawConn
	until time.Time // the current deadline
}

func openDevice(path string) (*device, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("kmsg: %w%s", err, remedy(err))
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("kmsg: %w", err)
	}
	return &device{file: file, raw: raw}, nil
}

// remedy adds the remedy to an error of open for this file.
func remedy(err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return " (needs CAP_SYSLOG in the initial user namespace, and no printk.devkmsg=off)"
	case errors.Is(err, unix.EACCES):
		return " (the mode of the file forbids it)"
	}
	return ""
}

// read implements source.
func (d *device) read(b []byte, until time.Time) (n int, err error) {
	if until != d.until {
		if err := d.file.SetReadDeadline(until); err != nil {
			return 0, d.closed(err)
		}
		d.until = until
	}
	looked := false
	waited := d.raw.Read(func(fd uintptr) bool {
		looked = true
		for {
			if n, err = unix.Read(int(fd), b); err != unix.EINTR {
				break
			}
		}
		return err != unix.EAGAIN || until.IsZero()
	})
	switch {
	case waited == nil:
		return max(n, 0), err
	case looked && errors.Is(waited, os.ErrDeadlineExceeded):
		return 0, unix.EAGAIN
	}
	return 0, d.closed(waited)
}

// closed returns os.ErrClosed in place of err if the file is closed. Deadlines and
// RawConn report that with other errors; an empty read reports it as os.ErrClosed.
func (d *device) closed(err error) error {
	if _, readErr := d.file.Read(nil); readErr != nil {
		return readErr
	}
	return err
}

func (d *device) Close() error { return d.file.Close() }
