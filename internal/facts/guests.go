package facts

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A GuestSet is a set of guests.
type GuestSet struct {
	Names []string // in the order of the guests
	Noun  string   // VM, container or, for a mixed set, guest
	VM    int      // index of the first VM among the guests; -1: none
}

func (g *GuestSet) add(name, kind string) {
	noun := "guest"
	switch kind {
	case "vm":
		noun = "VM"
	case "container":
		noun = "container"
	}
	if len(g.Names) > 0 && g.Noun != noun {
		noun = "guest"
	}
	g.Names, g.Noun = append(g.Names, name), noun
}

// Count returns "65 VMs"; empty if there is none.
func (g GuestSet) Count() string {
	if len(g.Names) == 0 {
		return ""
	}
	return human.Count(len(g.Names), g.Noun)
}

// In returns " (65 VMs)"; empty if there is none.
func (g GuestSet) In() string {
	if len(g.Names) == 0 {
		return ""
	}
	return " (" + g.Count() + ")"
}

// List names some of the guests: "65 VMs: vm101, vm102 and 63 more".
func (g GuestSet) List(most int) string {
	return g.Count() + ": " + human.Names(g.Names, most)
}

// GuestsOn returns the guests on krbd devices.
func (f *Facts) GuestsOn(devices []string) GuestSet {
	if len(devices) == len(f.Uses) {
		return f.everyone()
	}
	labels := make([]string, len(f.Guests))
	for _, device := range devices {
		use := f.UseOf(device)
		for i, g := range use.At {
			labels[g] = use.Guests[i]
		}
	}
	return f.labelled(labels)
}

func (f *Facts) findEveryone() GuestSet {
	labels := make([]string, len(f.Guests))
	for u := range f.Uses {
		for i, g := range f.Uses[u].At {
			labels[g] = f.Uses[u].Guests[i]
		}
	}
	return f.labelled(labels)
}

func (f *Facts) labelled(labels []string) GuestSet {
	set := GuestSet{VM: -1}
	for g, label := range labels {
		if label == "" {
			continue
		}
		set.add(label, f.Guests[g].Kind)
		if set.VM < 0 && f.Guests[g].Kind == "vm" {
			set.VM = g
		}
	}
	return set
}

// UseOf returns the user of a krbd device.
func (f *Facts) UseOf(device string) rbd.Use {
	i, found := sort.Find(len(f.Uses), func(i int) int { return strings.Compare(device, f.Uses[i].Device) })
	if !found {
		return rbd.Use{Device: device}
	}
	return f.Uses[i]
}

// DiskName describes a krbd device: "rbd0 (rbd/vm-101-disk-0, vm101)".
func (f *Facts) DiskName(device string) string {
	m, _, found := f.Device(device)
	if !found {
		return device
	}
	use := f.UseOf(device)
	switch {
	case len(use.Guests) > 0:
		return fmt.Sprintf("%s (%s, %s)", device, m.Spec(), human.Names(use.Guests, 3))
	case use.Owner != "":
		return fmt.Sprintf("%s (%s, of VMID %s)", device, m.Spec(), use.Owner)
	}
	return fmt.Sprintf("%s (%s)", device, m.Spec())
}

// DiskNames names some krbd devices, the first three in full.
func (f *Facts) DiskNames(devices []string) string {
	names := slices.Clone(devices)
	for i := range min(3, len(names)) {
		names[i] = f.DiskName(names[i])
	}
	return human.Names(names, 3)
}

// running returns the running guests, and the krbd devices without a known guest.
type running struct {
	guests  int
	runs    []bool // by index among the guests
	held    []bool // guests that an administrator has paused, which may run again at any moment
	orphans map[string]bool
}

func (f *Facts) findRunning() running {
	r := running{runs: make([]bool, len(f.Guests)), held: make([]bool, len(f.Guests)), orphans: map[string]bool{}}
	for i := range f.Guests {
		switch g := &f.Guests[i]; {
		case slices.Contains([]string{"shutoff", "shutdown", "crashed", "pmsuspended"}, g.State):
		case g.State == "paused" && g.Reason == "user":
			r.held[i] = true
		default:
			r.runs[i] = true
			r.guests++
		}
	}
	used := make(map[string]bool, len(f.Uses))
	for i := range f.Uses {
		used[f.Uses[i].Device] = len(f.Uses[i].At) > 0
	}
	for i := range f.Mapped.Value {
		if !used[f.Mapped.Value[i].Device] {
			r.orphans[f.Mapped.Value[i].Device] = true
		}
	}
	return r
}

// A Hit is the part of a node that some krbd devices affect: guests, and devices
// without a known guest, which count as one each.
type Hit struct {
	Hit, Total int
	Names      []string // names of the affected guests, sorted; of the devices if no guest is known
	Guests     bool     // Names are names of guests
}

// Half reports whether at least half is affected.
func (h Hit) Half() bool { return h.Hit > 0 && 2*h.Hit >= h.Total }

// GuestsHit returns the share of the node's running guests that use one of the krbd
// devices. A guest that an administrator has paused counts only if it uses one of
// them.
func (f *Facts) GuestsHit(devices []string) Hit {
	r := f.runningOf()
	h := Hit{Total: r.guests + len(r.orphans)}
	if len(devices) == 0 {
		return h
	}
	h.Names = make([]string, 0, min(len(devices), len(f.Guests)))
	hit := make([]bool, len(f.Guests))
	var bare []string
	for _, d := range devices {
		use := f.UseOf(d)
		for i, g := range use.At {
			if (r.runs[g] || r.held[g]) && !hit[g] {
				hit[g] = true
				if r.held[g] {
					h.Total++
				}
				h.Hit++
				h.Names = append(h.Names, use.Guests[i])
			}
		}
		if r.orphans[d] {
			h.Hit++
			bare = append(bare, d)
		}
	}
	h.Guests = len(h.Names) > 0
	if !h.Guests {
		h.Names = bare
		slices.SortFunc(h.Names, human.ByNumber)
		return h
	}
	slices.Sort(h.Names)
	return h
}

// A Client is one kernel client with the devices mapped through it.
type Client struct {
	FSID    string
	ID      uint64
	Addr    string
	Devices []string
}

// Name returns the kernel's name of the client.
func (c Client) Name() string { return fmt.Sprintf("client%d", c.ID) }

// Clients returns the kernel clients of the krbd devices, by cluster and id.
func (f *Facts) Clients() []Client { return f.clients() }

func (f *Facts) findClients() []Client {
	type key struct {
		fsid string
		id   uint64
	}
	place := map[key]int{}
	var list []Client
	for i := range f.Mapped.Value {
		m := &f.Mapped.Value[i]
		k := key{m.FSID, m.ClientID}
		p, found := place[k]
		if !found {
			p = len(list)
			place[k] = p
			list = append(list, Client{FSID: m.FSID, ID: m.ClientID, Addr: m.Nonce})
		}
		list[p].Devices = append(list[p].Devices, m.Device)
	}
	slices.SortFunc(list, func(a, b Client) int { return cmp.Or(cmp.Compare(a.FSID, b.FSID), cmp.Compare(a.ID, b.ID)) })
	return list
}

// GuestsOf returns the names of the running guests that use one of the krbd devices.
func (f *Facts) GuestsOf(devices []string) []string {
	if h := f.GuestsHit(devices); h.Guests {
		return h.Names
	}
	return nil
}

// RunningGuests returns the number of running guests.
func (f *Facts) RunningGuests() int { return f.runningOf().guests }
