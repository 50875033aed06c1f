package kmsg

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fifo creates a pipe in packet mode at a path that Open can open. Like /dev/kmsg, it
// returns one write per read.
func fifo(t *testing.T) (path string, w *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "kmsg")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0) // read-write, or it would wait for a reader
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETFL, unix.O_DIRECT); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return path, w
}

func write(t *testing.T, w *os.File, record string) {
	t.Helper()
	if _, err := w.WriteString(record); err != nil {
		t.Error(err)
	}
}

func TestDevice(t *testing.T) {
	path, w := fifo(t)
	d, err := openDevice(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	buf := make([]byte, 100)
	soon := func() time.Time { return time.Now().Add(time.Minute) }

	if n, err := d.read(buf, time.Time{}); n != 0 || !errors.Is(err, unix.EAGAIN) {
		t.Errorf("empty, without a wait: got %d, %v", n, err)
	}
	n, err := 0, os.ErrDeadlineExceeded
	for wait := time.Millisecond; errors.Is(err, os.ErrDeadlineExceeded); wait *= 2 { // on a busy machine the first is over before the read
		n, err = d.read(buf, time.Now().Add(wait))
	}
	if n != 0 || !errors.Is(err, unix.EAGAIN) {
		t.Errorf("empty, after a wait: got %d, %v", n, err)
	}
	write(t, w, "one")
	write(t, w, "two")
	if n, err := d.read(buf, time.Now().Add(-time.Second)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("too late to look: got %d, %v", n, err)
	}
	if n, err := d.read(buf, time.Time{}); string(buf[:n]) != "one" || err != nil {
		t.Errorf("got %q, %v, want the first", buf[:n], err)
	}
	if n, err := d.read(buf, soon()); string(buf[:n]) != "two" || err != nil {
		t.Errorf("got %q, %v, want the second", buf[:n], err)
	}
	go write(t, w, "three")
	if n, err := d.read(buf, soon()); string(buf[:n]) != "three" || err != nil {
		t.Errorf("got %q, %v, want what came meanwhile", buf[:n], err)
	}
	go d.Close()
	for range 2 {
		if n, err := d.read(buf, soon()); n != 0 || !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %d, %v, want closed", n, err)
		}
	}
}

// TestOpenReads covers the whole path from a file to a Batch, on the real clock.
func TestOpenReads(t *testing.T) {
	path, w := fifo(t)
	r, err := Open(path, thisBoot, Position{}, Clock{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	before := time.Now()
	write(t, w, string(encode(record{Level: 4, Seq: 1, Stamp: time.Second, Text: "libceph: osd1 down"})))
	b := next(t, r, time.Minute)
	check(t, "old", b, true, "osd1", 0)
	stamp := monotonic()
	write(t, w, string(encode(record{Level: 4, Seq: 2, Stamp: stamp, Text: "libceph: osd2 down"})))
	b = next(t, r, time.Minute)
	check(t, "new", b, false, "osd2", 0)
	if at := b.Counts[0].First; at.Before(before.Add(-time.Millisecond)) || at.After(time.Now()) || at != at.Round(0) {
		t.Errorf("got %v, want a time since %v, without a monotonic reading", at, before)
	}
	if got, want := r.Position(), (Position{thisBoot, 2}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if b := next(t, r, time.Millisecond); !b.empty() {
		t.Errorf("got %+v, want nothing", b)
	}
}

func TestOpenErrors(t *testing.T) {
	clock := Clock{Now: time.Now}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), "", Position{}, clock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that there is none", err)
	}
	for _, errno := range []error{unix.EPERM, unix.EACCES} {
		err := &fs.PathError{Op: "open", Path: "/dev/kmsg", Err: errno}
		if remedy(err) == "" || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%v: got %q", err, remedy(err))
		}
	}
	if os.Geteuid() == 0 {
		t.Log("as root no mode keeps a file from being opened: not tried")
		return
	}
	path := filepath.Join(t.TempDir(), "kmsg")
	if err := os.WriteFile(path, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, "", Position{}, clock); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want no permission", err)
	}
}
