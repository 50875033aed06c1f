package kmsg

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The messages of net/ceph, without their prefix.
var cephForms = []form{
	// The fault line: peer, address, reason.
	f(CRC, "", `PEER ADDR bad crc/signature`),
	f(CRC, "", `PEER ADDR integrity error, bad crc`),
	f(Integrity, "", `PEER ADDR integrity error, bad (?P<detail>preamble|epilogue) auth tag`),
	f(Integrity, "control", `PEER ADDR integrity error, bad control remainder auth tag`),
	f(Integrity, "signature", `PEER ADDR integrity error, bad auth signature`),
	f(Integrity, "", `PEER ADDR integrity error`),
	f(ClosedOpen, "", `PEER ADDR socket closed \(con state OPEN\)`),
	f(Closed, "", `PEER ADDR socket closed \(con state (?P<detail>[A-Z0-9_]{1,32})\)`),
	f(Closed, "", `PEER ADDR socket closed`),
	f(SocketError, "", `PEER ADDR socket error on (?P<detail>read|write)`),
	f(SocketError, "", `PEER ADDR (?P<detail>read processing|write processing) error`),
	f(ConnectError, "", `PEER ADDR connect error`),
	f(ProtocolFault, "io error", `PEER ADDR io error`),
	f(ProtocolFault, "sequence", `PEER ADDR bad message sequence # for incoming message`),
	f(ProtocolFault, "", `PEER ADDR protocol error`),
	f(ProtocolFault, "msgr1", `PEER ADDR server is speaking msgr1 protocol`),
	f(ProtocolFault, "features", `PEER ADDR missing required protocol features`),
	f(CephDetail, "features", `PEER ADDR (?:feature set|protocol feature) mismatch`),
	f(CephDetail, "version", `PEER ADDR protocol version mismatch, my`),
	f(ProtocolFault, "version", `PEER ADDR protocol version mismatch`),
	f(WrongPeer, "", `PEER ADDR wrong peer at address`),
	f(AuthFault, "authorizer", `PEER ADDR (?:connect authorization failure|bad authorize reply)`),
	f(NoMemory, "", `PEER ADDR error allocating memory for incoming message`),
	f(SessionReset, "", `PEER ADDR (?:session|connection) reset`),
	f(CephDetail, "old message", `PEER ADDR skipping old message`),
	f(MonLost, "", `PEER ADDR session lost`),
	f(MonFound, "", `PEER ADDR session established`),
	f(CephOther, "", `PEER ADDR(?: |$)`),
	// A peer without an address.
	f(ClientMade, "", `(?P<peer>client\d{1,20}) fsid (?P<detail>FSID)(?:\W|$)`),
	f(ClientMade, "", `(?P<peer>client\d{1,20}) fsid `),
	f(OSDDown, "", `(?P<peer>osd\d{1,20}) down\b`),
	f(OSDGone, "", `(?P<peer>osd\d{1,20}) does not exist\b`),
	f(OSDUp, "", `(?P<peer>osd\d{1,20}) up\b`),
	f(OSDWeight, "", `(?P<peer>osd\d{1,20}) weight\b`),
	f(OSDWeight, "primary-affinity", `(?P<peer>osd\d{1,20}) primary-affinity\b`),
	f(CephOther, "", `PEER(?: |$)`),
	// The line before a fault.
	f(crcDetail, "header", `read_partial_message bad hdr crc `),
	f(crcDetail, "signature", `read_partial_message [^ ]* signature check failed`),
	f(crcDetail, "", `read_partial_message [^ ]* (?P<detail>data|front|middle) crc `),
	f(crcDetail, "", `bad (?P<detail>data|front|middle|control|preamble) crc, calculated`),
	fe(connectDetail, "", `connect ADDR error `),
	// The rest.
	fe(Full, "", `FULL or reached pool quota`),
	fe(Full, "cluster", `cluster is full`),
	f(MapCorrupt, "osdmap", `corrupt (?:full|inc) osdmap \((?P<errno>-\d{1,4})\b`),
	f(MapCorrupt, "osdmap", `corrupt (?:full|inc) osdmap \(`),
	fe(MapCorrupt, "osdmap", `corrupt (?:full|inc) osdmap|osdc handle_map corrupt`),
	fe(MapCorrupt, "watch", `osdc handle_watch_notify corrupt`),
	fe(MapCorrupt, "monmap", `problem decoding monmap`),
	fe(MapCorrupt, "reply", `(?:got )?corrupt |failed to decode MOSDOpReply|num_ops |sum of lens `),
	fe(MapCorrupt, "backoff", `failed to decode MOSDBackoff`),
	fe(MapCorrupt, "addresses", `no match of type |bad addrvec marker `),
	fe(WrongCluster, "", `bad fsid, had `),
	fe(NoOSD, "", `no crush rule: `),
	f(NoOSD, "", `error (?P<errno>-\d{1,4})\b.* from crush rule `),
	f(NoOSD, "", `error .* from crush rule `),
	f(NoOSD, "", `pool .* too wide: size `),
	fe(NoMemory, "bounce page", `failed to allocate bounce page`),
	fe(NoMemory, "message", `msg_new can't create type `),
	fe(NoMemory, "request", `failed to allocate (?:error|notify)-lwork`),
	fe(NoMemory, "workqueue", `msgr_init failed to create workqueue`),
	fe(CephDetail, "segment", `bad segment count |bad (?:control|front|middle|data) segment length |last segment empty`),
	fe(CephDetail, "late status", `bad late_status `),
	fe(CephDetail, "tag", `bad tag |try_read bad (?:tag|con->in_tag) `),
	fe(CephDetail, "sequence", `(?:read_partial_message )?bad seq `),
	fe(CephDetail, "old message", `skipping (?:PEER(?: |$))?(?:ADDR(?:\D|$))?`),
	fe(CephDetail, "banner", `connect to (?:PEER(?: |$))?(?:ADDR(?:\D|$))?`),
	fe(CephDetail, "peer", `(?:wrong peer, want |bad peer addr/nonce, want )(?:PEER(?: |$))?(?:ADDR(?:\D|$))?`),
	fe(CephDetail, "peer", `bad peer type, want `),
	fe(CephDetail, "features", `(?:msgr2|RADOS) feature set mismatch`),
	fe(CephDetail, "connect", `ceph_tcp_connect failed: `),
	fe(CephDetail, "encoding", `crush_decode magic |got v |got struct_v |ceph_object_locator::|ceph_request_redirect::`),
	fe(CephDetail, "crypto", `failed to allocate (?:hmac tfm|gcm )|failed to set (?:hmac key|gcm )|con_secret too small |bad con_mode `),
	fe(AuthFault, "crypto", `connection secret too big |failed to decode connection secret|failed to encrypt authorizer|failed to decrypt authorize challenge|authorizer reply too big`),
	fe(AuthFault, "request", `failed to decode auth msg`),
	fe(AuthFault, "global_id", `got zero global_id|global_id changed from`),
	fe(AuthFault, "no key", `no secret set|cannot clone key|secret too big `),
	fe(AuthFault, "method", `bad auth protocol |preferred mode '|fallback mode '|no fallback mode`),
	fe(AuthFault, "server", `failed to authenticate server`),
	fe(AuthFault, "monitor", `auth method '`),
	fe(AuthFault, "monitor", `auth protocol '[^']*(?:'[^ ][^']*)*' (?:mauth|msgr) authentication failed`),
	fe(AuthFault, "", `auth protocol '[^']*(?:'[^ ][^']*)*' authorization to (?P<detail>osd|mon|mds|mgr|client|auth|unknown)(?: |$)`),
	fe(AuthFault, "service", `auth protocol '[^']*(?:'[^ ][^']*)*' authorization to `),
	fe(AuthFault, "method", `auth protocol '[^']*(?:'[^ ][^']*)*' not allowed`),
	fe(AuthFault, "request", `auth protocol '`),
	fe(CephDetail, "decode", `failed to decode |allowed_(?:protos|modes) too big `),
	fe(CephDetail, "prepare", `prepare_(?:(?:hello|keepalive2|message|ack|read_banner_prefix|banner) failed|auth_|(?:client_ident|session_reconnect) )`),
	f(PoolGone, "", `(?:tid|linger_id) \d{1,20} pool does not exist`),
	f(Timeout, "", `(?:tid|linger_id) \d{1,20} on (?P<peer>osd\d{1,20}) timeout`),
	f(Full, "pool", `pool \d{1,20} is full`),
	f(AuthFault, "request", `error (?P<errno>-\d{1,4})\b.* auth `),
	f(AuthFault, "request", `error -.* auth `),
	f(SparseRead, "", `invalid sparse extent map`),
	f(SparseRead, "", `\[(?P<osd>\d{1,10})\] got \d{1,10} extents`),
	f(SparseRead, "", `.*(?: != extent len |sparse read|sparse_read| total_resid )`),
	f(SparseRead, "", `(?:.*: failed to allocate .* extents|.* extents.*: failed to allocate )`),
	f(ReplyDropped, "", `\w{1,128} PEER tid (?:.* > preallocated .*, skipping|.*, skipping.* > preallocated )`),
	fe(CephOther, "", `\w{1,128} PEER(?: |$)`),
	f(NoMemory, "request", `\w{1,128} failed to allocate `),
	f(AuthFault, "crypto", `\w{1,128} (?:bad magic|plaintext too small |got bad padding )`),
	fe(AuthFault, "crypto", `\w{1,128} (?:en|de)?crypt failed: `),
	fe(CephOther, "", `reset on (?:PEER(?: |$))?(?:ADDR(?:\D|$))?`),
	fe(CephOther, "", ``),
}

