package qemu

import (
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// procCgroups returns the paths in /proc/PID/cgroup, split into parts, line by line:
// "0::/qemu.slice/101.scope" with cgroup v2, "12:devices:/qemu.slice/101.scope" and
// similar lines with v1.
func procCgroups(data []byte) [][]string {
	var paths [][]string
	for line := range strings.Lines(string(data)) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if _, path, ok := strings.Cut(rest, ":"); ok {
			paths = append(paths, strings.Split(strings.Trim(path, "/"), "/"))
		}
	}
	return paths
}

// scopeOf returns the VM of a cgroup. Proxmox's is /qemu.slice/VMID.scope. libvirt's
// is /machine.slice/machine-qemu\x2dID\x2dNAME.scope, with systemd's escapes, or
// /machine/qemu-ID-NAME.libvirt-qemu without systemd.
func scopeOf(cgroup []byte) (vm string, libvirt bool) {
	for _, path := range procCgroups(cgroup) {
		if path[0] == "user.slice" {
			continue // a user may create any cgroup there
		}
		for i, part := range path {
			if vmid, ok := strings.CutSuffix(part, ".scope"); ok && i > 0 && path[i-1] == "qemu.slice" && naming.Digits(vmid) {
				return naming.Text(vmid), false
			}
			if name, ok := runsMachine(part); ok {
				return naming.Text(name), true
			}
		}
	}
	return "", false
}

// runsMachine returns the domain's name in the name of libvirt's cgroup. libvirt
// shortens a long name there, and leaves out characters other than letters, digits
// and dashes.
func runsMachine(part string) (name string, ok bool) {
	scope, ok := strings.CutSuffix(part, ".scope")
	if ok {
		scope, ok = strings.CutPrefix(scope, "machine-")
		scope = unescapeUnit(scope)
	} else {
		scope, ok = strings.CutSuffix(part, ".libvirt-qemu")
	}
	rest, isQEMU := strings.CutPrefix(scope, "qemu-")
	id, name, hasName := strings.Cut(rest, "-")
	if !ok || !isQEMU || !hasName || !naming.Digits(id) {
		return "", false
	}
	return name, true
}

// unescapeUnit decodes systemd's \xXX in the name of a unit.
func unescapeUnit(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+3 < len(s) && s[i] == '\\' && s[i+1] == 'x' && guestHex(s[i+2]) >= 0 && guestHex(s[i+3]) >= 0 {
			b.WriteByte(byte(guestHex(s[i+2])<<4 | guestHex(s[i+3])))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// guestHex returns the value of a hexadecimal digit, or -1.
func guestHex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// guestContainer returns the container of a cgroup, the outermost one if they are nested: Proxmox's
// /lxc/VMID/..., /lxc.payload.NAME/... or /lxc.payload/NAME/... The cgroup of its monitor process
// (/lxc.monitor/VMID) does not count.
func guestContainer(cgroup []byte) (id string, ok bool) {
	for _, path := range procCgroups(cgroup) {
		for i, part := range path {
			if (part == "lxc" || part == "lxc.payload") && i+1 < len(path) && path[i+1] != "" {
				return naming.Text(path[i+1]), true
			}
			if name, ok := strings.CutPrefix(part, "lxc.payload."); ok && name != "" {
				return naming.Text(name), true
			}
		}
	}
	return "", false
}
