package storage

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/internal/cause"
	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// askCluster is the advice to query the cluster, with a timeout.
var askCluster = report.Advice{Do: "Check the cluster's health from this host and from another one",
	Command: "ceph --connect-timeout 10 health detail"}

// loopAdvice returns the steps against a session loop, by its likely causes, most
// urgent first. bonds are the bonds that may be involved.
func loopAdvice(in rule.Input, s storm, a cause.Analysis, bonds []string) []report.Advice {
	var list []report.Advice
	for _, c := range a.Likely() {
		list = append(list, causeAdvice(in, c, s.looping, bonds)...)
	}
	list = append(list, separateAdvice(a)...)
	if !a.Supports(cause.Saturation) {
		if len(list) == 0 && !anyFull(in) {
			list = append(list, compareNodes)
		}
		if len(bonds) > 0 {
			list = append(list, saturationAdvice(in, bonds)...)
		}
	}
	if !a.Supports(cause.OneOSD) {
		list = append(list, osdLogAdvice(s.looping)...)
	}
	if e := in.Exposure(); !a.Supports(cause.UnstableBuffers) && len(e.Windows) > 0 && a.Concluded() == cause.Unknown {
		list = append(list, bounceAdvice(in, e)...)
	}
	list = append(list, librbdAdvice(in, s.devices())...)
	return append(distinct(list),
		report.Advice{Do: "Do not map with nocrc: it lets corrupted data through. Do not set a short osd_request_timeout: it turns the stall into I/O errors and read-only filesystems in the guests"},
		report.Advice{Do: "Reboot guests whose filesystems turned read-only once I/O has recovered; look for them on their consoles"},
	)
}

// compareNodes is the first step if no cause is more likely than another.
var compareNodes = report.Advice{
	Do:      "Run this on another node of the cluster. If it loses sessions too, check the OSDs that it names and the storage network; if not, check this host: NICs, memory, guests",
	Command: "journalctl -k --since -15min --grep 'libceph: osd' | tail -20",
}

// anyFull reports whether a storage NIC is saturated.
func anyFull(in rule.Input) bool {
	nics, _ := in.StorageNICs()
	return slices.ContainsFunc(nics, func(n *facts.NIC) bool { return n.Rx.Full || n.Tx.Full })
}

// separateAdvice returns how to distinguish the two likeliest causes if none leads.
func separateAdvice(a cause.Analysis) []report.Advice {
	list := a.Likely()
	if len(list) < 2 {
		return nil
	}
	return []report.Advice{{Do: fmt.Sprintf("Distinguish the two likely causes. %s: %s. %s: %s", human.Capital(list[0].String()),
		list[0].Separates(), human.Capital(list[1].String()), list[1].Separates())}}
}

// causeAdvice returns what to do about one cause.
func causeAdvice(in rule.Input, c cause.Cause, osds []*facts.OSDLosses, bonds []string) []report.Advice {
	switch c {
	case cause.Saturation:
		return saturationAdvice(in, bonds)
	case cause.UnstableBuffers:
		return bounceAdvice(in, in.Exposure())
	case cause.BadMemory:
		return []report.Advice{{Do: "Move the guests off this host and replace the memory that reports errors: checksums computed on it cannot be trusted", Command: "journalctl -k --grep 'EDAC|Hardware Error'"}}
	case cause.SparseRead:
		return []report.Advice{{Do: "Boot a kernel with the fix for " + sparseReadBug.id + "; unmount kernel CephFS until then",
			Command: "findmnt -t ceph"}}
	case cause.OneOSD, cause.OneHost:
		if len(osds) == 0 {
			return nil
		}
		o := osds[0]
		if c == cause.OneHost && o.Host() != "" {
			return []report.Advice{{
				Do:      fmt.Sprintf("Check the OSD host %s (%s): its NIC, its memory, its kernel log. Other nodes should lose sessions to it too; if so, take it out of service", strings.Trim(o.Host(), "[]"), osdsText(osds)),
				Command: rule.ShellCommand("ceph --connect-timeout 10 osd find %s", o.ID()),
			}}
		}
		return []report.Advice{{
			Do:      fmt.Sprintf("Find %s and check its host: the OSD's log, its disk, its NIC. Other nodes should lose sessions to it too; if so, restart it or mark it out", o.OSD),
			Command: rule.ShellCommand("ceph --connect-timeout 10 osd find %s", o.ID()),
		}}
	case cause.Wire:
		var list []report.Advice
		for _, n := range cause.CorruptedNICs(in.Facts) {
			list = append(list, report.Advice{Do: "Check the cable, optics and switch port of " + n.Label,
				Command: rule.ShellCommand("ethtool -S %s | grep -i crc", n.Name)})
		}
		return list
	case cause.NoMemory:
		return []report.Advice{{Do: "Free memory on this host: the kernel cannot receive messages",
			Command: "free -m; journalctl -k --since -15min --grep 'page allocation failure|out of memory'"}}
	case cause.Refused:
		return refusedAdvice(osds)
	case cause.PathMTU:
		return mtuAdvice(in)
	case cause.ClusterFull:
		return []report.Advice{{Do: "Free space in the cluster: delete data, add OSDs, or raise the full ratio temporarily",
			Command: "ceph --connect-timeout 10 df; ceph --connect-timeout 10 osd df"}}
	case cause.NoOSD:
		return []report.Advice{{Do: "Correct the CRUSH rule of the pool: it maps these objects to no OSD",
			Command: "ceph --connect-timeout 10 osd crush rule dump; ceph --connect-timeout 10 health detail"}}
	case cause.Lock:
		return lockAdvice(in)
	case cause.ClusterDown:
		return append([]report.Advice{askCluster}, linkAdvice(in)...)
	}
	return nil
}

