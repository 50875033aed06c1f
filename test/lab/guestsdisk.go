//go:build lab

package lab

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed guestsdisk.sh
var guestsDiskScript string

// GuestsDisk returns the image of a disk with libvirtd, virsh and a QEMU with librbd,
// in the versions of this machine; it creates the image below the directory if it
// does not exist. The guest mounts it, so that only the scenario that needs it bears
// the cost of its size.
func GuestsDisk(dir string) (string, error) {
	versions, err := exec.Command("dpkg-query", "-W", "qemu-system-x86", "libvirt-daemon", "librbd1").Output()
	if err != nil {
		return "", fmt.Errorf("the versions of QEMU and libvirt: %w", err)
	}
	key := sha256.Sum256(append(versions, guestsDiskScript...))
	image := filepath.Join(dir, fmt.Sprintf("guests-%x.ext4", key[:6]))
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	// Remove those of other versions, and the remains of a killed run.
	if err := tool(dir, "sh", "-euc", "rm -rf guests-*"); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, "guests-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := tool(tmp, "sh", "-euc", guestsDiskScript); err != nil {
		return "", err
	}
	return image, os.Rename(filepath.Join(tmp, "image"), image)
}

// guestsRoot is the mount point of the disk with libvirt and QEMU. They run there in
// a chroot, with the guest's own /proc, /sys, /dev and /run.
const guestsRoot = "/guests"

// PlugGuestsDisk adds the disk with libvirt and QEMU to the running guest.
func (m *Machine) PlugGuestsDisk(ctx context.Context, image string) error {
	err := m.Monitor("blockdev-add", map[string]any{
		"driver": "raw", "node-name": "guests", "read-only": true,
		"file": map[string]any{"driver": "file", "filename": image},
	})
	if err == nil {
		err = m.Monitor("device_add", map[string]any{"driver": "virtio-blk-pci", "id": "guests", "drive": "guests"})
	}
	if err != nil {
		return err
	}
	_, err = m.Sh(ctx, `modprobe virtio_blk
for i in $(seq 100); do [ -b /dev/vda ] && break; usleep 50000; done
mkdir -p `+guestsRoot+`
mount -t ext4 -o ro /dev/vda `+guestsRoot+`
cd `+guestsRoot+`
for d in proc sys dev run; do mount -o bind /$d $d; done
for d in etc tmp var; do mount -t tmpfs tmpfs $d; done
cp -r etc.new/. etc
ln -s /run var/run`)
	return err
}

// PullGuestsDisk removes the disk once nothing runs from it any more. A QEMU that has
// ended may keep its devices a moment longer.
func (m *Machine) PullGuestsDisk(ctx context.Context) error {
	_, err := m.Sh(ctx, `cd `+guestsRoot+`
for d in sys dev run etc tmp var proc; do umount -l $d; done
cd /
for i in $(seq 100); do umount `+guestsRoot+` 2>/dev/null && exit 0; usleep 100000; done
umount `+guestsRoot)
	if err == nil {
		err = m.Monitor("device_del", map[string]any{"id": "guests"})
	}
	if err != nil {
		return err
	}
	return wait(ctx, 10*time.Second, func() (bool, error) { // the guest releases the device after a delay
		err := m.Monitor("blockdev-del", map[string]any{"node-name": "guests"})
		return err == nil, err
	})
}
