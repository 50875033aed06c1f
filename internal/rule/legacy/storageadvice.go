package legacy

import (
	"fmt"
	"strconv"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// throttleShare is which part of one slave's speed the first aid lets through.
const throttleShare = 0.2

// stormAdvice is what to do in a storm: free the link, end the cause, and then
// see that it cannot come again.
func stormAdvice(in Input, s storm, t trial, e exposure) []report.Advice {
	list := throttleAdvice(in)
	list = append(list, hashAdviceOfPaths(in)...)
	list = append(list, causeAdvice(in, s, t)...)
	list = append(list, bounceAdvice(in, e)...)
	list = append(list, librbdAdvice(in, s.devices(in))...)
	return append(list,
		report.Advice{Do: "Do not map with nocrc, which lets wrong data through, and do not set a short osd_request_timeout, which turns the stall into I/O errors and read-only filesystems in the guests"},
		report.Advice{Do: "Guests that remounted read-only need a reboot once I/O goes on; look for them on their consoles"},
	)
}

// throttleAdvice is first aid for a link that has much to carry. It names the
// link that holds the clients' address, so that as little as possible of the other
// traffic is slowed.
func throttleAdvice(in Input) []report.Advice {
	var list []report.Advice
	for _, p := range in.Storage {
		speed, loaded := 0, false
		for _, name := range p.Carriers {
			for _, l := range legsOf(in, name) {
				_, half := fullNow(l.NIC, in.Now, 0.5)
				speed, loaded = max(speed, l.Speed), loaded || half
			}
		}
		if p.Link == "" || speed == 0 || !loaded {
			continue
		}
		rate := int(throttleShare * float64(speed))
		list = append(list,
			report.Advice{
				Do: fmt.Sprintf("First aid: let %s send at most %d Mbit/s, %s of one NIC (%s). It frees the NIC and slows the loop, and may break it; it does not heal the cause. It slows all that leaves through %s: see first that corosync and your own session do not",
					p.Link, rate, percent(throttleShare), linkSpeed(speed), p.Link),
				Command: paste(fmt.Sprintf("tc qdisc add dev %%s root tbf rate %dmbit burst 256kb latency 50ms", rate), p.Link),
			},
			report.Advice{Do: "Take the throttle off again as soon as I/O goes on: a forgotten one is an outage of its own", Command: paste("tc qdisc del dev %s root", p.Link)},
		)
	}
	return list
}

// hashAdviceOfPaths is the advice on every bond that carries krbd's traffic and
// does not spread it.
func hashAdviceOfPaths(in Input) []report.Advice {
	var list []report.Advice
	for _, b := range in.Bonds() {
		if _, carries := in.CarriesStorage(b.Name); !carries || !b.MultiSlave() {
			continue
		}
		if like, _ := b.Layer2Like(); like {
			list = append(list, hashAdvice(b)...)
		}
	}
	return list
}

// hashAdvice says how a bond is made to spread what it sends, and that the switch
// decides what it receives.
func hashAdvice(b bond.Bond) []report.Advice {
	change := report.Advice{
		Do:      fmt.Sprintf("Let %s spread what this host sends. Some NIC drivers and switches drop the links for a moment when it changes. Put it into the network configuration as well (bond-xmit-hash-policy layer3+4), or the next boot undoes it", b.Name),
		Command: paste("ip link set dev %s type bond xmit_hash_policy layer3+4", b.Name),
	}
	if b.Kind == bond.OVS {
		change = report.Advice{
			Do:      fmt.Sprintf("Let %s spread what this host sends; balance-tcp needs LACP on the switch's ports first", b.Name),
			Command: paste("ovs-vsctl set port %s bond_mode=balance-tcp lacp=active", b.Name),
		}
	}
	return []report.Advice{change,
		{Do: fmt.Sprintf("Have the switch hash the LAG to %s by IP addresses and ports as well: its policy, not this host's, decides what %s receives, and reads arrive", b.Name, b.Name)},
	}
}

// causeAdvice follows from the mechanisms that the evidence supports.
func causeAdvice(in Input, s storm, t trial) []report.Advice {
	var list []report.Advice
	if has(t.evidence, oneOSD) && len(s.osds) > 0 {
		list = append(list, report.Advice{Do: fmt.Sprintf("Find %s, look at its log for \"bad crc\" and at its host's NIC; other nodes should see the same of it", s.osds[0].osd), Command: paste("ceph osd find %s", s.osds[0].id())})
	}
	if has(t.evidence, wire) {
		for _, l := range storageLegs(in) {
			list = append(list, report.Advice{Do: "Look at cable, optics and switch port of " + l.label, Command: paste("ethtool -S %s | grep -i crc", l.Name)})
		}
	}
	if has(t.evidence, sparseState) {
		list = append(list, report.Advice{Do: "Boot a kernel with the fix of " + sparseReadBug.id + ", and unmount kernel CephFS until then", Command: "findmnt -t ceph"})
	}
	return list
}

// bounceAdvice names disks to map again with rxbounce, the Windows guests' first.
func bounceAdvice(in Input, e exposure) []report.Advice {
	if len(e.windows) == 0 {
		return nil
	}
	if !canBounce(in) {
		return []report.Advice{{Do: fmt.Sprintf("Kernel %s has no rxbounce: move the Windows guests (%s) to librbd, or map with ms_mode=secure", in.Host.Value.Release, someOf(e.windowsOf.names, 5))}}
	}
	m, _, _ := in.Device(e.windows[0])
	return []report.Advice{{
		Do:      fmt.Sprintf("Map the disks of the Windows guests (%s) again with rxbounce, each while its guest is stopped or has been migrated away: first unmap /dev/%s, then", someOf(e.windowsOf.names, 5), m.Device),
		Command: paste("rbd device map --options rxbounce %s", m.Spec()),
	}}
}

// librbdAdvice says how to get guests off krbd, which is what lets one NIC stall
// all of them at once.
func librbdAdvice(in Input, devices []string) []report.Advice {
	return librbdAdviceFor(in, usersOf(in, devices))
}

func librbdAdviceFor(in Input, u users) []report.Advice {
	switch {
	case u.vm < 0:
		return []report.Advice{{Do: "Move the guests to librbd, where each has connections of its own; containers always stay on krbd"}}
	case proxmox(in) && isVMID(in.Guests[u.vm].ID):
		return []report.Advice{{
			Do:      fmt.Sprintf("Move the guests (%s) to librbd: untick KRBD on the storage, then stop and start or migrate each (containers always stay on krbd). A migration only ends once I/O goes on. Disks of the first:", u.list(3)),
			Command: paste("qm config %s", in.Guests[u.vm].ID),
		}}
	}
	move := report.Advice{
		Do: fmt.Sprintf("Move the guests (%s) to librbd, where each has connections of its own: disks of type network, protocol rbd, at their next start or migration. A migration only ends once I/O goes on", u.list(3)),
	}
	if !proxmox(in) { // a QEMU that neither libvirt nor Proxmox has started has nobody to ask
		move.Do += ". Disks of the first:"
		move.Command = paste("virsh domblklist --details %s", in.Guests[u.vm].Name)
	}
	return []report.Advice{move}
}

// proxmox reports whether the guests are known from their processes only, as on a
// host without libvirt.
func proxmox(in Input) bool {
	err := in.Blind(node.SourceLibvirt)
	return err != nil && err.Kind == node.Absent && len(in.QEMU.Value.Guests) > 0
}

// isVMID reports whether a guest's ID is Proxmox's, a number, and no UUID.
func isVMID(id string) bool {
	_, err := strconv.ParseUint(id, 10, 32)
	return err == nil
}
