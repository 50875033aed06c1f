package krbd

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// On a real kernel, the open attribute of a removed device fails at once and does not block the removal. It is opened
// again when another device has the name; that device has another inode number. A loop device represents an rbd device;
// both have stat from block/genhd.c.
func TestIOReaderOnThisKernel(t *testing.T) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no loop devices can be made here: ", err)
	}
	defer control.Close()
	number := 1<<19 + os.Getpid()%(1<<18)
	ioctl := func(request uint) error {
		return unix.IoctlSetInt(int(control.Fd()), request, number)
	}
	if err := ioctl(unix.LOOP_CTL_ADD); err != nil {
		t.Skip("no loop device can be made here: ", err)
	}
	defer ioctl(unix.LOOP_CTL_REMOVE) // it may already be removed

	root := t.TempDir()
	write(t, filepath.Join(root, devicesDir, "7"), linkTo(fmt.Sprintf("/sys/block/loop%d", number)))
	write(t, filepath.Join(root, "block/rbd7"), linkTo(fmt.Sprintf("/sys/block/loop%d", number)))
	r := NewIOReader(hostfs.FS(root))
	defer r.Close()
	read := func(want int) {
		t.Helper()
		got, err := r.Read(t.Context())
		if err != nil || len(got) != want || want > 0 && got[0].Partly != "" {
			t.Fatalf("got %+v, %v, want %d devices", got, err, want)
		}
	}
	read(1)
	open := r.devices[7].stat.fd
	inodes := map[uint64]bool{}
	inode := func() {
		t.Helper()
		n, err := inodeOf(hostfs.FS(root), 7)
		if inodes[n] || n == 0 || err != nil {
			t.Errorf("got inode number %d, %v after %v, want a new one for a new device", n, err, inodes)
		}
		inodes[n] = true
	}
	inode()
	if err := ioctl(unix.LOOP_CTL_REMOVE); err != nil {
		t.Fatalf("with stat open the device cannot be removed: %v", err)
	}
	if _, err := unix.Pread(open, make([]byte, 99), 0); !hostfs.Gone(err) {
		t.Errorf("got %v in reading stat of a removed device, want that it is gone", err)
	}
	read(0)
	for range 2 {
		if err := ioctl(unix.LOOP_CTL_ADD); err != nil {
			t.Fatal(err)
		}
		read(1)
		inode()
		if err := ioctl(unix.LOOP_CTL_REMOVE); err != nil {
			t.Fatal(err)
		}
	}
	if err := ioctl(unix.LOOP_CTL_ADD); err != nil {
		t.Fatal(err)
	}
	read(1) // another device with the previous one's name, without a reading in between
}
