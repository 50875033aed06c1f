package qemu

import (
	"io/fs"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// ReadSystems returns the operating systems of the Proxmox guests with the given
// VMIDs: windows, linux or other, according to their configuration. It omits a guest
// whose configuration names none. host is rooted at /. Call it only in the probe: the
// files are on a file system in user space, which may hang.
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

// proxmoxSystem returns the system in a guest's configuration (qm.conf(5)), ignoring
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
