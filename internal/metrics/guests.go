package metrics

import "github.com/nodewatch/nodewatch/pkg/rbd"

// noClient is the label value of disks that are not on RBD.
const noClient = "none"

func guestFamilies() []family {
	label := []string{"client"}
	return []family{
		{name: "nodewatch_guests", kind: gauge, labels: label,
			help: "Number of virtual machines and containers, by the Ceph client of their disks: krbd if any disk uses it, otherwise librbd, otherwise rbd-nbd.",
			read: ofGuests(func(g rbd.Guest, count func(rbd.Client)) { count(clientOf(g)) })},
		{name: "nodewatch_guest_disks", kind: gauge, labels: label,
			help: "Number of disks of the guests, by their Ceph client. Images below a disk and copies of it are not counted.",
			read: ofGuests(func(g rbd.Guest, count func(rbd.Client)) {
				for _, d := range g.Disks {
					if !d.Part {
						count(d.Client)
					}
				}
			})},
		{name: "nodewatch_guests_paused", kind: gauge,
			help: "Number of guests that are paused, for any reason.",
			read: func(p *picture, emit emit) {
				if !guestsRead(p) {
					return
				}
				n := 0.0
				for _, g := range p.Guests {
					n += truth(g.State == "paused")
				}
				emit(n)
			}},
	}
}

// guestsRead reports whether the guests have ever been read.
func guestsRead(p *picture) bool { return !p.Libvirt.At.IsZero() || !p.QEMU.At.IsZero() }

// ofGuests counts over all guests, by client.
func ofGuests(each func(g rbd.Guest, count func(rbd.Client))) func(*picture, emit) {
	return func(p *picture, emit emit) {
		if !guestsRead(p) {
			return
		}
		n := map[rbd.Client]float64{}
		for _, g := range p.Guests {
			each(g, func(c rbd.Client) { n[c]++ })
		}
		for _, c := range []rbd.Client{rbd.KRBD, rbd.LibRBD, rbd.NBD} {
			emit(n[c], string(c))
		}
		emit(n[rbd.NoClient], noClient)
	}
}

// clientOf returns the client type by which a guest is counted.
func clientOf(g rbd.Guest) rbd.Client {
	for _, c := range []rbd.Client{rbd.KRBD, rbd.LibRBD, rbd.NBD} {
		for _, d := range g.Disks {
			if d.Client == c {
				return c
			}
		}
	}
	return rbd.NoClient
}
