package krbd

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// An ioFile is an attribute that stays open if the file system is a SysFS.
type ioFile struct {
	name string
	fd   int // -1: not open
}

func newIOFile(name string) ioFile { return ioFile{name: name, fd: -1} }

// read reads the attribute into buf. The open file may belong to a removed device
// that another one has replaced: if it can no longer be read, it is opened again.
func (f *ioFile) read(sys fs.FS, buf []byte) ([]byte, error) {
	dir, ok := sys.(hostfs.FS)
	if !ok {
		return hostfs.Read(sys, f.name, buf)
	}
	if f.fd >= 0 {
		if b, err := f.readOpen(buf); err == nil {
			return b, nil
		}
		f.close()
	}
	fd, err := dir.OpenFD(f.name)
	if err != nil {
		return nil, err
	}
	f.fd = fd
	b, err := f.readOpen(buf)
	if err != nil {
		f.close()
		return nil, &fs.PathError{Op: "read", Path: f.name, Err: err}
	}
	return b, nil
}

// readOpen reads once: sysfs returns an attribute whole, and generates it again for a
// read at offset 0 (fs/kernfs/file.c).
func (f *ioFile) readOpen(buf []byte) ([]byte, error) {
	for {
		n, err := unix.Pread(f.fd, buf, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		case n == len(buf):
			return nil, hostfs.ErrLong
		default:
			return buf[:n], nil
		}
	}
}

func (f *ioFile) close() {
	if f.fd >= 0 {
		_ = unix.Close(f.fd) // nothing was written
		f.fd = -1
	}
}
