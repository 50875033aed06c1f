package script

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// devices parses "all", "rbd3" or "rbd3..rbd9" and returns the mapped devices that it
// names.
func (n *simulator) devices(text string) ([]int, error) {
	from, to, span := strings.Cut(text, "..")
	if !span {
		to = from
	}
	first, e1 := strconv.Atoi(strings.TrimPrefix(from, "rbd"))
	last, e2 := strconv.Atoi(strings.TrimPrefix(to, "rbd"))
	if text != "all" && (e1 != nil || e2 != nil) {
		return nil, fmt.Errorf("%q is not all, rbdN or rbdN..rbdM", text)
	}
	var list []int
	for i, m := range n.mapped {
		if text == "all" || m.ID >= first && m.ID <= last {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no device of %q is mapped; %d are mapped", text, len(n.mapped))
	}
	return list, nil
}

// doUnmap: unmap DEVICES
func (n *simulator) doUnmap(w words) error {
	list, err := n.devices(w.rest)
	for _, i := range slices.Backward(list) {
		delete(n.io, n.mapped[i].Device)
		n.mapped = slices.Delete(slices.Clone(n.mapped), i, i+1)
	}
	n.fresh[node.SourceKrbd], n.fresh[node.SourceIO] = true, true
	return err
}

// doDisk: disk DEVICES {fields of rbd.Mapped}
func (n *simulator) doDisk(w words) error {
	text, fields := w.first()
	list, err := n.devices(text)
	n.mapped = slices.Clone(n.mapped)
	for _, i := range list {
		if o := n.mapped[i].Options; o != nil {
			own := *o
			n.mapped[i].Options = &own
		}
		err = errors.Join(err, patch(fields, &n.mapped[i]))
	}
	n.fresh[node.SourceKrbd] = true
	return err
}

// doIO: io DEVICES iops=40 latency=3ms inflight=0
func (n *simulator) doIO(w words) error {
	text, rest := w.first()
	devices, err := n.devices(text)
	if err != nil {
		return err
	}
	list, err := pairs(rest, "iops", "latency", "inflight")
	if err != nil {
		return err
	}
	for _, i := range devices {
		d := n.disk(n.mapped[i].Device)
		if v, is := list["iops"]; is {
			if d.iops, err = amount(v); err != nil {
				return err
			}
		}
		if v, is := list["latency"]; is {
			if d.latency, err = time.ParseDuration(v); err != nil || d.latency < 0 {
				return fmt.Errorf("%q is not a latency such as 3ms", v)
			}
		}
		if v, is := list["inflight"]; is {
			requests, err := count(v, 1e9)
			if err != nil {
				return err
			}
			d.inflight = uint64(requests)
		}
	}
	return nil
}

// doWaits: waits none, or waits DEVICE osd=1 tid=27 attempts=1 grow=30: a request
// that osdc lists, resent grow times per second.
func (n *simulator) doWaits(w words) error {
	text, rest := w.first()
	n.fresh[node.SourceOSDC] = true
	if text == "none" {
		n.pending = nil
		clear(n.growing)
		return nil
	}
	devices, err := n.devices(text)
	if err != nil {
		return err
	}
	list, err := pairs(rest, "osd", "tid", "attempts", "grow")
	if err != nil {
		return err
	}
	number := func(key string, fallback int) int {
		if list[key] == "" {
			return fallback
		}
		v, e := count(list[key], 1e9)
		err = errors.Join(err, e)
		return v
	}
	m := n.mapped[devices[0]]
	r := rbd.Request{TID: uint64(number("tid", 27)), OSD: number("osd", 1), Object: "rbd_data." + m.ImageID + ".0000000000000000",
		Attempts: number("attempts", 1), Ops: "read"}
	n.growing[r.TID] = number("grow", 0)
	i := slices.IndexFunc(n.pending, func(p rbd.Pending) bool { return p.FSID == m.FSID && p.ClientID == m.ClientID })
	if i < 0 {
		i = len(n.pending)
		n.pending = append(n.pending, rbd.Pending{FSID: m.FSID, ClientID: m.ClientID})
	}
	n.pending[i].Requests = append(slices.Clone(n.pending[i].Requests), r)
	n.pending[i].Total = len(n.pending[i].Requests)
	return err
}

// doGuests: guests COUNT windows=11: the given number of virtual machines, the first
// of them Windows, on the mapped devices in turn; the last ones share the remaining
// devices.
func (n *simulator) doGuests(w words) error {
	text, rest := w.first()
	guests, err := count(text, 5000)
	if err != nil {
		return err
	}
	list, err := pairs(rest, "windows")
	if err != nil {
		return err
	}
	windows := 0
	if v, is := list["windows"]; is {
		if windows, err = count(v, guests); err != nil {
			return err
		}
	}
	n.guests = rbd.Guests{}
	for i := range guests {
		g := rbd.Guest{Name: fmt.Sprintf("vm%d", 101+i), ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Kind: "vm", State: "running",
			OS: "linux"}
		if i < windows {
			g.OS = "windows"
		}
		for d := i; d < len(n.mapped); d += guests {
			m := n.mapped[d]
			g.Disks = append(g.Disks, rbd.Disk{Target: "vd" + string(rune('a'+d/guests)), Client: rbd.KRBD, Path: "/dev/" + m.Device,
				Major: m.Major, Minor: m.Minor})
		}
		n.guests.Guests = append(n.guests.Guests, g)
	}
	n.fresh[node.SourceLibvirt] = true
	return nil
}

// doGuest: guest NAME {fields of rbd.Guest}
func (n *simulator) doGuest(w words) error {
	name, fields := w.first()
	n.fresh[node.SourceLibvirt] = true
	n.guests.Guests = slices.Clone(n.guests.Guests)
	i := slices.IndexFunc(n.guests.Guests, func(g rbd.Guest) bool { return g.Name == name })
	if i < 0 {
		i = len(n.guests.Guests)
		n.guests.Guests = append(n.guests.Guests, rbd.Guest{Name: name, ID: name, Kind: "vm", State: "running"})
	}
	return patch(fields, &n.guests.Guests[i])
}
