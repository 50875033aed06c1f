package rbd

import "strings"

// ImageVMID returns the VMID in the name that Proxmox gives an image of a guest:
// vm-VMID-disk-N, vm-VMID-cloudinit, vm-VMID-state-NAME, base-VMID-disk-N. It is
// told so even where no process of the guest can be seen.
func ImageVMID(image string) (vmid string, ok bool) {
	rest, isVM := strings.CutPrefix(image, "vm-")
	if !isVM {
		if rest, ok = strings.CutPrefix(image, "base-"); !ok {
			return "", false
		}
	}
	vmid, _, ok = strings.Cut(rest, "-")
	if !ok || len(vmid) > 9 || !guestDigits(vmid) {
		return "", false
	}
	return vmid, true
}

// guestDigits tells whether s is one or more decimal digits.
func guestDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
