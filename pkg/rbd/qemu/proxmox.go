package qemu

import (
	"io/fs"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// ReadSystems returns the operating system of each of the guests of Proxmox whose
// VMIDs are given: windows, linux or other, as their configuration names it. One
// that names none is left out. host is rooted at /. Only inside the probe: the
// files lie on a file system that a process serves, which may hang.
func ReadSystems(host fs.FS, vmids []string) map[string]string {
	systems := map[string]string{}
	for _, vmid := range vmids {
		if !naming.Digits(vmid) {
			continue
		}
		data, err := readRegular(host, "etc/pve/qemu-server/"+vmid+".conf")
		if err != nil {
			continue
		}
		if system := proxmoxSystem(string(data)); system != "" {
			systems[vmid] = system
		}
	}
	return systems
}

// proxmoxSystem returns the system in a guest's configuration (qm.conf(5)), before
// the sections of its snapshots.
func proxmoxSystem(conf string) string {
	for line := range strings.Lines(conf) {
		if strings.HasPrefix(line, "[") {
			return ""
		}
		value, ok := strings.CutPrefix(line, "ostype:")
		if !ok {
			continue
		}
		switch value = strings.TrimSpace(value); {
		case value == "l24", value == "l26":
			return "linux"
		case value == "solaris":
			return "other"
		case strings.HasPrefix(value, "w"): // wxp, w2k, w2k3, w2k8, wvista, win7 to win11
			return "windows"
		}
		return ""
	}
	return ""
}
