package rbd_test

import (
	"testing"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
	"github.com/nodewatch/nodewatch/pkg/rbd/libvirt"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// The lab's host: 101 and 102 on krbd, 103 on librbd, 202 on both.
func TestJoinLab(t *testing.T) {
	var guests []rbd.Guest
	for _, vm := range []string{"vm101", "vm102", "vm103"} {
		g, err := qemu.ParseCommandLine(rbdtest.File(t, "../qemu/testdata/"+vm+".cmdline"))
		if err != nil {
			t.Fatal(err)
		}
		guests = append(guests, g)
	}
	g, err := libvirt.ParseDomain(rbdtest.File(t, "../libvirt/testdata/vm202-mixed.defined.xml"))
	if err != nil {
		t.Fatal(err)
	}
	mapped := []rbd.Mapped{
		{Device: "rbd0", Major: 254, Minor: 0, Pool: "rbd", Image: "vm-101-disk-0", FSID: "33b862db-5e43-43fb-927c-e4b2e2132a65"},
		{Device: "rbd1", Major: 254, Minor: 16, Pool: "rbd", Image: "vm-102-disk-0", FSID: "33b862db-5e43-43fb-927c-e4b2e2132a65"},
		{Device: "rbd2", Major: 254, Minor: 32, Pool: "rbd", Image: "vm-103-disk-0", FSID: "33b862db-5e43-43fb-927c-e4b2e2132a65"},
		{Device: "rbd3", Major: 254, Minor: 48, Pool: "rbd", Image: "vm-202-disk-2", FSID: "33b862db-5e43-43fb-927c-e4b2e2132a65"},
	}
	rbdtest.Golden(t, "join-lab", rbd.Join(mapped, append(guests, g)))
}
