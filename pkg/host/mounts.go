package host

import "bytes"

// hasCephFS reports whether a line of /proc/self/mounts, "DEVICE DIR TYPE OPTIONS 0
// 0", is a mount of the kernel's CephFS. Blanks within a field are octal escapes
// there, so the third field is always the type.
func hasCephFS(mounts []byte) bool {
	for line := range bytes.Lines(mounts) {
		words := bytes.Fields(line)
		if len(words) >= 4 && string(words[2]) == "ceph" {
			return true
		}
	}
	return false
}
