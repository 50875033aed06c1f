package rbd

import (
	"bytes"
	"fmt"
	"strings"
)

// parseCloudHypervisor reads the command line of cloud-hypervisor, as
// /proc/PID/cmdline has it: the disks of --disk path=PATH,... or
// --disk vhost_user=true,socket=PATH,..., of which one --disk may have several. A
// disk's Target is its id, or its place: disk0. There is no name of the guest in it.
func parseCloudHypervisor(data []byte) (Guest, error) {
	if len(data) > qemuArgsSize {
		return Guest{}, fmt.Errorf("%w: longer than %d bytes", errQEMUArgs, qemuArgsSize)
	}
	g := Guest{Kind: "vm"}
	option, machine := "", false
	for arg := range strings.SplitSeq(string(bytes.TrimSuffix(data, []byte{0})), "\x00") {
		name, value, joined := strings.Cut(arg, "=")
		if strings.HasPrefix(arg, "--") {
			option, arg = name, value
			machine = machine || option == "--disk" || option == "--kernel" || option == "--firmware" || option == "--api-socket" || option == "--restore"
			if !joined {
				continue
			}
		}
		if option != "--disk" || len(g.Disks) == guestDisksMax {
			continue
		}
		o, err := qemuParse(arg, "path")
		if err != nil {
			return g, fmt.Errorf("%w: --disk: %w", errQEMUArgs, err)
		}
		if d := guestPathDisk(guestText(o["path"] + o["socket"])); d != (Disk{}) {
			if d.Target = guestText(o["id"]); d.Target == "" {
				d.Target = fmt.Sprint("disk", len(g.Disks))
			}
			g.Disks = append(g.Disks, d)
		}
	}
	if !machine {
		return Guest{}, errNotGuest
	}
	return g, nil
}
