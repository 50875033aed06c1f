package rbd

import (
	"bytes"
	"errors"
	"fmt"
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
// key, password or user, whatever the command line is.
func ParseCommandLine(data []byte) (Guest, error) {
	if len(data) > qemuArgsSize {
		return Guest{}, fmt.Errorf("%w: longer than %d bytes", errQEMUArgs, qemuArgsSize)
	}
	c := qemuCommand{guest: Guest{Kind: "vm"}, nodes: qemuLayers{}, groups: map[string]Throttle{}, devices: map[string]string{}, count: map[string]int{}}
	args := strings.Split(string(bytes.TrimSuffix(data, []byte{0})), "\x00")
	for i := 1; i+1 < len(args); i++ {
		option, ok := strings.CutPrefix(args[i], "-")
		if !ok {
			continue
		}
		if c.take(strings.TrimPrefix(option, "-"), args[i+1]) {
			i++
		}
	}
	c.finish()
	if c.faults > 0 {
		return c.guest, fmt.Errorf("%w: %d options could not be read: %w", errQEMUArgs, c.faults, c.fault)
	}
	return c.guest, nil
}

// A qemuCommand is a command line as far as it has been read.
type qemuCommand struct {
	guest   Guest
	uuid    string
	pidVMID string // the VMID in Proxmox's pid file
	hyperv  bool   // the last -cpu has Hyper-V features of its own
	every   bool   // the last -cpu has hv-passthrough
	local   bool   // the clock is in local time
	drives  []qemuDrive
	nodes   qemuLayers
	groups  map[string]Throttle // throttle groups by id
	devices map[string]string   // the id of the -device that a drive or node is for
	count   map[string]int      // how often each option has come
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

// take reads one option and tells whether value was its value.
func (c *qemuCommand) take(option, value string) bool {
	c.count[option]++
	switch option {
	case "drive", "blockdev", "device", "object", "name":
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
	case "cpu":
		c.hyperv, c.every = qemuHyperV(value) // QEMU takes the last one
	case "rtc":
		c.local = strings.Contains(","+value+",", ",base=localtime,")
	default:
		return false
	}
	return true
}

// qemuImplied are the names of the values that may stand first without one.
var qemuImplied = map[string]string{"device": "driver", "object": "qom-type", "name": "guest"}

func (c *qemuCommand) option(option string, o qemuOptions) {
	switch option {
	case "name":
		c.guest.Name = guestText(o["guest"])
	case "device":
		if drive := o["drive"]; drive != "" && o["id"] != "" {
			c.devices[drive] = o["id"]
		}
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
			below.Target = d.disk.Target
			c.guest.Disks = append(c.guest.Disks, below)
		}
	}
	c.guest.Disks = c.guest.Disks[:min(len(c.guest.Disks), guestDisksMax)]
	for _, id := range []string{c.pidVMID, c.uuid} {
		if c.guest.ID == "" {
			c.guest.ID = id
		}
	}
	switch {
	case c.hyperv:
		c.guest.OS, c.guest.OSBy = "windows", osByHyperV
	default:
		c.guest.OS, c.guest.OSBy = osWeak(c.every, c.local)
	}
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
// Windows uses, and whether for all that the host has (hv-passthrough), which
// some managers ask for in every guest. A vendor id alone hides KVM from a
// driver, of any system; hv-crash, too, is of use to Windows alone.
func qemuHyperV(cpu string) (some, every bool) {
	for item := range strings.SplitSeq(cpu, ",") {
		name, value, _ := strings.Cut(strings.ReplaceAll(item, "_", "-"), "=")
		on, err := strconv.ParseBool(value)
		switch {
		case err == nil && !on, value == "off", name == "hv-vendor-id", strings.HasPrefix(item, "-hv"):
		case name == "hv-passthrough":
			every = true
		case strings.HasPrefix(name, "hv-"), strings.HasPrefix(name, "+hv-"):
			some = true
		}
	}
	return some, every
}
