//go:build lab

package lab

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// An archive is a cpio archive in the format of an initramfs ("newc",
// Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	w    *bufio.Writer
	ino  int
	dirs map[string]bool
	err  error
}

func newArchive(w io.Writer) *archive {
	return &archive{w: bufio.NewWriterSize(w, 1<<20), dirs: map[string]bool{"": true, ".": true}}
}

func (a *archive) entry(name string, mode uint32, body []byte) {
	if a.err != nil {
		return
	}
	a.ino++
	_, a.err = fmt.Fprintf(a.w, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00%s",
		a.ino, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name)+1, 0, name, zeros(110+len(name)+1))
	if a.err == nil {
		_, a.err = a.w.Write(body)
	}
	if a.err == nil {
		_, a.err = a.w.WriteString(zeros(len(body)))
	}
}

// zeros returns the padding of n bytes to a multiple of 4.
func zeros(n int) string { return "\x00\x00\x00"[:(4-n%4)%4] }

// dir adds a directory and its parents, once.
func (a *archive) dir(name string) {
	name = strings.Trim(name, "/")
	if a.dirs[name] {
		return
	}
	a.dir(path.Dir(name))
	a.dirs[name] = true
	a.entry(name, 0o40755, nil)
}

func (a *archive) put(name string, mode uint32, body []byte) {
	a.dir(path.Dir(strings.Trim(name, "/")))
	a.entry(strings.Trim(name, "/"), 0o100000|mode, body)
}

func (a *archive) link(name, target string) {
	a.dir(path.Dir(strings.Trim(name, "/")))
	a.entry(strings.Trim(name, "/"), 0o120777, []byte(target))
}

// file adds a file of this machine.
func (a *archive) file(name, source string, mode uint32) {
	body, err := os.ReadFile(source)
	if err != nil && a.err == nil {
		a.err = err
	}
	a.put(name, mode, body)
}

func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	if a.err != nil {
		return a.err
	}
	return a.w.Flush()
}
