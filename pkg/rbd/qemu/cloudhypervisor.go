package qemu

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// parseCloudHypervisor parses the command line of cloud-hypervisor in the format of
// /proc/PID/cmdline: the disks of --disk path=PATH,... or --disk
// vhost_user=true,socket=PATH,..., of which one --disk may have several, and --cpus
// kvm_hyperv=on, from which only Windows benefits. A disk's Target is its id, or its
// position: disk0. The command line does not contain the name of the guest.
func parseCloudHypervisor(data []byte) (rbd.Guest, error) {
	if len(data) > argsSize {
		return rbd.Guest{}, fmt.Errorf("%w: longer than %d bytes", errQEMUArgs, argsSize)
	}
	g := rbd.Guest{Kind: "vm"}
	option, machine := "", false
	for arg := range strings.SplitSeq(string(bytes.TrimSuffix(data, []byte{0})), "\x00") {
		name, value, joined := strings.Cut(arg, "=")
		if strings.HasPrefix(arg, "--") {
			option, arg = name, value
			machine = machine || option == "--disk" || option == "--kernel" || option == "--firmware" || option == "--api-socket" ||
				option == "--restore"
			if !joined {
				continue
			}
		}
		if option == "--cpus" && slices.Contains(strings.Split(arg, ","), "kvm_hyperv=on") {
			g.OS, g.OSBy = guest.OSHints{Single: true}.OS()
		}
		if option != "--disk" || len(g.Disks) == rbd.MaxDisks {
			continue
		}
		o, err := parseOptions(arg, "path")
		if err != nil {
			return g, fmt.Errorf("%w: --disk: %w", errQEMUArgs, err)
		}
		if d := guest.PathDisk(naming.Text(o["path"] + o["socket"])); d != (rbd.Disk{}) {
			if d.Target = naming.Text(o["id"]); d.Target == "" {
				d.Target = fmt.Sprint("disk", len(g.Disks))
			}
			g.Disks = append(g.Disks, d)
		}
	}
	if !machine {
		return rbd.Guest{}, errNotGuest
	}
	return g, nil
}