// The messages of rbd, without their prefix and device.
var rbdForms = []form{
	f(RBDResult, "", ` *result (?P<errno>-\d{1,4})\b`),
	f(RBDResult, "", `(?P<object>(?:child )?(?:read|write|discard|zeroout)) at objno \d{1,20} \d{1,20}~\d{1,20} result (?P<errno>-\d{1,4})\b`),
	f(RBDResult, "", `(?P<detail>(?:child )?(?:read|write|discard|zeroout))(?: [0-9a-fA-F]{1,16} at [0-9a-fA-F]{1,16})? result (?P<errno>-\d{1,4})\b`),
	fe(RBDWatch, "error", `encountered watch error: `),
	fe(RBDWatch, "reregister", `failed to reregister watch: `),
	fe(RBDWatch, "refresh", `reregistration refresh failed: `),
	fe(RBDWatch, "unwatch", `failed to unwatch: `),
	fe(RBDMapped, "", `capacity `),
	fe(RBDMapFail, "features", `image uses unsupported features|exclusive-lock feature is not enabled`),
	fe(RBDMapFail, "pool", `no pool with id `),
	fe(RBDMapFail, "parents", `parent chain is too long|parent pool id too large`),
	fe(RBDMapFail, "header", `short header read|invalid header`),
	fe(RBDMapFail, "osdmap", `failed to get latest osdmap: `),
	fe(RBDMapFail, "options", `no (?:monitor address\(es\)|options|pool name|image name) provided`),
	fe(RBDLock, "acquire", `failed to acquire lock: `),
	fe(RBDLock, "blocklist", `failed to bl(?:ock|ack)list `),
	fe(RBDLock, "lock", `failed to lock header: `),
	fe(RBDLock, "unlock", `failed to unlock header: `),
	fe(RBDLock, "lockers", `failed to get header lockers: `),
	fe(RBDLock, "watchers", `failed to get watchers: `),
	fe(RBDLock, "break", `failed to break header lock: `),
	fe(RBDLock, "breaking", `breaking header lock owned by `),
	fe(RBDLock, "request", `failed to request lock: |error requesting lock: |failed to decode ResponseMessage: `),
	fe(RBDLock, "peer", `peer will not release lock`),
	fe(RBDLock, "owners", `(?:no|duplicate) lock owners detected`),
	fe(RBDLock, "external", `locked by external mechanism|(?:shared|incompatible) lock type detected|locker has a blank address`),
	fe(RBDLock, "cookie", `failed to update lock cookie: `),
	fe(RBDLock, "released", `temporarily releasing lock on exclusive mapping`),
	fe(RBDLock, "post-acquire", `post-acquire action failed: `),
	fe(RBDOther, "copyup", `copyup failed: `),
	fe(RBDOther, "beyond end", `beyond EOD `),
	fe(RBDOther, "refresh", `refresh failed: `),
	fe(RBDOther, "notify", `acknowledge_notify failed: |failed to decode NotifyMessage: `),
	fe(RBDOther, "parent", `unable to get image name|parent reference |clone is standalone|clone has `),
	fe(RBDOther, "size", `alloc_size adjusted to `),
	fe(RBDOther, "loaded", `loaded|libceph incompatibility`),
	fe(RBDMapFail, "", `(?P<detail>image|pool) (?:.* )?does not exist`),
	fe(RBDMapFail, "snapshot", `snap (?:.* )?does not exist`),
	fe(RBDLock, "object map", `.*object map`),
	fe(RBDLock, "", `.*(?: lock|unlock|locked by|locker|blocklist|blacklist)`),
	fe(RBDWatch, "", `.* watch`),
	fe(RBDOther, "read-only", `.* on read-only mapping$`),
	fe(RBDOther, "", ``),
}

