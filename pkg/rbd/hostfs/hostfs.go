// Package hostfs opens the kernel's trees of a host, /sys and /proc, and reads their
// files with limits, outside Go's poller, and without operations that may hang.
package hostfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// MaxSize is the maximum length of an attribute in bytes. A sysfs attribute has at
// most one page; client_options of debugfs is as long as the map options.
const MaxSize = 64 << 10

// ErrLong reports that a file is longer than the limit.
var ErrLong = errors.New("longer than an attribute may be")

// An FS is the root path of a file system that follows and reads symbolic links
// (fs.ReadLinkFS): "/sys", "/proc" or "/".
//
// It reads files with plain system calls. Some drivers return EAGAIN for a read of an
// attribute; Go's poller, which os.Open would use, then waits indefinitely, whereas
// FS returns the error. ReadFile rejects a file of 64 KiB or more. Errors are
// *fs.PathError with the path on the machine.
type FS string

func (s FS) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.Join(string(s), name), nil
}

// OpenFD opens a file for use with plain system calls.
func (s FS) OpenFD(name string) (int, error) {
	path, err := s.path("open", name)
	if err != nil {
		return -1, err
	}
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return fd, nil
		case !errors.Is(err, unix.EINTR):
			return -1, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// Open implements fs.FS. It returns an *os.File outside the poller.
func (s FS) Open(name string) (fs.File, error) {
	fd, err := s.OpenFD(name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), filepath.Join(string(s), name)), nil // outside the poller: fd blocks
}

// readInto reads a whole file into buf, whose size is the limit.
func (s FS) readInto(name string, buf []byte) ([]byte, error) {
	fd, err := s.OpenFD(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := fill(buf, func(p []byte) (int, error) { return unix.Read(fd, p) })
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: filepath.Join(string(s), name), Err: err}
	}
	return buf[:n], nil
}

// fill reads to the end of the file. A full buf is an error.
func fill(buf []byte, read func([]byte) (int, error)) (int, error) {
	for n := 0; n < len(buf); {
		m, err := read(buf[n:])
		n += max(m, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil && !errors.Is(err, io.EOF):
			return 0, err
		case m <= 0:
			return n, nil
		}
	}
	return 0, ErrLong
}

// ReadFile implements fs.ReadFileFS.
func (s FS) ReadFile(name string) ([]byte, error) {
	var page [4096]byte
	b, err := s.readInto(name, page[:])
	if errors.Is(err, ErrLong) {
		b, err = s.readInto(name, make([]byte, MaxSize))
	}
	return bytes.Clone(b), err
}

// ReadDir implements fs.ReadDirFS.
func (s FS) ReadDir(name string) ([]fs.DirEntry, error) {
	path, err := s.path("open", name)
	if err != nil {
		return nil, err
	}
	return os.ReadDir(path)
}

// Stat implements fs.StatFS. It does not open the file.
func (s FS) Stat(name string) (fs.FileInfo, error) {
	path, err := s.path("stat", name)
	if err != nil {
		return nil, err
	}
	return os.Stat(path)
}

// Lstat implements fs.ReadLinkFS.
func (s FS) Lstat(name string) (fs.FileInfo, error) {
	path, err := s.path("lstat", name)
	if err != nil {
		return nil, err
	}
	return os.Lstat(path)
}

// ReadLink implements fs.ReadLinkFS.
func (s FS) ReadLink(name string) (string, error) {
	path, err := s.path("readlink", name)
	if err != nil {
		return "", err
	}
	return os.Readlink(path)
}

// ReadLimited reads a whole file of at most limit bytes; a longer one is an error.
func (s FS) ReadLimited(name string, limit int64) ([]byte, error) {
	fd, err := s.OpenFD(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 0, min(limit+1, 1024))
	for {
		n, err := unix.Read(fd, b[len(b):cap(b)])
		b = b[:len(b)+max(n, 0)]
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: filepath.Join(string(s), name), Err: err}
		case int64(len(b)) > limit:
			return nil, ErrLong
		case n <= 0:
			return b, nil
		}
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b))
		}
	}
}

// BlockDevice returns the number of the block device at a path, following links. It
// does not contact the server of a network file system.
func (s FS) BlockDevice(name string) (major, minor uint32, ok bool) {
	path, err := s.path("stat", name)
	if err != nil {
		return 0, 0, false
	}
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE, &st); err != nil ||
		st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0, 0, false
	}
	return st.Rdev_major, st.Rdev_minor, true
}
