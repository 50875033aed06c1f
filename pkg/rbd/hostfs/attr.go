package hostfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Read reads a whole attribute into buf, whose size is the limit.
func Read(sys fs.FS, name string, buf []byte) ([]byte, error) {
	if s, ok := sys.(FS); ok {
		return s.readInto(name, buf)
	}
	f, err := sys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := fill(buf, f.Read)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return buf[:n], nil
}

// Text reads an attribute as text, without its final newline. The result is valid
// UTF-8, so that it passes through JSON unchanged.
func Text(sys fs.FS, name string, buf []byte) (string, error) {
	b, err := Read(sys, name, buf)
	return strings.ToValidUTF8(strings.TrimSuffix(string(b), "\n"), "\uFFFD"), err
}

// Gone reports whether err means that the file was removed: its name does not exist,
// or its owner was removed while it was open (kernfs: ENODEV).
func Gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO)
}

// Uint parses a decimal number at the start of b, after blanks, and returns the rest.
func Uint(b []byte) (n uint64, rest []byte, ok bool) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
		digit := uint64(b[0] - '0')
		if n > (1<<64-1-digit)/10 {
			return 0, b, false
		}
		n, b, ok = n*10+digit, b[1:], true
	}
	return n, b, ok
}

// ParseDev parses the dev attribute of a block device, MAJOR:MINOR.
func ParseDev(text string) (major, minor uint32, ok bool) {
	a, rest, ok1 := Uint([]byte(text))
	if !ok1 || len(rest) == 0 || rest[0] != ':' {
		return 0, 0, false
	}
	b, rest, ok2 := Uint(rest[1:])
	if !ok2 || len(rest) > 0 || a > 1<<32-1 || b > 1<<32-1 {
		return 0, 0, false
	}
	return uint32(a), uint32(b), true
}