// saturationAdvice returns how to relieve a saturated storage NIC, by direction. The
// switch chooses which NIC receives, and neither a setting of this host nor a limit on
// its transmitted traffic changes that.
func saturationAdvice(in rule.Input, bonds []string) []report.Advice {
	var list, load, sent, received []report.Advice
	nics, _ := in.StorageNICs()
	receives, sends := false, false
	for _, n := range nics {
		l, full := n.Fuller()
		if !full || len(bonds) > 0 && n.Bond != "" && !slices.Contains(bonds, n.Bond) {
			continue
		}
		receives, sends = receives || n.Rx.Full, sends || n.Tx.Full
		list = append(list, capacityAdvice(in, n)...)
		do := fmt.Sprintf("Reduce what %s receives: stop backups, restores and migrations that use it, and move the busiest guests away", n.Label)
		if l.Way == "tx" {
			do = fmt.Sprintf("Reduce what %s sends: stop backups and migrations that use it", n.Label)
		}
		load = append(load, report.Advice{Do: do, Command: rule.ShellCommand("ss -tniO state established; ip -s link show dev %s", n.Name)})
	}
	for _, name := range bonds {
		b, found := in.BondNamed(name)
		if like, _ := b.Layer2Like(); found && like {
			sent, received = append(sent, rule.SpreadSent(b)), append(received, rule.SpreadReceived(b))
		}
	}
	if receives || !sends { // a storage client mostly receives
		list = slices.Concat(list, received, load, sent)
	} else {
		list = slices.Concat(list, sent, load, received)
	}
	if len(list) > 0 {
		return list
	}
	return []report.Advice{{Do: "Find and stop what saturated the storage NICs: a backup, a restore, a migration",
		Command: "ss -tniO state established"}}
}

// capacityAdvice returns how to restore what a storage NIC or its bond has lost: a
// slave, or speed.
func capacityAdvice(in rule.Input, n *facts.NIC) []report.Advice {
	var list []report.Advice
	if n.Speed > 0 && n.Speed < n.BestSpeed {
		list = append(list, report.Advice{
			Do:      fmt.Sprintf("Restore the speed of %s: it runs at %s; earlier it ran at %s. Check the cable, the transceiver and the switch port", n.Label, human.LinkSpeed(n.Speed), human.LinkSpeed(n.BestSpeed)),
			Command: rule.ShellCommand("ethtool %s", n.Name),
		})
	}
	b, found := in.BondNamed(n.Bond)
	if !found {
		return list
	}
	gone := in.Spread(b).Missing
	lost := make([]string, 0, len(gone))
	for _, s := range gone {
		lost = append(lost, s.Name)
	}
	for _, s := range b.Slaves {
		if facts.LinkDown(s) {
			lost = append(lost, s.Name)
		}
	}
	if len(lost) > 0 {
		list = append(list, report.Advice{
			Do:      fmt.Sprintf("Bring %s back into service: it is missing from %s, and %s carries its load. Check the cable, the transceiver and the switch port", human.Names(lost, 3), b.Name, n.Name),
			Command: rule.ShellCommand("ethtool %s", lost[0]),
		})
	}
	return list
}

