package kmsg

// A Class is what a kernel log line means.
//
// Some classes say more in Line.Detail:
//   - CRC: which part of the message was damaged, from the line before: data, front,
//     middle, header, control, preamble, signature. Empty: that line was not seen.
//   - RBDResult: the operation that failed, such as "write"; and for each object it
//     consists of, in a line of its own before, "write object". These do not add up.
//   - SocketError: read, write, "read processing", "write processing".
//   - OOM: invoked, chosen, killed, reaped, "page allocation": one kill is several lines.
//   - BondOther: pending, "new active", "no active", active, speed, aggregator,
//     loopback, enslaved, released.
type Class string

// The classes of lines of libceph and rbd (net/ceph, drivers/block/rbd.c).
const (
	CRC           Class = "crc-fault"       // session lost to a CRC or signature failure on receive: the storm's signature
	Integrity     Class = "integrity-fault" // session lost to a failed authentication tag (msgr2 secure)
	ClosedOpen    Class = "closed-open"     // "socket closed (con state OPEN)": the peer closed a working session
	Closed        Class = "closed"          // closed in any other state; Detail holds the state
	SocketError   Class = "socket-error"    // TCP error, or msgr2's read or write processing error
	ConnectError  Class = "connect-error"   // connect() failed; Errno, from the line before
	ProtocolFault Class = "protocol-fault"  // malformed, out of sequence, wrong features or version
	WrongPeer     Class = "wrong-peer"      // another daemon at the address
	AuthFault     Class = "auth-fault"      // cephx refused or broken
	NoMemory      Class = "no-memory"       // no memory for a message or a bounce page
	SessionReset  Class = "session-reset"   // the peer forgot the session
	SparseRead    Class = "sparse-read"     // "got 0 extents", "data len N != extent len 0"
	Timeout       Class = "request-timeout" // osd_request_timeout ran out
	OSDDown       Class = "osd-down"        // osdmap: down, or does not exist
	OSDUp         Class = "osd-up"          // osdmap: up
	OSDWeight     Class = "osd-weight"      // osdmap: weight, primary-affinity
	Full          Class = "cluster-full"    // cluster or pool full, or over quota
	PoolGone      Class = "pool-gone"       // pool does not exist
	MonLost       Class = "mon-lost"        // session lost, hunting
	MonFound      Class = "mon-established" // session established
	MapCorrupt    Class = "map-corrupt"     // osdmap, monmap or a reply that cannot be decoded
	ClientMade    Class = "client-made"     // "clientN fsid F"; Detail: the fsid
	CephOther     Class = "libceph-other"   // any other line of libceph
	RBDResult     Class = "rbd-result"      // "result -N": I/O failed and was returned to the VM; Errno, Device.
	RBDWatch      Class = "rbd-watch"       // watch error, failed unwatch or reregistration; Errno, Device
	RBDLock       Class = "rbd-lock"        // exclusive lock or object map trouble
	RBDMapped     Class = "rbd-mapped"      // "rbdN: capacity ...": a device appeared
	RBDMapFail    Class = "rbd-map-failed"  // an image that cannot be mapped
	RBDOther      Class = "rbd-other"       // any other line of rbd
	crcDetail     Class = "crc-detail"      // the line before a CRC fault; becomes Count.Text of the fault
	connectDetail Class = "connect-detail"  // the line before a connect error; becomes its Count.Text and Errno
)

// The classes of lines of bonding, NIC drivers, the block layer and the kernel itself.
const (
	BondSlaveDown Class = "bond-slave-down"
	BondSlaveUp   Class = "bond-slave-up"
	BondNoPartner Class = "bond-no-partner" // no 802.3ad response from the link partner
	BondOther     Class = "bond-other"
	NICHang       Class = "nic-tx-hang" // transmit queue timed out, hang detected
	NICReset      Class = "nic-reset"   // the driver reset the adapter
	NICFault      Class = "nic-fault"   // firmware or hardware trouble
	NICUp         Class = "nic-link-up"
	NICDown       Class = "nic-link-down"
	HungTask      Class = "hung-task"       // Detail: comm
	HungOwner     Class = "hung-task-owner" // after a hung task: who likely holds the lock it waits for; not one more task
	HungMuted     Class = "hung-task-muted" // the kernel will not report further hung tasks: silence is not health
	Lockup        Class = "lockup"          // soft lockup, RCU stall
	BlockError    Class = "block-error"     // I/O error, dev X; Buffer I/O error on device X
	FSError       Class = "fs-error"        // EXT4-fs error, XFS metadata I/O error, journal aborted
	FSReadOnly    Class = "fs-readonly"     // remounted read-only, or shut down
	FSMounted     Class = "fs-mounted"      // mounted, or re-mounted
	OOM           Class = "oom"             // OOM killer, page allocation failure
	NetPressure   Class = "net-pressure"    // conntrack, TCP memory, neighbour table
	MachineCheck  Class = "machine-check"   // machine check, EDAC; one event may take several lines
	Suppressed    Class = "suppressed"      // "FUNC: N callbacks suppressed"; N records
	Other         Class = ""                // of no interest: counted, not kept
)
