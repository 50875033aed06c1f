package rbd

import (
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// ImageVMID returns the VMID in the name that Proxmox uses for an image of a guest:
// vm-VMID-disk-N, vm-VMID-cloudinit, vm-VMID-state-NAME, base-VMID-disk-N. It is
// known even if no process of the guest is visible.
func ImageVMID(image string) (vmid string, ok bool) {
	rest, isVM := strings.CutPrefix(image, "vm-")
	if !isVM {
		if rest, ok = strings.CutPrefix(image, "base-"); !ok {
			return "", false
		}
	}
	vmid, _, ok = strings.Cut(rest, "-")
	if !ok || len(vmid) > 9 || !naming.Digits(vmid) {
		return "", false
	}
	return vmid, true
}
