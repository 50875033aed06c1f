package legacy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// Users are the guests on some krbd devices.
type users struct {
	names []string // each once, in the order of the guests
	noun  string   // VM, container or, of both kinds, guest
	vm    int      // the first VM's place among the guests; -1: none
}

// usersOf are the guests on the devices of the given names.
func usersOf(in Input, devices []string) users {
	switch {
	case len(devices) != len(in.Uses):
	case in.census == nil:
		return usersOfAll(in)
	default:
		if in.census.everyone == nil {
			u := usersOfAll(in)
			in.census.everyone = &u
		}
		return *in.census.everyone
	}
	labels := make([]string, len(in.Guests))
	for _, device := range devices {
		use := useOf(in, device)
		labelUsers(labels, &use)
	}
	return labelled(in, labels)
}

// usersOfAll are the guests on all krbd devices.
func usersOfAll(in Input) users {
	labels := make([]string, len(in.Guests))
	for i := range in.Uses {
		labelUsers(labels, &in.Uses[i])
	}
	return labelled(in, labels)
}

// labelled are the guests that have a label.
func labelled(in Input, labels []string) users {
	u := users{vm: -1, names: make([]string, 0, len(labels))}
	for g, label := range labels {
		if label != "" {
			u.add(label, in.Guests[g].Kind)
			if u.vm < 0 && in.Guests[g].Kind == "vm" {
				u.vm = g
			}
		}
	}
	return u
}

// labelUsers notes what each user of a device is called, by its place among the guests.
func labelUsers(labels []string, use *rbd.Use) {
	for i, g := range use.At {
		labels[g] = use.Guests[i]
	}
}

func (u *users) add(name, kind string) {
	noun := "guest"
	switch kind {
	case "vm":
		noun = "VM"
	case "container":
		noun = "container"
	}
	if len(u.names) > 0 && u.noun != noun {
		noun = "guest"
	}
	u.names, u.noun = append(u.names, name), noun
}

// of says whose something is: " of 65 VMs"; nothing if no guest is known.
func (u users) of() string {
	if len(u.names) == 0 {
		return ""
	}
	return " of " + counted(len(u.names), u.noun)
}

// list names some of them: "65 VMs: vm101, vm102 and 63 more".
func (u users) list(most int) string {
	return fmt.Sprintf("%s: %s", counted(len(u.names), u.noun), someOf(u.names, most))
}

// useOf returns who uses a krbd device.
func useOf(in Input, device string) rbd.Use {
	i, found := slices.BinarySearchFunc(in.Uses, device, func(u rbd.Use, device string) int { return strings.Compare(u.Device, device) })
	if !found {
		return rbd.Use{Device: device}
	}
	return in.Uses[i]
}

// diskName says which disk a krbd device is: "rbd0 (rbd/vm-101-disk-0, vm101)".
func diskName(in Input, device string) string {
	m, _, found := in.Device(device)
	if !found {
		return device
	}
	use := useOf(in, device)
	switch {
	case len(use.Guests) > 0:
		return fmt.Sprintf("%s (%s, %s)", device, m.Spec(), someOf(use.Guests, 3))
	case use.Owner != "":
		return fmt.Sprintf("%s (%s, of VMID %s)", device, m.Spec(), use.Owner)
	}
	return fmt.Sprintf("%s (%s)", device, m.Spec())
}

// clientName is what the kernel calls a client.
func clientName(id uint64) string { return fmt.Sprintf("client%d", id) }