// The messages of all other subsystems.
var hostForms = append([]form{
	f(PCIeFault, "link down", `pcieport (?P<dev>BUSID): pciehp: Slot\(.*\): (?:Link Down|Card not present)`),
	f(PCIeFault, "fatal", `pcieport (?P<dev>BUSID): (?:DPC: containment event|(?:AER: )?PCIe Bus Error: severity=Uncorrected \(Fatal\))`),
	f(PCIeFault, "corrected", `pcieport (?P<dev>BUSID): (?:AER: )?PCIe Bus Error: severity=Corrected`),
	f(PCIeFault, "uncorrected", `pcieport (?P<dev>BUSID): (?:AER: )?PCIe Bus Error: severity=`),
	f(PCIeFault, "recovery failed", `pcieport (?P<dev>BUSID): (?:AER: )?device recovery failed`),
	f(PCIeFault, "recovered", `pcieport (?P<dev>BUSID): (?:AER: )?device recovery successful`),
	f(PCIeFault, "corrected", `pcieport (?P<dev>BUSID): (?:AER: )?(?:Multiple )?Correct(?:ed|able) error (?:received: |message received from )id=`),
	f(PCIeFault, "fatal", `pcieport (?P<dev>BUSID): (?:AER: )?(?:Multiple )?Uncorrect(?:ed|able) \(Fatal\) error (?:received: |message received from )id=`),
	f(PCIeFault, "uncorrected", `pcieport (?P<dev>BUSID): (?:AER: )?(?:Multiple )?Uncorrect(?:ed|able) \(Non-Fatal\) error (?:received: |message received from )id=`),
	f(PCIeFault, "corrected", `pcieport BUSID: (?:AER: )?(?:Multiple )?Correct(?:ed|able) error (?:received: |message received from )(?P<dev>BUSID)(?: |$)`),
	f(PCIeFault, "fatal", `pcieport BUSID: (?:AER: )?(?:Multiple )?Uncorrect(?:ed|able) \(Fatal\) error (?:received: |message received from )(?P<dev>BUSID)(?: |$)`),
	f(PCIeFault, "uncorrected", `pcieport BUSID: (?:AER: )?(?:Multiple )?Uncorrect(?:ed|able) \(Non-Fatal\) error (?:received: |message received from )(?P<dev>BUSID)(?: |$)`),
	f(PCIeFault, "dma", `DMAR: \[.*?Request device \[(?P<dev>BUSID)\]`),
	f(PCIeFault, "dma", `AMD-Vi: Event logged \[IO_PAGE_FAULT .*?device=(?P<dev>BUSID) `),
	f(Lockup, "soft", `(?:(?:NMI )?watchdog: )?BUG: soft lockup`),
	f(Lockup, "hard", `(?:NMI )?watchdog: Watchdog detected hard LOCKUP`),
	f(HungMuted, "", `(?:INFO: )?Future hung task reports are suppressed`),
	f(MachineCheck, "", `(?:mce: |\{\d{1,10}\})?\[Hardware Error\]: `),
	f(MachineCheck, "", `EDAC MC\d{1,4}: \d{1,10} (?P<detail>CE|UE) `),
	f(OOM, "killed", `(?:(?:Out of memory|Memory cgroup out of memory): )?Killed process `),
	f(OOM, "chosen", `(?:Out of memory|Memory cgroup out of memory): Kill process `),
	f(OOM, "reaped", `oom_reaper: reaped process `),
	f(NetPressure, "conntrack", `nf_conntrack: (?:nf_conntrack: )?table full`),
	f(NetPressure, "tcp memory", `TCP: out of memory`),
	f(NetPressure, "orphans", `TCP: too many orphaned sockets`),
	f(NetPressure, "neighbours", `neighbour: (?:arp|ndisc)_cache: neighbor table overflow!`),
	f(HungTask, "", `INFO: task (?P<detail>.+?):\d{1,10} blocked for more than \d{1,10} second`),
	f(HungTask, "", `INFO: task (?P<detail>.+?):\d{1,10} blocked in I/O wait for more than \d{1,10} second`),
	f(HungOwner, "", `INFO: task (?P<detail>.+?):\d{1,10}(?: is)? blocked on a.*(?:mutex|semaphore)`),
	f(Lockup, "rcu", `(?:rcu: )?INFO: rcu[^ ]* (?:self-detected stall|detected stalls|detected expedited stalls)`),
	f(NetPressure, "syn flood", `TCP(?:: .*)?: Possible SYN flooding on port `),
	// Block layer and filesystems.
	f(BlockError, "", `(?:blk_update_request: )?(?:print_req_error: )?(?P<detail>I/O|timeout|critical space allocation|recoverable transport|critical target|critical nexus|critical medium|reservation conflict|protection|kernel resource|device resource|nonblocking retry|dm internal retry|operation not supported|zone resource|device offline|invalid|duration limit exceeded|zone open resource|zone active resource) error, dev DISK, sector `),
	f(BlockError, "buffer", `Buffer I/O error on dev(?:ice)? DISK, logical block `),
	f(FSError, "", `EXT4-fs error \(device DISK\)`),
	f(FSError, "", `EXT4-fs warning \(device DISK\)(?:.*_end_bio:.*I/O error|.*I/O error.*_end_bio:)`),
	f(FSReadOnly, "", `EXT4-fs \(DISK\): (?:Remounting filesystem read-only|shut down requested)`),
	f(FSMounted, "", `EXT4-fs \(DISK\): (?:mounted filesystem|re-mounted)`),
	f(FSError, "mount", `EXT4-fs \(DISK\): (?:unable to read superblock|bad geometry: |bad block size |no journal found|error loading journal|journal inode is deleted|Couldn't mount |group descriptors corrupted|get root inode failed|corrupt root inode|mount failed|write access unavailable, cannot proceed)`),
	f(FSError, "", `EXT4-fs \(DISK\): (?:warning: mounting fs with errors|.*I/O error|.*data loss|Delayed block allocation failed|This should not happen!!  Data will be lost)`),
	f(FSReadOnly, "", `XFS \(DISK\): (?:.*Shutting down filesystem|Filesystem has been shut down due to |User initiated shutdown received|xfs_do_force_shutdown\()`),
	f(FSMounted, "", `XFS \(DISK\): Ending (?:clean mount|recovery)`),
	f(FSError, "mount", `XFS \(DISK\): (?:Superblock has unknown |Filesystem can(?:not| not) be safely mounted|Filesystem can only be safely mounted read only|Filesystem has duplicate UUID |SB validate failed with error |SB sanity check failed|bad version|log mount failed|log mount/recovery failed|[fF]ailed to read root inode|recovery required on read-only device|write access unavailable, cannot proceed|File system with blocksize |file system too large to be mounted)`),
	f(FSError, "", `XFS \(DISK\): (?:Metadata CRC error detected|.*(?:I/O error|I/O Error|orruption|Internal error|writeback error|log mount/recovery failed))`),
	f(FSReadOnly, "", `BTRFS:? .*? \(device DISK(?::? state [A-Z]*)?\):? ?forced readonly`),
	f(FSMounted, "", `BTRFS:? .*? \(device DISK(?::? state [A-Z]*)?\):? ?first mount of filesystem `),
	f(FSError, "mount", `BTRFS:? .*? \(device DISK(?::? state [A-Z]*)?\):? ?(?:open_ctree failed|failed to read |superblock checksum mismatch)`),
	f(FSError, "", `BTRFS:? .*? \(device DISK(?::? state [A-Z]*)?\):? ?(?:csum failed |csum hole found |checksum verify failed |lost page write |lost super block write )`),
	f(FSError, "", `BTRFS:? (?:error|critical|alert|emergency) \(device DISK(?::? state [A-Z]*)?\)`),
	f(FSError, "journal", `Aborting journal on device JOURNAL`),
	f(FSError, "journal", `JBD2: (?:I/O error |Detected IO errors |Error -)(?:.* )?JOURNAL`),
	// Lines that begin with a process's name.
	f(OOM, "invoked", `.* invoked oom-killer: `),
	f(OOM, "page allocation", `.*: page allocation failure: order:`),
	// The summary of a rate limit.
	f(Suppressed, "", `(?P<detail>[^ ]+): (?P<n>\d{1,10}) callbacks suppressed`),
	// Bonding, 5.3 and later.
	f(BondSlaveDown, "", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): (?:link status definitely down|(?:backup )?interface is now down)`),
	f(BondSlaveUp, "", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): (?:link status definitely up|interface is now up)`),
	f(BondOther, "pending", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): link status `),
	f(BondOther, "new active", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): making interface the new active one`),
	f(BondOther, "speed", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): (?:failed to get link speed/duplex|speed changed to 0 on port|unknown ethtool speed)`),
	f(BondOther, "loopback", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): An illegal loopback occurred on `),
	f(BondOther, "aggregator", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): unbinding aggregator, and could not find a new aggregator`),
	f(BondOther, "aggregator", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): Port .*did not find a suitable aggregator`),
	f(BondOther, "aggregator", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): Warning: Port `),
	f(BondOther, "enslaved", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): Enslaving as `),
	f(BondOther, "released", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): (?:Releasing|Removing) `),
	f(BondOther, "", `BOND(?:[A-Za-z0-9_.@+!-]{1,15}: )?\(slave SLAVE\): `),
	f(BondNoPartner, "", `BOND(?:Warning: )?No 802\.3ad response from the link partner`),
	f(BondOther, "no active", `BONDnow running without any active interface!`),
	f(BondOther, "active", `BOND(?:first )?active interface up!`),
	f(BondOther, "released", `BONDReleased all slaves`),
	// Bonding, 4.19.
	f(BondSlaveDown, "", `BOND(?:link status definitely down for interface SLAVE(?:END)|(?:backup )?interface (?P<slave>[A-Za-z0-9_.@+!-]{1,15}) is now down)`),
	f(BondSlaveUp, "", `BOND(?:link status definitely up for interface SLAVE(?:END)|(?:backup )?interface (?P<slave>[A-Za-z0-9_.@+!-]{1,15}) is now up)`),
	f(BondOther, "pending", `BONDlink status down for (?:active |backup )?interface SLAVE(?:END)`),
	f(BondOther, "pending", `BONDlink status up for interface SLAVE(?:END)`),
	f(BondOther, "pending", `BONDlink status (?:up|down) again after \d{1,10} ms for interface SLAVE(?:END)`),
	f(BondOther, "new active", `BONDmaking interface SLAVE(?:END)`),
	f(BondOther, "speed", `BONDfailed to get link speed/duplex for SLAVE(?:END)`),
	f(BondOther, "loopback", `BONDAn illegal loopback occurred on adapter \(SLAVE(?:END)`),
	f(BondOther, "enslaved", `BOND(?:Enslaving|Adding slave) SLAVE(?:END)`),
	f(BondOther, "released", `BOND(?:Releasing active interface|Releasing backup interface|Removing slave) SLAVE(?:END)`),
	// NICs.
	f(NICHang, "watchdog", `NETDEV WATCHDOG: IFACE \(.*\): transmit queue `),
}, append(driverForms(), linkForms...)...)

var linkForms = []form{
	nicForm(NICUp, "", namedLink+`[Uu][Pp]\b`),
	nicForm(NICDown, "", namedLink+`[Dd][Oo][Ww][Nn]\b`),
	f(NICUp, "", ifaceHead+ownLink+`[Uu][Pp]\b`),
	f(NICDown, "", ifaceHead+ownLink+`[Dd][Oo][Ww][Nn]\b`),
}

const (
	namedLink = `(?:igb: )?(?:e1000e: )?(?P<dev>[A-Za-z0-9_.@+!-]{1,15}) NIC Link is `
	ifaceHead = `(?:BUSID BUSID )?(?P<dev>[A-Za-z0-9_.@+!-]{1,15})STATE: FUNC`
	ownLink   = `(?:igb: )?(?:e1000e: )?(?:[Nn][Ii][Cc] )?(?:(?i)copper )?(?:(?i)serdes )?(?:(?i)remote copper )?(?:(?i)port )?[Ll][Ii][Nn][Kk] (?:[Ii][Ss] )?`
)

// nicForm returns the form of a driver's line, with or without an interface.
func nicForm(class Class, detail, says string) form {
	return f(class, detail, `(?:BUSID (?P<dev>BUSID)|(?:BUSID BUSID )?IFACE)STATE: FUNC`+says)
}

// driverForms returns the forms of the drivers' messages, from the table that the
// classifier also uses, and of the messages of any driver.
func driverForms() []form {
	families := map[*nicPhrase][]string{}
	tables := map[*nicPhrase][]nicPhrase{}
	var known []string
	for _, driver := range slices.Sorted(maps.Keys(nicDrivers)) {
		known = append(known, regexp.QuoteMeta(driver))
		if phrases := nicDrivers[driver]; len(phrases) > 0 {
			families[&phrases[0]] = append(families[&phrases[0]], regexp.QuoteMeta(driver))
			tables[&phrases[0]] = phrases
		}
	}
	speaker := func(drivers []string) string {
		names := "(?:" + strings.Join(drivers, "|") + ")"
		head := `(?:` + names + `: IFACE: |` + names + `: MARK|` + names + ` (?P<dev>BUSID)STATE: |` + names + ` BUSID IFACESTATE: `
		if slices.Contains(drivers, "qede") {
			head += `|\[qede?_[^ \](:]*:\d{1,10}\((?P<dev>BUSID)?\)\]`
		}
		return head + `)`
	}
	var forms []form
	add := func(head string, phrases []nicPhrase) {
		for _, p := range phrases {
			text := regexp.QuoteMeta(p.begins)
			if p.has != "" {
				text += ".*" + regexp.QuoteMeta(p.has)
			}
			forms = append(forms, f(p.class, p.detail, head+text))
		}
	}
	add(speaker(known)+`(?:AER: )?`, aerPhrases)
	for first, drivers := range families {
		add(speaker(drivers)+`FUNC`, tables[first])
	}
	add(speaker(known)+`FUNC`, nicPhrases)
	add(`(?:BUSID (?P<dev>BUSID)|(?:BUSID BUSID )?IFACE)STATE: FUNC`, nicPhrases)
	forms = append(forms,
		f(PCIeFault, "dma", `BUSID (?P<dev>BUSID)STATE: AMD-Vi: Event logged \[IO_PAGE_FAULT `),
		f(NICDown, "", speaker(known)+`FUNCatlantic: link change old \d{1,10} new 0{1,10}(?:\W|$)`),
		f(NICUp, "", speaker(known)+`FUNCatlantic: link change old \d{1,10} new \d{1,10}(?:\W|$)`),
		f(NICUp, "", speaker(known)+`FUNC`+ownLink+`[Uu][Pp]\b`),
		f(NICDown, "", speaker(known)+`FUNC`+ownLink+`[Dd][Oo][Ww][Nn]\b`))
	return forms
}