// osdLogAdvice refers to the logs of the OSDs that closed the sessions.
func osdLogAdvice(osds []*facts.OSDLosses) []report.Advice {
	for i := range osds {
		if o := osds[i]; o.Of(kmsg.ReasonClosed, kmsg.ReasonAuthTag, kmsg.ReasonProtocol, kmsg.ReasonSequence, kmsg.ReasonSocket,
			kmsg.ReasonReset) > 0 {
			return []report.Advice{{
				Do:      fmt.Sprintf("Read the log of %s on its host: \"bad crc in data\" there means that this node's buffers change while they are sent", o.OSD),
				Command: rule.ShellCommand("ceph --connect-timeout 10 osd find %s", o.ID()),
			}}
		}
	}
	return nil
}

// bounceAdvice names the disks to map again with rxbounce, those of Windows guests
// first.
func bounceAdvice(in rule.Input, e facts.Exposure) []report.Advice {
	if len(e.Windows) == 0 {
		return nil
	}
	guests := human.Names(e.WindowsOf.Names, 5)
	if !in.CanBounce() {
		return []report.Advice{{Do: fmt.Sprintf("Kernel %s has no rxbounce: move the Windows guests (%s) to librbd, or map their disks with ms_mode=secure", in.Host.Value.Release, guests)}}
	}
	m, _, _ := in.Device(e.Windows[0])
	return []report.Advice{{
		Do:      fmt.Sprintf("Map the disks of the Windows guests (%s) with rxbounce, each while its guest is stopped or migrated away: first unmap /dev/%s, then map it again", guests, m.Device),
		Command: rule.ShellCommand("rbd device map --options rxbounce %s", m.Spec()),
	}}
}

// librbdAdvice returns how to move the guests on some devices from krbd to librbd.
// Containers cannot use librbd.
func librbdAdvice(in rule.Input, devices []string) []report.Advice {
	u := in.GuestsOn(devices)
	switch {
	case u.VM < 0:
		return nil
	case proxmox(in) && isVMID(in.Guests[u.VM].ID):
		return []report.Advice{{
			Do:      fmt.Sprintf("Move the VMs (%s) to librbd: disable KRBD on the storage, then stop and start or migrate each. Live migration cannot finish until I/O recovers. Disks of the first:", vms(in, devices)),
			Command: rule.ShellCommand("qm config %s", in.Guests[u.VM].ID),
		}}
	}
	move := report.Advice{Do: fmt.Sprintf("Move the VMs (%s) to librbd, where each has its own connections: disks of type network, protocol rbd, effective from their next start or migration. Live migration cannot finish until I/O recovers", vms(in, devices))}
	if !proxmox(in) { // a QEMU started by neither libvirt nor Proxmox has no management tool
		move.Do += ". Disks of the first:"
		move.Command = rule.ShellCommand("virsh domblklist --details %s", in.Guests[u.VM].Name)
	}
	return []report.Advice{move}
}

// vms names the virtual machines on some devices.
func vms(in rule.Input, devices []string) string {
	if u := in.GuestsOn(devices); u.Noun == "VM" {
		return human.Names(u.Names, 3)
	}
	seen := map[string]bool{}
	var names []string
	for _, d := range devices {
		use := in.UseOf(d)
		for i, g := range use.At {
			if in.Guests[g].Kind == "vm" && !seen[use.Guests[i]] {
				seen[use.Guests[i]] = true
				names = append(names, use.Guests[i])
			}
		}
	}
	return human.Names(names, 3)
}

// proxmox reports whether the guests are known from their processes only, as on a
// host without libvirt.
func proxmox(in rule.Input) bool {
	err := in.Blind(node.SourceLibvirt)
	return err != nil && err.Kind == node.Absent && len(in.QEMU.Value.Guests) > 0
}

// isVMID reports whether a guest's ID is a Proxmox VMID, which is a number, and not a
// UUID.
func isVMID(id string) bool {
	_, err := strconv.ParseUint(id, 10, 32)
	return err == nil
}

