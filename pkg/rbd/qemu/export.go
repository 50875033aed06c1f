package qemu

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// serverComm reports whether a comm is that of a program that exports disks.
func serverComm(comm string) bool { return serverName(comm) != "" }

// serverName returns the name of the program that exports disks for its comm, of
// which the kernel keeps 15 bytes. That of a wrapped program has a leading dot
// (.qemu-storage-d) and a suffix (.qemu-nbd-wrapp). The result is empty for any other
// program.
func serverName(comm string) string {
	name, wrapped := strings.CutPrefix(comm, ".")
	for _, server := range []string{"rbd-nbd", "qemu-nbd", "qemu-storage-d"} {
		rest, ok := strings.CutPrefix(name, server)
		if ok && (rest == "" || wrapped && rest[0] == '-' || server == "qemu-storage-d") {
			return server
		}
	}
	return ""
}

// ReadExports reads a process's exports from its command line: rbd-nbd's image, the
// disk of a qemu-nbd, the exports of a qemu-storage-daemon. Like ReadCommandLine,
// call it only in the probe. Path is empty if only the kernel knows the device.
func ReadExports(proc fs.FS, p Process) ([]rbd.Export, error) {
	data, err := procCommandLine(proc, p)
	if err != nil {
		return nil, err
	}
	list := parseExports(p.Comm, data)
	for i := range list {
		list[i].PID = p.PID
		disks := guest.FillNumbers([]rbd.Disk{list[i].Disk}, rbd.DeviceNumber)
		list[i].Disk = disks[0]
	}
	return list, nil
}

// parseExports parses the command line of a program that exports disks. It does not
// keep anything that may be a key or a user.
func parseExports(comm string, data []byte) []rbd.Export {
	args := strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")[1:]
	switch serverName(comm) {
	case "rbd-nbd":
		return parseRBDNBD(args)
	case "qemu-nbd":
		return parseQEMUNBD(args)
	case "qemu-storage-d":
		return parseStorageDaemon(args)
	}
	return nil
}

// exportArgs splits arguments into options, by name without dashes, and the rest. flags
// are the options without a value; one-letter flags can be combined, also with a last
// option that has a value (getopt(3)): -rc/dev/nbd0.
func exportArgs(args []string, flags []string) (options map[string]string, rest []string) {
	options = map[string]string{}
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return options, append(rest, args[i+1:]...)
		}
		name, ok := strings.CutPrefix(args[i], "-")
		if !ok || name == "" {
			rest = append(rest, args[i])
			continue
		}
		var value string
		var joined bool
		if long, isLong := strings.CutPrefix(name, "-"); isLong {
			name, value, joined = strings.Cut(long, "=")
		} else {
			for len(name) > 1 && slices.Contains(flags, name[:1]) {
				name = name[1:]
			}
			name, value = name[:1], name[1:]
			joined = value != ""
		}
		if !joined && !slices.Contains(flags, name) && i+1 < len(args) {
			i++
			value = args[i]
		}
		if _, twice := options[name]; !twice {
			options[name] = value
		}
	}
	return options, rest
}

// parseRBDNBD parses rbd-nbd(8): rbd-nbd [options] map
// POOL/[NAMESPACE/]IMAGE[@SNAPSHOT].
func parseRBDNBD(args []string) []rbd.Export {
	options, rest := exportArgs(args, []string{
		"exclusive", "read-only", "notrim", "no-trim", "quiesce", "try-netlink", "show-cookie", "log-to-stderr", "f", "d", "foreground",
		"version", "v",
	})
	if len(rest) < 2 || rest[0] != "map" && rest[0] != "attach" {
		return nil
	}
	spec := rest[1]
	if !strings.Contains(spec, "/") {
		spec = "rbd/" + spec // the default of rbd_default_pool
	}
	d := rbd.Disk{Client: rbd.NBD}
	var ok bool
	if d.Pool, d.Namespace, d.Image, d.Snapshot, ok = naming.ParseSpec(naming.Text(spec)); !ok {
		return nil
	}
	return []rbd.Export{{Path: naming.Text(options["device"]), Disk: d}}
}

// parseQEMUNBD parses qemu-nbd(8): qemu-nbd --connect=/dev/nbdN FILE, or qemu-nbd
// --socket=PATH FILE.
func parseQEMUNBD(args []string) []rbd.Export {
	options, rest := exportArgs(args, []string{
		"r", "read-only", "s", "snapshot", "n", "nocache", "d", "disconnect", "A", "allocation-depth", "v", "verbose",
		"t", "persistent", "fork", "L", "list", "image-opts",
	})
	path := options["connect"] + options["c"] + options["socket"] + options["k"]
	if len(rest) != 1 || !strings.HasPrefix(path, "/") {
		return nil
	}
	var d rbd.Disk
	var err error
	if slices.Contains(args, "--image-opts") {
		var o optionSet
		if o, err = parseOptions(rest[0], "driver"); err == nil {
			d = layers{}.disk(o)
		}
	} else {
		d, err = parseFile(rest[0])
	}
	if err != nil {
		return nil
	}
	return []rbd.Export{{Path: naming.Text(path), Disk: d}}
}

// parseStorageDaemon parses qemu-storage-daemon(1): the disks of --blockdev that
// --export exports over a separate socket or over that of --nbd-server.
func parseStorageDaemon(args []string) []rbd.Export {
	nodes, list := layers{}, []rbd.Export(nil)
	var exports []optionSet
	server := ""
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !strings.HasPrefix(args[i], "--") || name != "blockdev" && name != "export" && name != "nbd-server" {
			continue
		}
		if !joined && i+1 < len(args) {
			i++
			value = args[i]
		}
		o, err := parseOptions(value, map[string]string{"export": "type"}[name])
		switch {
		case err != nil:
		case name == "blockdev":
			nodes[o["node-name"]] = o
		case name == "export" && len(exports) < rbd.MaxDisks:
			exports = append(exports, o)
		case name == "nbd-server":
			server = o["addr.path"] + o["addr.data.path"]
		}
	}
	for _, e := range exports {
		path := e["addr.path"] + e["mountpoint"] // path of vhost-user-blk, and of a file by FUSE
		if e["type"] == "nbd" {
			path = server
		}
		node, ok := nodes[e["node-name"]]
		if d := nodes.disk(node); ok && strings.HasPrefix(path, "/") {
			list = append(list, rbd.Export{Path: naming.Text(path), Disk: d})
		}
	}
	return list
}

// exportsOf returns the exports, including the network block devices that rbd-nbd and
// others serve: the kernel shows the process of each device. If that process is not
// rbd-nbd, the device has the process's export, or rbd.NoClient.
func exportsOf(exports []rbd.Export, devices []ServedDevice) []rbd.Export {
	var list []rbd.Export
	for _, e := range exports {
		if e.Path != "" {
			list = append(list, e)
		}
	}
	for _, d := range devices {
		if d.File != "" {
			continue
		}
		path := "/dev/" + d.Device
		if i := slices.IndexFunc(list, func(e rbd.Export) bool { return e.Path == path }); i >= 0 {
			list[i].Numbers = d.Numbers
			continue
		}
		e := rbd.Export{PID: d.PID}
		if i := slices.IndexFunc(exports, func(e rbd.Export) bool { return e.PID == d.PID && d.PID != 0 && e.Path == "" }); i >= 0 {
			e = exports[i]
		}
		e.Path, e.Numbers = path, d.Numbers
		list = append(list, e)
	}
	return list
}
