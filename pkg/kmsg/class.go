package kmsg

// A Class is the meaning of a kernel log line.
//
// Some classes have more information in Line.Detail:
//   - CRC: which part of the message was damaged, from the line before: data, front,
//     middle, header, control, preamble, signature. Empty: that line was not seen.
//   - Integrity: which authentication tag failed: preamble, control, epilogue, signature.
//   - SocketError: what the line before says of the cause: "sparse read", authentication,
//     memory, decode, prepare, crypto. Without such a line: read, write, "read
//     processing", "write processing".
//   - ProtocolFault: "io error", sequence, msgr1, features, version; else empty.
//   - AuthFault: authorizer (a session refused); monitor, or the kind of daemon, that
//     refuses this client; method, "no key", server, request, crypto, global_id.
//   - CephDetail: banner, peer, features, version, tag, sequence, "old message", segment,
//     "late status", decode, prepare, crypto, connect, encoding.
//   - MapCorrupt: osdmap, monmap, reply, watch, backoff, addresses (none of the wanted protocol).
//   - NoMemory: "bounce page", message, request, workqueue; empty: for a message of the named peer.
//   - RBDResult: the operation that failed, such as "write"; and for each object it
//     consists of, in a separate line before, "write object". These do not add up.
//   - RBDWatch: error, reregister, refresh, unwatch.
//   - RBDLock: acquire, blocklist, lock, unlock, lockers, watchers, owners, external, break
//     (it failed), breaking (a dead owner's lock is taken over), peer, request, cookie,
//     released, "post-acquire", "object map".
//   - RBDMapFail: features, pool, image, snapshot, parents, header, osdmap, options.
//   - RBDOther: "read-only", "beyond end", copyup, refresh, notify, parent, size, loaded.
//   - OOM: invoked, chosen, killed, reaped, "page allocation": one kill is several lines.
//   - NICHang: watchdog, "unit hang", timeout. NICReset: recovery, recovered, firmware,
//     parity, "driver issue"; else empty.
//   - NICFault: firmware, command (one that the firmware did not answer), "recovery
//     failed", removed, overheated, hardware, parity, health, fatal, power, queue,
//     completion, init, module, "safe mode", "malicious driver"; "pcie fatal", "pcie
//     uncorrected", pcie; "pcie corrected", which does no harm by itself.
//   - PCIeFault: fatal, uncorrected, corrected, "link down", dma, "recovery failed", recovered.
//   - FSError: journal; mount, where it cannot be mounted; else empty.
//   - BondOther: pending, "new active", "no active", active, speed, aggregator,
//     loopback, enslaved, released.
type Class string

// The classes of lines of libceph and rbd (net/ceph, drivers/block/rbd.c).
const (
	CRC           Class = "crc-fault"       // session lost to a CRC or signature failure on receive: the storm's signature
	Integrity     Class = "integrity-fault" // session lost to a failed authentication tag (msgr2 secure)
	ClosedOpen    Class = "closed-open"     // "socket closed (con state OPEN)": the peer closed an established session
	Closed        Class = "closed"          // session closed in any other state; Detail contains the state
	SocketError   Class = "socket-error"    // TCP error, or msgr2's read or write processing error
	ConnectError  Class = "connect-error"   // connect() failed; Errno is from the previous line
	ProtocolFault Class = "protocol-fault"  // message malformed or out of sequence, or wrong features or version
	WrongPeer     Class = "wrong-peer"      // another daemon uses the address
	AuthFault     Class = "auth-fault"      // cephx authentication refused or failed
	NoMemory      Class = "no-memory"       // memory for a message or a bounce page cannot be allocated
	SessionReset  Class = "session-reset"   // the peer no longer has the session
	CephDetail    Class = "libceph-detail"  // explains the line that follows: why a session is lost, or a map cannot be decoded
	SparseRead    Class = "sparse-read"     // a sparse-read reply that cannot be parsed; the lost session has a separate line
	ReplyDropped  Class = "reply-dropped"   // a reply larger than its buffer: skipped, and the request keeps waiting
	Timeout       Class = "request-timeout" // osd_request_timeout has expired
	OSDDown       Class = "osd-down"        // the osdmap marks an OSD down
	OSDGone       Class = "osd-gone"        // an OSD does not exist in the osdmap (removed from the cluster)
	OSDUp         Class = "osd-up"          // the osdmap marks an OSD up
	OSDWeight     Class = "osd-weight"      // the osdmap changes an OSD's weight or primary-affinity
	Full          Class = "cluster-full"    // cluster or pool full, or over quota
	PoolGone      Class = "pool-gone"       // pool does not exist
	MonLost       Class = "mon-lost"        // monitor session lost, the client searches for another monitor
	MonFound      Class = "mon-established" // monitor session established
	MapCorrupt    Class = "map-corrupt"     // an osdmap, monmap or reply that cannot be decoded: no newer map is read, or a request fails
	NoOSD         Class = "no-osd"          // CRUSH finds no OSD for a request, which waits and is sent to none
	WrongCluster  Class = "wrong-cluster"   // a monitor or map of another cluster
	ClientMade    Class = "client-made"     // "clientN fsid F"; Detail: the fsid
	CephOther     Class = "libceph-other"   // any other line of libceph
	RBDResult     Class = "rbd-result"      // "result -N": I/O failed and the error was returned to the VM; Errno, Device
	RBDWatch      Class = "rbd-watch"       // watch error, failed unwatch or reregistration; Errno, Device
	RBDLock       Class = "rbd-lock"        // problem with the exclusive lock or the object map
	RBDMapped     Class = "rbd-mapped"      // "rbdN: capacity ...": a device appeared
	RBDMapFail    Class = "rbd-map-failed"  // an image that cannot be mapped
	RBDOther      Class = "rbd-other"       // any other line of rbd
	crcDetail     Class = "crc-detail"      // the line before a CRC fault; becomes the fault's Count.Text
	connectDetail Class = "connect-detail"  // the line before a connect error; becomes its Count.Text and Errno
)