// lockAdvice returns how to find the holder of the exclusive lock that an image is
// waiting for.
func lockAdvice(in rule.Input) []report.Advice {
	for _, s := range in.Stalls() {
		if m, _, mapped := in.Device(s.Device); mapped && len(lockEvidence(in, []string{s.Device})) > 0 {
			return []report.Advice{{
				Do:      fmt.Sprintf("Find out who holds the exclusive lock of %s (/dev/%s) and whether that client is alive. Two writers corrupt an image: stop the other one before you remove its lock", m.Spec(), m.Device),
				Command: rule.ShellCommand("timeout 20 rbd lock ls %s; timeout 20 rbd status %s", m.Spec(), m.Spec()),
			}}
		}
	}
	return nil
}

// linkAdvice returns how to check the links and the path to the OSDs.
func linkAdvice(in rule.Input) []report.Advice {
	return linksAdvice(in, carriers(in))
}

// linksAdvice returns how to check some of the links, and the path to the OSDs.
func linksAdvice(in rule.Input, links []string) []report.Advice {
	var list []report.Advice
	for _, name := range links {
		list = append(list, report.Advice{Do: "Check the state and history of " + name,
			Command: rule.ShellCommand("ip -d -s link show dev %s; journalctl -k --since -15min --grep %s", name, name)})
	}
	if osd, host := someOSD(in); host != "" {
		list = append(list, report.Advice{Do: "Check the route to the host of " + osd + ", and check that it answers",
			Command: rule.ShellCommand("ip route get %s; ping -c 3 -W 1 %s", host, host)})
	}
	return list
}

// mtuAdvice returns how to find out whether large packets are lost on the path.
func mtuAdvice(in rule.Input) []report.Advice {
	mtu := 1500
	for _, name := range carriers(in) {
		if b, found := in.BondNamed(name); found && b.MTU > 0 {
			mtu = b.MTU
		}
		for _, n := range in.Links.Value.NICs {
			if n.Name == name && n.MTU > 0 {
				mtu = n.MTU
			}
		}
	}
	a := report.Advice{Do: fmt.Sprintf("Check that packets of the full MTU reach the OSD hosts (%d bytes for an MTU of %d; 8972 for 9000). If small packets pass and large ones do not, a switch drops the large ones", mtu-28, mtu)}
	if _, host := someOSD(in); host != "" {
		a.Command = rule.ShellCommand(fmt.Sprintf("ping -M do -c 3 -W 1 -s %d %%s", mtu-28), host)
	} else {
		a.Do += fmt.Sprintf(": ping -M do -c 3 -s %d OSD_HOST", mtu-28)
	}
	return []report.Advice{a}
}

// carriers returns the bonds and NICs that carry krbd's traffic, by name.
func carriers(in rule.Input) []string {
	var list []string
	for _, p := range in.Storage {
		list = append(list, p.Carriers...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// carriersOf returns the bonds and NICs of some krbd devices, or all if this is
// unknown.
func carriersOf(in rule.Input, devices []string) []string {
	var list []string
	for _, name := range carriers(in) {
		behind := devicesBehind(in, name)
		if slices.ContainsFunc(devices, func(d string) bool { return behind[d] }) {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return carriers(in)
	}
	return list
}

// someOSD returns an OSD and the address of its host, from the cluster's map or the
// kernel log; empty if none is known.
func someOSD(in rule.Input) (osd, host string) {
	for _, o := range in.Snapshot.Cluster.Value.OSDMap.OSDs {
		for _, a := range o.Addrs {
			if h := bare(a); h != "" {
				return facts.OSDName(o.ID), h
			}
		}
	}
	for _, class := range []kmsg.Class{kmsg.SocketError, kmsg.ClosedOpen, kmsg.CRC, kmsg.Closed, kmsg.ConnectError} {
		for _, s := range in.Kernel.Of(class) {
			if h := bare(s.Addr); h != "" && strings.HasPrefix(s.Peer, "osd") {
				return s.Peer, h
			}
		}
	}
	return "", ""
}

// bare returns the IP of an ADDR:PORT, without brackets.
func bare(addr string) string {
	return strings.Trim(addr[:max(0, strings.LastIndexByte(addr, ':'))], "[]")
}

// distinct removes repeated steps.
func distinct(list []report.Advice) []report.Advice {
	seen := map[report.Advice]bool{}
	return slices.DeleteFunc(list, func(a report.Advice) bool {
		was := seen[a]
		seen[a] = true
		return was
	})
}
