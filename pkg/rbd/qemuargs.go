package rbd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// qemuArgsSize bounds one process's command line; the kernel's own bound is 6 MiB.
const qemuArgsSize = 1 << 20

// errQEMUArgs is wrapped by every error of ParseCommandLine. Its text never
// holds any of the command line, which may have a Ceph key in clear.
var errQEMUArgs = errors.New("rbd: QEMU command line")

// ParseCommandLine reads a QEMU's command line as /proc/PID/cmdline has it,
// arguments ended by NUL: -name, -id and -uuid, the disks of -drive and
// -blockdev, their throttles, and what hints at Windows. A disk's Target is the
// id of its -device, or its own name. The Guest holds what could be read even
// when the error is not nil, which then says what could not be. Neither holds a
// key, password or user, whatever the command line is. A configuration file that
// it names is not read.
func ParseCommandLine(data []byte) (Guest, error) {
	c, err := qemuReadLine(data, nil)
	if err != nil {
		return Guest{}, err
	}
	return c.guest, c.err()
}

// qemuReadLine reads a command line, and by file the configuration files that it
// names; nil leaves them out.
func qemuReadLine(data []byte, file func(name string) ([]byte, error)) (*qemuCommand, error) {
	if len(data) > qemuArgsSize {
		return nil, fmt.Errorf("%w: longer than %d bytes", errQEMUArgs, qemuArgsSize)
	}
	c := &qemuCommand{
		guest: Guest{Kind: "vm"}, file: file, nodes: qemuLayers{}, groups: map[string]Throttle{},
		devices: map[string]string{}, sockets: map[string]string{}, count: map[string]int{},
	}
	args := strings.Split(string(bytes.TrimSuffix(data, []byte{0})), "\x00")
	for i := 1; i < len(args); i++ {
		option, ok := strings.CutPrefix(args[i], "-")
		if !ok {
			continue
		}
		value := ""
		if i+1 < len(args) {
			value = args[i+1]
		}
		if c.take(strings.TrimPrefix(option, "-"), value) {
			i++
		}
	}
	c.finish()
	return c, nil
}

// err says what could not be read; nil if all could.
func (c *qemuCommand) err() error {
	if c.faults == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d options could not be read: %w", errQEMUArgs, c.faults, c.fault)
}

// machine tells whether the command line describes a virtual machine. libvirt
// starts QEMU with the machine "none" to ask what it can do.
func (c *qemuCommand) machine() bool {
	if c.none {
		return false
	}
	for _, option := range []string{
		"name", "drive", "blockdev", "device", "machine", "M", "m", "uuid", "id", "cpu", "smp", "readconfig", "accel", "enable-kvm", "nodefaults",
		"hda", "hdb", "cdrom", "kernel", "bios", "pflash", "incoming", "loadvm", "S",
	} {
		if c.count[option] > 0 {
			return true
		}
	}
	return false
}

// A qemuCommand is a command line as far as it has been read.
type qemuCommand struct {
	guest   Guest
	uuid    string
	pidVMID string // the VMID in Proxmox's pid file
	none    bool   // QEMU is started without a machine
	hints   osHints
	file    func(name string) ([]byte, error) // reads a configuration file; nil: it is left out
	drives  []qemuDrive
	nodes   qemuLayers
	groups  map[string]Throttle // throttle groups by id
	devices map[string]string   // the id of the -device that a drive or node is for
	sockets map[string]string   // the paths of Unix sockets by the id of their -chardev
	vhosts  []qemuVhost
	count   map[string]int // how often each option has come
	faults  int
	fault   error // the first
}

// A qemuDrive is one -drive, or one -blockdev that may be a disk.
type qemuDrive struct {
	name    string
	options qemuOptions
	disk    Disk // of a -drive
	node    bool // a -blockdev
}

// A qemuVhost is a disk that another process serves over a socket.
type qemuVhost struct{ device, chardev string }

// take reads one option and tells whether value was its value.
func (c *qemuCommand) take(option, value string) bool {
	c.count[option]++
	switch option {
	case "drive", "blockdev", "device", "object", "name", "chardev":
		o, err := qemuParse(value, qemuImplied[option])
		if err != nil {
			c.failed(option, err)
			return true
		}
		c.option(option, o)
	case "hda", "hdb", "hdc", "hdd", "cdrom":
		c.drive(option, qemuOptions{"id": option, "file": value})
	case "id":
		c.guest.ID = guestText(value)
	case "uuid":
		c.uuid = guestText(value)
	case "pidfile":
		c.pidVMID = qemuPIDFile(value)
	case "machine", "M":
		c.none = value == "none" || strings.HasPrefix(value, "none,")
	case "readconfig":
		c.readConfig(value)
	case "cpu":
		c.hints.single, c.hints.every, c.hints.crash = qemuHyperV(value) // QEMU takes the last one
	case "rtc":
		c.hints.local = strings.Contains(","+value+",", ",base=localtime,")
	case "kernel":
		c.hints.kernel = true
	case "smbios":
		c.hints.incus = c.hints.incus || strings.Contains(value, "manufacturer=LinuxContainers")
	case "incoming":
		c.guest.Incoming = true
	default:
		return false
	}
	return true
}

// qemuImplied are the names of the values that may stand first without one.
var qemuImplied = map[string]string{"device": "driver", "object": "qom-type", "name": "guest", "chardev": "backend"}