// The classes of lines of bonding, NIC drivers, the block layer and the core kernel.
const (
	BondSlaveDown Class = "bond-slave-down" // a bond no longer uses a slave
	BondSlaveUp   Class = "bond-slave-up"   // a bond uses a slave again
	BondNoPartner Class = "bond-no-partner" // no 802.3ad response from the link partner
	BondOther     Class = "bond-other"      // any other line of a bond
	NICHang       Class = "nic-tx-hang"     // transmit queue timed out, hang detected
	NICReset      Class = "nic-reset"       // the driver reset the adapter
	NICFault      Class = "nic-fault"       // firmware or hardware fault
	PCIeFault     Class = "pcie-fault"      // fault of any device, identified by its bus id: AER, link down, DMA fault
	NICUp         Class = "nic-link-up"     // an interface has a link
	NICDown       Class = "nic-link-down"   // an interface lost its link
	HungTask      Class = "hung-task"       // a task is blocked for minutes; Detail: comm
	HungOwner     Class = "hung-task-owner" // after a hung task: the likely owner of the lock; it does not count as another hung task
	HungMuted     Class = "hung-task-muted" // the kernel will not report further hung tasks, even if there are any
	Lockup        Class = "lockup"          // soft lockup, RCU stall
	BlockError    Class = "block-error"     // I/O error, dev X; Buffer I/O error on device X
	FSError       Class = "fs-error"        // a filesystem has errors or cannot be mounted: ext4, XFS, btrfs, JBD2
	FSReadOnly    Class = "fs-readonly"     // a filesystem was remounted read-only, or shut down
	FSMounted     Class = "fs-mounted"      // a filesystem was mounted, or remounted
	OOM           Class = "oom"             // OOM killer, page allocation failure
	NetPressure   Class = "net-pressure"    // conntrack table, TCP memory or neighbour table is full
	MachineCheck  Class = "machine-check"   // machine check, EDAC; one event may take several lines
	Suppressed    Class = "suppressed"      // "FUNC: N callbacks suppressed": N records were not logged
	Other         Class = ""                // irrelevant: counted, not kept
)

// Classes returns the classes of retained lines, in the order above.
func Classes() []Class {
	return []Class{
		CRC, Integrity, ClosedOpen, Closed, SocketError, ConnectError, ProtocolFault, WrongPeer, AuthFault, NoMemory,
		SessionReset, CephDetail, SparseRead, ReplyDropped, Timeout, OSDDown, OSDGone, OSDUp, OSDWeight, Full,
		PoolGone, MonLost, MonFound, MapCorrupt, NoOSD, WrongCluster, ClientMade, CephOther, RBDResult, RBDWatch,
		RBDLock, RBDMapped, RBDMapFail, RBDOther, BondSlaveDown, BondSlaveUp, BondNoPartner, BondOther, NICHang,
		NICReset, NICFault, PCIeFault, NICUp, NICDown, HungTask, HungOwner, HungMuted, Lockup, BlockError, FSError, FSReadOnly,
		FSMounted, OOM, NetPressure, MachineCheck, Suppressed,
	}
}
