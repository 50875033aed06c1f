//go:build lab

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// startLibvirtd starts the daemon and waits until it responds.
const startLibvirtd = `chroot ` + guestsRoot + ` /usr/sbin/libvirtd -p /run/libvirtd.pid >>/tmp/libvirtd.log 2>&1 </dev/null &
for i in $(seq 200); do [ -S /run/libvirt/libvirt-sock-ro ] && exit 0; usleep 100000; done
tail -n 20 /tmp/libvirtd.log; exit 1`

// stopLibvirtd ends the daemon. Its domains continue.
const stopLibvirtd = `[ -e /run/libvirtd.pid ] || exit 0
p=$(cat /run/libvirtd.pid); kill $p
for i in $(seq 100); do [ -e /proc/$p ] || exit 0; usleep 100000; done
echo libvirtd does not end; kill -9 $p; exit 1`

// endGuests ends every QEMU cleanly, so that librbd closes its images, or else kills
// it.
const endGuests = `for f in /run/libvirt/qemu/*.pid; do
	[ -e "$f" ] || continue
	p=$(cat $f); kill $p 2>/dev/null || continue
	for i in $(seq 100); do
		[ -e /proc/$p ] || break
		[ $i != 80 ] || kill -9 $p
		usleep 50000
	done
done
rm -rf /run/libvirt /run/vm*.xml /run/secret.xml /tmp/libvirtd.log /tmp/vm*.log`

// virsh returns a virsh command to run in the guest.
func virsh(command string) string {
	return "chroot " + guestsRoot + " /usr/bin/virsh -q -c qemu:///system " + command
}

// cephSecret is the UUID under which libvirt keeps the cluster's key.
const cephSecret = "5f1d6a52-2b7c-4f0e-9a41-0d1c9d7b6e01"

const secretXML = `<secret ephemeral='yes' private='yes'><uuid>` + cephSecret + `</uuid>
<usage type='ceph'><name>client.admin</name></usage></secret>`

// domainXML returns a domain with one disk and no slow devices. One with its clock in
// local time also has the panic device of a Windows guest: the clock alone does not
// identify one.
func domainXML(name, clock, disk string) string {
	panics := ""
	if clock == "localtime" {
		panics = "<panic model='hyperv'/>"
	}
	return `<domain type='qemu'><name>` + name + `</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><clock offset='` + clock + `'/>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>` + disk + `
<controller type='usb' model='none'/><memballoon model='none'/>` + panics + `</devices></domain>`
}

// krbdDisk returns a disk on a device that the kernel has mapped.
func krbdDisk(device, more string) string {
	return `<disk type='block' device='disk'><driver name='qemu' type='raw' cache='none' error_policy='stop'/>
<source dev='` + device + `'/><target dev='vda' bus='virtio'/>` + more + `</disk>`
}

// librbdDisk returns a disk whose image QEMU itself opens.
func librbdDisk(image string) string {
	return fmt.Sprintf(`<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none' error_policy='stop'/>
<auth username='admin'><secret type='ceph' uuid='%s'/></auth>
<source protocol='rbd' name='rbd/%s'><host name='%s' port='6789'/></source><target dev='vda' bus='virtio'/></disk>`,
		cephSecret, image, storageIP)
}

// scribbler returns a boot sector that writes the second sector of its disk
// indefinitely.
func scribbler() []byte {
	code := []byte{
		0x31, 0xc0, // xor ax, ax
		0x8e, 0xc0, // mov es, ax
		0xb8, 0x01, 0x03, // again: mov ax, 0x0301: write one sector
		0xbb, 0x00, 0x7c, // mov bx, 0x7c00: this one
		0xb9, 0x02, 0x00, // mov cx, 2: to cylinder 0, sector 2
		0xb6, 0x00, // mov dh, 0: of head 0; the BIOS left the drive in dl
		0xcd, 0x13, // int 0x13
		0xeb, 0xf1, // jmp again
	}
	return append(append(code, bytes.Repeat([]byte{0}, 510-len(code))...), 0x55, 0xaa)
}

// BootImage creates an image of one MiB to which a VM writes when it boots from it.
func (l *Cluster) BootImage(ctx context.Context, name string) error {
	file := filepath.Join(l.dir, name+".raw")
	if err := os.WriteFile(file, append(scribbler(), make([]byte, 1<<20-512)...), 0o600); err != nil {
		return err
	}
	_, err := l.children.Output(ctx, "rbd", "-c", l.conf, "--no-progress", "--image-format", "2", "--image-feature", "layering", "import",
		file, "rbd/"+name)
	return errors.Join(err, os.Remove(file))
}

// RemoveImage removes an image.
func (l *Cluster) RemoveImage(ctx context.Context, name string) error {
	_, err := l.children.Output(ctx, "rbd", "-c", l.conf, "--no-progress", "rm", "rbd/"+name)
	return err
}

// Watchers returns the addresses of the clients that have an image open.
func (l *Cluster) Watchers(ctx context.Context, name string) (string, error) {
	out, err := l.children.Output(ctx, "rbd", "-c", l.conf, "status", "rbd/"+name)
	return string(out), err
}
