package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
)

// A Description is a guest as its process shows it.
type Description struct {
	Guest    rbd.Guest `json:"guest"`               // the readable part
	NotGuest bool      `json:"not_guest,omitempty"` // the process runs no virtual machine
	Err      string    `json:"err,omitempty"`       // parts that could not be read, for display
	Denied   bool      `json:"denied,omitempty"`    // because a capability is missing
}

// ReadGuest reads the description of a guest from its process. Like ReadCommandLine,
// call it only in the probe. host is rooted at /, proc at /proc. It checks that the PID
// still belongs to the process. The guest's disks have the numbers of their devices, or
// of the devices that their files are on.
func ReadGuest(host, proc fs.FS, p Process) (Description, error) {
	data, err := procCommandLine(proc, p)
	if err != nil {
		return Description{}, err
	}
	g, err := readMachine(host, proc, p, data)
	if errors.Is(err, errNotGuest) {
		return Description{NotGuest: true}, nil
	}
	d := Description{Denied: errors.Is(err, fs.ErrPermission)}
	if err != nil {
		d.Err = guest.Reason(err)
		if d.Denied {
			d.Err = "a configuration file of QEMU's could not be read: permission denied"
		}
	}
	g.Disks = guest.FillNumbers(g.Disks, rbd.DeviceNumber)
	mounts := procReadMounts(proc, strconv.Itoa(p.PID))
	for i := range g.Disks {
		disk := &g.Disks[i]
		if m, ok := mounts.of(disk.Path); ok && disk.Client == rbd.NoClient && disk.Major == 0 && !strings.HasPrefix(disk.Path, "/dev/") {
			disk.Major, disk.Minor = m.device()
		}
	}
	d.Guest = guestOf(g, p)
	return d, nil
}

// readMachine reads a command line, regardless of the program.
func readMachine(host, proc fs.FS, p Process, data []byte) (rbd.Guest, error) {
	first, _, _ := bytes.Cut(data, []byte{0})
	if vmmShell(string(first)) || !vmmComm(p.Comm) && !vmmProgram(string(first)) {
		return rbd.Guest{}, errNotGuest
	}
	if strings.HasPrefix(strings.TrimPrefix(path.Base(string(first)), "."), "cloud-hypervisor") || cloudHypervisorComm(p.Comm) {
		return parseCloudHypervisor(data)
	}
	c, err := readLine(data, func(name string) ([]byte, error) { return readGuestFile(host, proc, p.PID, name) })
	if err == nil && !c.machine() {
		return rbd.Guest{}, errNotGuest
	}
	if c == nil {
		return rbd.Guest{}, err
	}
	return c.guest, c.err()
}

// readGuestFile reads a file named by a process: from the process's root directory
// or, if the process has changed that after its start, from the host's.
func readGuestFile(host, proc fs.FS, pid int, name string) ([]byte, error) {
	if !path.IsAbs(name) {
		return nil, errors.New("a configuration file without a full path")
	}
	dir := strconv.Itoa(pid) + "/root"
	if root, err := fs.ReadLink(proc, dir); err == nil && root == "/" {
		return readRegular(proc, dir+path.Clean(name))
	}
	data, err := readRegular(host, strings.TrimPrefix(path.Clean(name), "/"))
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return data, nil
}

// readRegular reads a file that is neither a device nor a pipe, up to argsSize bytes.
func readRegular(tree fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(tree, name) // never opens it
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	return procRead(tree, name, argsSize)
}

// guestOf fills in the guest from its process.
func guestOf(g rbd.Guest, p Process) rbd.Guest {
	g.Kind, g.PID, g.Libvirt = "vm", p.PID, p.Libvirt
	if g.ID == "" && !p.Libvirt {
		g.ID = p.VM
	}
	switch {
	case g.Name != "":
	case p.Libvirt:
		g.Name = p.VM
	case g.ID != "":
		g.Name = "vm" + g.ID
	}
	if g.Name == "" {
		g.Name = p.Comm + " " + strconv.Itoa(p.PID)
	}
	return g
}