// readConfig reads a configuration file.
func (c *qemuCommand) readConfig(name string) {
	if c.file == nil {
		return
	}
	text, err := c.file(name)
	if err != nil {
		if reason := errors.New(guestReason(err)); !errors.Is(err, fs.ErrPermission) {
			err = reason // without the path
		} else {
			err = fmt.Errorf("%w", fs.ErrPermission)
		}
		c.failed("readconfig", err)
		return
	}
	c.config(string(text))
}

func (c *qemuCommand) option(option string, o qemuOptions) {
	switch option {
	case "name":
		c.guest.Name = guestText(o["guest"])
	case "device":
		if drive := o["drive"]; drive != "" && o["id"] != "" {
			c.devices[drive] = o["id"]
		}
		if strings.HasPrefix(o["driver"], "vhost-user-blk") && len(c.vhosts) < guestDisksMax {
			c.vhosts = append(c.vhosts, qemuVhost{o["id"], o["chardev"]})
		}
	case "chardev":
		c.sockets[o["id"]] = o["path"]
	case "object":
		if o["qom-type"] == "throttle-group" {
			c.groups[o["id"]] = qemuLimits(o)
		}
	case "blockdev":
		c.nodes[o["node-name"]] = o
		c.add(qemuDrive{name: o["node-name"], options: o, node: true})
	case "drive":
		c.drive("drive", o)
	}
}

// drive reads a -drive.
func (c *qemuCommand) drive(option string, o qemuOptions) {
	d := qemuDrive{name: o["id"], options: o}
	if d.name == "" {
		d.name = o["if"] + o["unit"] + o["index"]
	}
	var err error
	if file := o["file"]; file != "" {
		d.disk, err = qemuFile(file)
	} else {
		d.disk = qemuLayers{}.disk(o, "", 0)
	}
	if err != nil {
		c.failed(option, err)
		return
	}
	c.add(d)
}

func (c *qemuCommand) add(d qemuDrive) {
	if len(c.drives) < guestDisksMax {
		c.drives = append(c.drives, d)
	}
}

func (c *qemuCommand) failed(option string, err error) {
	if c.faults++; c.fault == nil {
		c.fault = qemuFault(option, c.count[option], err)
	}
}

// finish makes the disks of the drives, once all that they refer to is known.
func (c *qemuCommand) finish() {
	below := c.nodes.children()
	for _, d := range c.drives {
		if d.node {
			if below[d.name] {
				continue
			}
			d.disk = c.nodes.disk(d.options, "", 0)
		}
		if d.disk == (Disk{}) {
			continue // an empty drive, or another protocol's
		}
		d.disk.Target = c.target(d.name)
		d.disk.Throttle = guestThrottle(c.throttle(d))
		c.guest.Disks = append(c.guest.Disks, d.disk)
		for _, below := range c.nodes.backing(d.options) {
			below.Target, below.Part = d.disk.Target, true
			c.guest.Disks = append(c.guest.Disks, below)
		}
	}
	for _, v := range c.vhosts {
		if d := guestPathDisk(guestText(c.sockets[v.chardev])); d != (Disk{}) {
			d.Target = guestText(v.device)
			c.guest.Disks = append(c.guest.Disks, d)
		}
	}
	c.guest.Disks = c.guest.Disks[:min(len(c.guest.Disks), guestDisksMax)]
	for _, id := range []string{c.pidVMID, c.uuid} {
		if c.guest.ID == "" {
			c.guest.ID = id
		}
	}
	c.guest.OS, c.guest.OSBy = c.hints.os()
}

// target returns what a drive is to its guest: the id of its device, or its own
// name without the "drive-" that libvirt once and Proxmox still puts before it.
func (c *qemuCommand) target(name string) string {
	if id := c.devices[name]; id != "" {
		return guestText(id)
	}
	return guestText(strings.TrimPrefix(name, "drive-"))
}

func (c *qemuCommand) throttle(d qemuDrive) Throttle {
	t := qemuLimits(d.options)
	for _, group := range c.nodes.groups(d.options, "", 0) {
		t = qemuTighter(t, c.groups[group])
	}
	return t
}

// qemuPIDFile returns the VMID in the name of Proxmox's pid file,
// /var/run/qemu-server/VMID.pid.
func qemuPIDFile(file string) string {
	vmid, ok := strings.CutSuffix(path.Base(file), ".pid")
	if !ok || path.Base(path.Dir(file)) != "qemu-server" || !guestDigits(vmid) {
		return ""
	}
	return vmid
}

// qemuHyperV tells whether a -cpu asks for single Hyper-V features, which only
// Windows uses, whether for all that the host has (hv-passthrough), which some
// managers ask for in every guest, and whether for Windows' way to report a crash.
// A vendor id alone hides KVM from a driver, of any system.
func qemuHyperV(cpu string) (some, every, crash bool) {
	for item := range strings.SplitSeq(cpu, ",") {
		name, value, _ := strings.Cut(strings.ReplaceAll(item, "_", "-"), "=")
		on, err := strconv.ParseBool(value)
		name = strings.TrimPrefix(name, "+")
		switch {
		case err == nil && !on, value == "off", name == "hv-vendor-id", strings.HasPrefix(name, "-hv"):
		case name == "hv-passthrough":
			every = true
		case name == "hv-crash":
			crash = true
		case strings.HasPrefix(name, "hv-"):
			some = true
		}
	}
	return some, every, crash
}
