// Package statefile reads and writes the small files of nodewatch's state directory. A file
// is replaced as a whole, so that a crash at any moment leaves the old content or the new.
// In the directory no symbolic link is followed (the directory itself may be one) and only
// regular files are opened: a user who may write there cannot make nodewatch read or write
// elsewhere. Every function may block for as long as the disk does.
package statefile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// temporary is the suffix of the name of a file that is being written; such a name begins
// with a dot.
const temporary = ".tmp"

// abandoned is the age from which a temporary file no longer has a writer.
const abandoned = time.Hour

// Read returns the content of the named file in dir, up to a maximum size in bytes.
// The error is an fs.ErrNotExist if it does not exist, and errTooLarge if it is
// larger.
func Read(dir, name string, most int64) ([]byte, error) {
	path := filepath.Join(dir, name)
	// Without O_NONBLOCK, opening a named pipe waits for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, &fs.PathError{Op: "open", Path: path,
			Err: errors.New("is a symbolic link; links are not followed in the state directory")}
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("is not a regular file (%s)", info.Mode().Type())}
	}
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w than %d KiB", errTooLarge, most>>10)}
	}
	return raw, nil
}

// errTooLarge reports a file that is larger than the maximum size.
var errTooLarge = errors.New("is larger")

// Write replaces or creates the named file in dir, with the given permissions.
func Write(dir, name string, raw []byte, perm fs.FileMode) (err error) {
	chance := make([]byte, 8)
	if _, err := rand.Read(chance); err != nil {
		return err
	}
	path := filepath.Join(dir, "."+name+"."+hex.EncodeToString(chance)+temporary)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(path, filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// Clean removes temporary files that a crash has left in dir.
func Clean(dir string, now time.Time) error {
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range all {
		if !strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), temporary) || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > abandoned {
			failed = append(failed, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(failed...)
}

// minFree is the free space in bytes, and the number of free files, below which a
// state directory counts as full.
const (
	minFree  = 1 << 20
	minFiles = 16
)

// Check returns why no file can be saved in dir; nil if one can. It writes nothing.
func Check(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	switch free := fs.Bavail * uint64(fs.Bsize); {
	case fs.Flags&unix.ST_RDONLY != 0:
		return fmt.Errorf("%s: %w", dir, unix.EROFS)
	case free < minFree:
		return fmt.Errorf("%s: %w: %d KiB left", dir, unix.ENOSPC, free>>10)
	case fs.Files > 0 && fs.Ffree < minFiles:
		return fmt.Errorf("%s: %w: %d more files can be created", dir, unix.ENOSPC, fs.Ffree)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", dir, err)
	}
	return nil
}
