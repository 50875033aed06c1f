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
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// argsSize is the maximum size of one process's command line in bytes; the kernel's
// limit is 6 MiB.
const argsSize = 1 << 20

// errQEMUArgs is wrapped by every error of ParseCommandLine. Its text never contains
// any of the command line, which may contain a Ceph key in clear text.
var errQEMUArgs = errors.New("rbd: QEMU command line")

// ParseCommandLine parses a QEMU's command line in the format of /proc/PID/cmdline,
// NUL-terminated arguments: -name, -id and -uuid, the disks of -drive and -blockdev,
// their throttles, and indicators of Windows. A disk's Target is the id of its
// -device, or its own name. If the error is not nil, it names the parts that could
// not be parsed, and the Guest has the others. Neither ever contains a key, password
// or user. Configuration files named by the command line are not read.
func ParseCommandLine(data []byte) (rbd.Guest, error) {
	c, err := readLine(data, nil)
	if err != nil {
		return rbd.Guest{}, err
	}
	return c.guest, c.err()
}

// readLine parses a command line, and reads configuration files that it names with
// file; if file is nil it skips them.
func readLine(data []byte, file func(name string) ([]byte, error)) (*commandLine, error) {
	if len(data) > argsSize {
		return nil, fmt.Errorf("%w: longer than %d bytes", errQEMUArgs, argsSize)
	}
	c := &commandLine{
		guest: rbd.Guest{Kind: "vm"}, file: file, nodes: layers{}, groups: map[string]rbd.Throttle{},
		devices: map[string]string{}, sockets: map[string]string{}, count: map[string]int{},
	}
	args := strings.Split(string(bytes.TrimSuffix(data, []byte{0})), "\x00")
	for i := 1; i < len(args); i++ {
		option, ok := strings.CutPrefix(args[i], "-")
		if !ok {
			c.image(args[i])
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

// err names the parts that could not be parsed. It is nil if all could.
func (c *commandLine) err() error {
	if c.faults == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d options could not be read: %w", errQEMUArgs, c.faults, c.fault)
}

// machine reports whether the command line describes a virtual machine. libvirt starts
// QEMU with the machine "none" to query its features.
func (c *commandLine) machine() bool {
	if c.none {
		return false
	}
	for _, option := range []string{
		"name", "drive", "blockdev", "device", "machine", "M", "m", "uuid", "id", "cpu", "smp", "readconfig", "accel", "enable-kvm",
		"nodefaults",
		"hda", "hdb", "cdrom", "kernel", "bios", "pflash", "incoming", "loadvm", "S",
	} {
		if c.count[option] > 0 {
			return true
		}
	}
	return false
}

// A commandLine is the parsed part of a command line.
type commandLine struct {
	guest   rbd.Guest
	uuid    string
	pidVMID string // the VMID in Proxmox's pid file
	none    bool   // QEMU was started without a machine
	hints   guest.OSHints
	file    func(name string) ([]byte, error) // reads a configuration file; nil: skip it
	drives  []driveOption
	nodes   layers
	groups  map[string]rbd.Throttle // throttle groups by id
	devices map[string]string       // id of the -device that uses a drive or node
	sockets map[string]string       // paths of Unix sockets by the id of their -chardev
	vhosts  []vhost
	count   map[string]int // number of occurrences of each option
	faults  int
	fault   error // the first
}

// A driveOption is one -drive, or one -blockdev that may be a disk.
type driveOption struct {
	name    string
	options optionSet
	file    rbd.Disk // file of a -drive
	node    bool     // a -blockdev
}

// A vhost is a disk that another process exports over a socket.
type vhost struct{ device, chardev string }

// take parses one option and reports whether value was its value.
func (c *commandLine) take(option, value string) bool {
	c.count[option]++
	switch option {
	case "drive", "blockdev", "device", "object", "name", "chardev":
		o, err := parseOptions(value, impliedNames[option])
		if err != nil {
			c.failed(option, err)
			return true
		}
		c.option(option, o)
	case "hda", "hdb", "hdc", "hdd", "cdrom":
		c.drive(option, optionSet{"id": option, "file": value})
	case "id":
		c.guest.ID = naming.Text(value)
	case "uuid":
		c.uuid = naming.Text(value)
	case "pidfile":
		c.pidVMID = pidFile(value)
	case "machine", "M":
		c.none = value == "none" || strings.HasPrefix(value, "none,")
	case "readconfig":
		c.readConfig(value)
	case "cpu":
		c.hints.Single, c.hints.Every, c.hints.Crash = hyperV(value) // QEMU takes the last one
	case "rtc":
		c.hints.Local = strings.Contains(","+value+",", ",base=localtime,")
	case "localtime": // an option of QEMU before 3.1, without a value
		c.hints.Local = true
		return false
	case "kernel":
		c.hints.Kernel = true
	case "smbios":
		c.hints.Incus = c.hints.Incus || strings.Contains(value, "manufacturer=LinuxContainers") || strings.Contains(value, "product=LXD")
	case "incoming":
		c.guest.Incoming = true
	default:
		return false
	}
	return true
}

// image parses an argument without an option: a disk image, the first disk. It may
// also be the value of an unknown option, so only names that are certainly RBD's are
// used.
func (c *commandLine) image(arg string) {
	if d, err := parseFile(arg); err == nil && d.Client != rbd.NoClient {
		c.drive("hda", optionSet{"id": "hda", "file": arg})
	}
}

// impliedNames are the names of the values that may come first without a name.
var impliedNames = map[string]string{"device": "driver", "object": "qom-type", "name": "guest", "chardev": "backend"}

// readConfig reads a configuration file.
func (c *commandLine) readConfig(name string) {
	if path.Base(name) == "qemu.conf" && (strings.Contains(name, "/incus/") || strings.Contains(name, "/lxd/")) {
		c.hints.Incus = true
	}
	if c.file == nil {
		return
	}
	text, err := c.file(name)
	if err != nil {
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			err = at.Err // without the path, which differs between guests
		}
		c.failed("readconfig", err)
		return
	}
	c.config(string(text))
}

func (c *commandLine) option(option string, o optionSet) {
	switch option {
	case "name":
		c.guest.Name = naming.Text(o["guest"])
	case "device":
		if drive := o["drive"]; drive != "" && o["id"] != "" {
			c.devices[drive] = o["id"]
		}
		if (strings.HasPrefix(o["driver"], "vhost-user-blk") || strings.HasPrefix(o["driver"], "vhost-user-scsi")) &&
			len(c.vhosts) < rbd.MaxDisks {
			c.vhosts = append(c.vhosts, vhost{o["id"], o["chardev"]})
		}
	case "chardev":
		c.sockets[o["id"]] = o["path"]
	case "object":
		if o["qom-type"] == "throttle-group" {
			c.groups[o["id"]] = limitsOf(o)
		}
	case "blockdev":
		c.nodes[o["node-name"]] = o
		c.add(driveOption{name: o["node-name"], options: o, node: true})
	case "drive":
		c.drive("drive", o)
	}
}

// drive parses a -drive.
func (c *commandLine) drive(option string, o optionSet) {
	d := driveOption{name: o["id"], options: o}
	if d.name == "" {
		d.name = o["if"] + o["unit"] + o["index"]
	}
	if file := o["file"]; file != "" {
		var err error
		if d.file, err = parseFile(file); err != nil {
			c.failed(option, err)
			return
		}
		delete(o, "file") // it is not the name of a node
	}
	c.add(d)
}

func (c *commandLine) add(d driveOption) {
	if len(c.drives) < rbd.MaxDisks {
		c.drives = append(c.drives, d)
	}
}

func (c *commandLine) failed(option string, err error) {
	if c.faults++; c.fault == nil {
		c.fault = parseFault(option, c.count[option], err)
	}
}

// finish resolves the disks of the drives, after all that they refer to is known.
func (c *commandLine) finish() {
	below := c.nodes.children()
	w := walk{nodes: c.nodes}
	for _, d := range c.drives {
		if d.node && below[d.name] {
			continue
		}
		w.disks, w.groups = nil, nil
		if d.file != (rbd.Disk{}) {
			w.disks = append(w.disks, d.file)
			w.child(d.options, "backing", 0)
		} else {
			w.layer(d.options, "", 0)
		}
		for i, disk := range w.disks {
			disk.Target, disk.Part = c.target(d.name), i > 0
			if i == 0 {
				disk.Throttle = guest.Limits(c.throttle(d.options, w.groups))
			}
			c.guest.Disks = append(c.guest.Disks, disk)
		}
	}
	for _, v := range c.vhosts {
		if d := guest.PathDisk(naming.Text(c.sockets[v.chardev])); d != (rbd.Disk{}) {
			d.Target = naming.Text(v.device)
			c.guest.Disks = append(c.guest.Disks, d)
		}
	}
	c.guest.Disks = c.guest.Disks[:min(len(c.guest.Disks), rbd.MaxDisks)]
	for _, id := range []string{c.pidVMID, c.uuid} {
		if c.guest.ID == "" {
			c.guest.ID = id
		}
	}
	c.guest.OS, c.guest.OSBy = c.hints.OS()
}

// target returns the name of a drive in its guest: the id of its device, or its own
// name without the prefix "drive-" of Proxmox and older libvirt.
func (c *commandLine) target(name string) string {
	if id := c.devices[name]; id != "" {
		return naming.Text(id)
	}
	return naming.Text(strings.TrimPrefix(name, "drive-"))
}

func (c *commandLine) throttle(o optionSet, groups []string) rbd.Throttle {
	t := limitsOf(o)
	for _, group := range groups {
		t = guest.Tighter(t, c.groups[group])
	}
	return t
}

// pidFile returns the VMID in the name of Proxmox's pid file,
// /var/run/qemu-server/VMID.pid.
func pidFile(file string) string {
	vmid, ok := strings.CutSuffix(path.Base(file), ".pid")
	if !ok || path.Base(path.Dir(file)) != "qemu-server" || !naming.Digits(vmid) {
		return ""
	}
	return vmid
}

// hyperV returns whether a -cpu enables single Hyper-V features, which only Windows
// uses; whether it enables all that the host has (hv-passthrough), as some managers do
// for every guest; and whether it enables Windows' device for reporting a crash. A
// vendor id alone hides KVM from a driver, of any system.
func hyperV(cpu string) (some, every, crash bool) {
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
