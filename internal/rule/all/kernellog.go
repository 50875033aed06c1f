package all

import "github.com/nodewatch/nodewatch/pkg/kmsg"

// A KernelUse describes how one class of kernel log lines is used.
type KernelUse struct {
	Class kmsg.Class
	Rules []string // rules that use the class; empty: none
	Why   string   // the purpose or, for a class that no rule uses, the reason why it is only counted
}

// KernelUses returns the use of every class. All classes are counted in
// nodewatch_kmsg_events_total.
func KernelUses() []KernelUse {
	return []KernelUse{
		{kmsg.CRC, []string{"krbd-retry-storm", "layer2-bond-krbd", "libceph-crc", "krbd-stalled"}, "a lost session"},
		{kmsg.Integrity, []string{"krbd-retry-storm", "layer2-bond-krbd", "libceph-crc", "krbd-stalled"}, "a lost session"},
		{kmsg.ClosedOpen, []string{"krbd-retry-storm", "layer2-bond-krbd", "libceph-session-loop", "krbd-stalled"}, "a lost session"},
		{kmsg.Closed, []string{"ceph-unreachable", "krbd-stalled"}, "a refused session"},
		{kmsg.SocketError, []string{"krbd-retry-storm", "layer2-bond-krbd", "libceph-session-loop", "ceph-unreachable", "krbd-stalled"},
			"a lost session, or a failed attempt to connect if the lines back off and no session is established in between"},
		{kmsg.ConnectError, []string{"ceph-unreachable", "krbd-stalled"}, "a refused session"},
		{kmsg.ProtocolFault, []string{"krbd-retry-storm", "libceph-session-loop", "ceph-refused"}, "a lost or refused session"},
		{kmsg.WrongPeer, []string{"ceph-unreachable"}, "a refused session; normal for a short time while an OSD restarts"},
		{kmsg.AuthFault, []string{"ceph-refused", "ceph-unreachable"},
			"a refused session if it names the peer, otherwise a refusal by the monitors"},
		{kmsg.NoMemory, []string{"krbd-retry-storm", "libceph-session-loop"}, "a lost session if it names the peer"},
		{kmsg.SessionReset, []string{"krbd-stalled"}, "a lost session; evidence for stalled I/O"},
		{kmsg.CephDetail, nil, "explains the next line; only that one is counted"},
		{kmsg.SparseRead, []string{"krbd-retry-storm", "kernel-known-bug"},
			"explains the lost session that follows; indicates a kernel bug"},
		{kmsg.ReplyDropped, nil, "a bug of the kernel or the OSD; krbd-stalled reports the pending request"},
		{kmsg.Timeout, nil, "only with osd_request_timeout set; the I/O error that follows is counted"},
		{kmsg.OSDDown, []string{"ceph-unreachable", "krbd-retry-storm"}, "lost sessions to an OSD that is down are not a loop"},
		{kmsg.OSDGone, []string{"ceph-unreachable", "krbd-retry-storm"}, "a removed OSD is not counted as down or known"},
		{kmsg.OSDUp, []string{"ceph-unreachable", "krbd-retry-storm"}, "ends osd-down"},
		{kmsg.OSDWeight, []string{"krbd-stalled"}, "the cluster moves data"},
		{kmsg.Full, []string{"krbd-stalled"}, "writes wait until space is freed"},
		{kmsg.PoolGone, []string{"ceph-map", "krbd-io-error"}, "requests to a pool that does not exist"},
		{kmsg.MonLost, []string{"ceph-unreachable"}, "a client without a monitor"},
		{kmsg.MonFound, []string{"ceph-unreachable"}, "ends mon-lost"},
		{kmsg.MapCorrupt, []string{"ceph-map"}, "no newer map can be read"},
		{kmsg.NoOSD, []string{"ceph-map", "krbd-stalled"}, "a cause of waiting requests"},
		{kmsg.WrongCluster, []string{"ceph-refused"}, "wrong monitor addresses in the mapping of an image"},
		{kmsg.ClientMade, []string{"ceph-unreachable"}, "distinguishes new clients from those that reconnected to a monitor"},
		{kmsg.CephOther, nil, "notices and unknown lines"},
		{kmsg.RBDResult, []string{"krbd-io-error"}, "I/O that failed and was returned to the guest"},
		{kmsg.RBDWatch, []string{"krbd-io-error"}, "a blocklisted client, or a lost watch"},
		{kmsg.RBDLock, []string{"krbd-map-failed", "krbd-stalled"}, "an image that cannot be locked"},
		{kmsg.RBDMapped, []string{"krbd-io-error"}, "a new device: earlier lines about a device of this name no longer apply"},
		{kmsg.RBDMapFail, []string{"krbd-map-failed"}, "an image that a guest waits for"},
		{kmsg.RBDOther, nil, "notices, and lines that accompany an I/O error"},
		{kmsg.BondSlaveDown, []string{"bond-degraded"}, "time of the change"},
		{kmsg.BondSlaveUp, nil, "the state is read over netlink"},
		{kmsg.BondNoPartner, nil, "the LACP state from netlink is more detailed"},
		{kmsg.BondOther, []string{"bond-degraded"}, "a bond that briefly had no active slave"},
		{kmsg.NICHang, []string{"nic-fault"}, "a fault of a NIC"},
		{kmsg.NICReset, []string{"nic-fault"}, "a fault of a NIC"},
		{kmsg.NICFault, []string{"nic-fault"}, "a fault of a NIC"},
		{kmsg.PCIeFault, []string{"host-fault"}, "a NIC fault if the bus id belongs to a NIC"},
		{kmsg.NICUp, nil, "the state is read over netlink"},
		{kmsg.NICDown, []string{"nic-down"}, "time of the change"},
		{kmsg.HungTask, []string{"host-io-pressure"}, "tasks that wait for I/O"},
		{kmsg.HungOwner, nil, "accompanies a hung task"},
		{kmsg.HungMuted, []string{"host-io-pressure"}, "the kernel reports no more hung tasks"},
		{kmsg.Lockup, []string{"host-fault"}, "a fault of the host"},
		{kmsg.BlockError, []string{"krbd-io-error"}, "I/O errors of a krbd device"},
		{kmsg.FSError, []string{"krbd-io-error"}, "a filesystem on a krbd device"},
		{kmsg.FSReadOnly, []string{"krbd-io-error"}, "a filesystem on a krbd device"},
		{kmsg.FSMounted, []string{"krbd-io-error"}, "ends fs-readonly"},
		{kmsg.OOM, []string{"host-fault"}, "a fault of the host"},
		{kmsg.NetPressure, []string{"host-fault"}, "a fault of the host"},
		{kmsg.MachineCheck, []string{"host-fault"}, "a fault of the host"},
		{kmsg.Suppressed, nil, "lines that the kernel's rate limit suppressed: nodewatch_kmsg_suppressed_total"},
	}
}
