package rbd

import "testing"

func TestImageVMID(t *testing.T) {
	for image, want := range map[string]string{
		"vm-101-disk-0": "101", "base-9000-disk-1": "9000", "vm-101-cloudinit": "101", "vm-101-state-before": "101",
		"vm-101": "", "vm--disk-0": "", "vm-x1-disk-0": "", "xvm-101-disk-0": "", "vm-12345678901-disk-0": "", "volume-101": "", "": "",
	} {
		if got, ok := ImageVMID(image); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v", image, got, ok)
		}
	}
}
