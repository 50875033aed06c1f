package rbd

import (
	"slices"
	"strconv"
	"strings"
)

// A Use is the guests that use one krbd device.
type Use struct {
	Device string   `json:"device"`           // rbdN
	Guests []string `json:"guests,omitempty"` // names of the guests, sorted; "NAME (container)", "NAME (ID)" or "NAME (PID N)" if two guests share a name
	At     []int    `json:"-"`                // their indexes in the guests passed to Join, in the order of Guests
	Owner  string   `json:"owner,omitempty"`  // the VMID in the image's name, if no guest is known to use the device
}

// Join returns the guests that use each mapped device, by device name. It matches by
// device number, of the device or of its holders; then by path; then, for a device
// without a known user, by the VMID that Proxmox puts into the image's name. It does
// not change its arguments.
func Join(mapped []Mapped, guests []Guest) []Use {
	x := newJoinIndex(mapped)
	users := make([][]int, len(mapped))
	for g := range guests {
		for d := range guests[g].Disks {
			for _, m := range x.find(&guests[g].Disks[d]) {
				if n := len(users[m]); n == 0 || users[m][n-1] != g {
					users[m] = append(users[m], g)
				}
			}
		}
	}
	label, byID := joinLabels(guests), joinIDs(guests)
	uses := make([]Use, len(mapped))
	for m := range mapped {
		at, owner := users[m], ""
		if len(at) == 0 {
			at, owner = joinOwner(mapped[m], guests, byID)
		}
		uses[m] = joinUse(mapped[m].Device, owner, at, label)
	}
	slices.SortFunc(uses, func(a, b Use) int { return strings.Compare(a.Device, b.Device) })
	return uses
}

// Resolve returns the guests with their krbd disks completed from the mapped devices:
// client, pool, namespace, image, snapshot. If a disk's device or link matches
// several images, only its client is filled in. It does not change its arguments.
func Resolve(guests []Guest, mapped []Mapped) []Guest {
	x := newJoinIndex(mapped)
	resolved := slices.Clone(guests)
	for g := range resolved {
		own := false // whether resolved[g].Disks is already a copy
		for d := range resolved[g].Disks {
			found := x.find(&resolved[g].Disks[d])
			if len(found) == 0 {
				continue
			}
			if !own {
				resolved[g].Disks, own = slices.Clone(resolved[g].Disks), true
			}
			joinFill(&resolved[g].Disks[d], found, mapped)
		}
	}
	return resolved
}

// joinFill fills in a disk from the devices it is on.
func joinFill(d *Disk, found []int, mapped []Mapped) {
	d.Client = KRBD
	if len(found) == 1 {
		m := mapped[found[0]]
		d.Pool, d.Namespace, d.Image, d.Snapshot = m.Pool, m.Namespace, m.Image, m.Snapshot
	}
}

// joinUse returns a Use with the guests sorted by name.
func joinUse(device, owner string, at []int, label []string) Use {
	u := Use{Device: device, Owner: owner, At: at}
	slices.SortFunc(u.At, func(a, b int) int { return strings.Compare(label[a], label[b]) })
	if len(u.At) > 0 {
		u.Guests = make([]string, len(u.At))
	}
	for i, g := range u.At {
		u.Guests[i] = label[g]
	}
	return u
}

// joinOwner returns the guest whose VMID is in the name of the image, or that VMID if
// there is no such guest. A base image is not its guest's disk but the source of
// clones; and a guest that has the image open through librbd does not use the device.
func joinOwner(m Mapped, guests []Guest, byID map[string]int) (at []int, owner string) {
	vmid, ok := ImageVMID(m.Image)
	if !ok || strings.HasPrefix(m.Image, "base-") {
		return nil, ""
	}
	g, known := byID[vmid]
	if !known {
		return nil, vmid
	}
	for _, d := range guests[g].Disks {
		if d.Client == LibRBD && d.Pool == m.Pool && d.Namespace == m.Namespace && d.Image == m.Image {
			return nil, vmid
		}
	}
	return []int{g}, ""
}

// joinIDs indexes guests by ID.
func joinIDs(guests []Guest) map[string]int {
	byID := make(map[string]int, len(guests))
	for i := range guests {
		byID[guests[i].ID] = i
	}
	return byID
}

// joinLabels returns the label of each guest: its name and, if another guest has the same
// name (Proxmox allows that), its kind, ID or PID, whichever differs.
func joinLabels(guests []Guest) []string {
	type named struct{ name, kind string }
	names, kinds := make(map[string]int, len(guests)), make(map[named]int, len(guests))
	for i := range guests {
		names[guests[i].Name]++
		kinds[named{guests[i].Name, guests[i].Kind}]++
	}
	label := make([]string, len(guests))
	for i := range guests {
		g := &guests[i]
		switch {
		case names[g.Name] == 1:
			label[i] = g.Name
		case kinds[named{g.Name, g.Kind}] == 1:
			label[i] = g.Name + " (" + joinKind(g.Kind) + ")"
		case g.ID != "":
			label[i] = g.Name + " (" + g.ID + ")"
		default:
			label[i] = g.Name + " (PID " + strconv.Itoa(g.PID) + ")"
		}
	}
	return label
}

// joinKind returns a guest's kind, for display.
func joinKind(kind string) string {
	if kind == "vm" {
		return "VM"
	}
	return kind
}
