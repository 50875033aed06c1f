// Package rbd has the values that describe the RBD disks of a host: krbd's devices,
// guests and their disks, and which guest uses which. The packages below it read
// them: krbd, libvirt and qemu. None of them judges.
package rbd

import "time"

// A Mapped is one krbd device: /sys/bus/rbd/devices/ID.
type Mapped struct {
	ID         int      `json:"id"`     // N of /dev/rbdN
	Device     string   `json:"device"` // rbdN
	Major      uint32   `json:"major"`
	Minor      uint32   `json:"minor"`
	Pool       string   `json:"pool"`
	Namespace  string   `json:"namespace,omitempty"` // pool_ns
	Image      string   `json:"image"`               // name
	ImageID    string   `json:"image_id"`
	Snapshot   string   `json:"snapshot,omitempty"` // current_snap; empty for the head
	ClientID   uint64   `json:"client_id"`          // the number in client_id
	ClientAddr string   `json:"client_addr"`        // IP of client_addr, without port and nonce; empty if unknown
	Nonce      string   `json:"nonce,omitempty"`    // client_addr unchanged, for the cluster's blocklist and watchers
	FSID       string   `json:"fsid"`               // cluster_fsid
	Size       uint64   `json:"size"`               // bytes
	Features   uint64   `json:"features"`
	Options    *Options `json:"options"`           // nil if they could not be read
	Holders    []Holder `json:"holders,omitempty"` // holders of the device and of its partitions
	ReadOnly   bool     `json:"read_only,omitempty"`
	Parents    []string `json:"parents,omitempty"`     // image ids in parent, nearest first: a clone also reads from their objects
	OptionsErr string   `json:"options_err,omitempty"` // why Options is nil, for display
	Partly     string   `json:"partly,omitempty"`      // attributes that could not be read or parsed, for display; they are empty or 0
}

// Spec returns the image's name in the form of rbd(8):
// pool[/namespace]/image[@snapshot].
func (m Mapped) Spec() string { return Spec(m.Pool, m.Namespace, m.Image, m.Snapshot) }

// Spec returns an image's name in the form of rbd(8):
// pool[/namespace]/image[@snapshot].
func Spec(pool, namespace, image, snapshot string) string {
	s := pool + "/"
	if namespace != "" {
		s += namespace + "/"
	}
	s += image
	if snapshot != "" {
		s += "@" + snapshot
	}
	return s
}

// Options are the map options of one krbd client, from debugfs client_options. They
// never contain a secret.
type Options struct {
	RxBounce       bool          `json:"rxbounce"`
	MSMode         string        `json:"ms_mode,omitempty"`   // legacy, crc, secure, prefer-crc, prefer-secure, other; empty: the kernel's default
	RequestTimeout time.Duration `json:"osd_request_timeout"` // 0: never
	NoCRC          bool          `json:"nocrc,omitempty"`     // payload checksums off (msgr1)
	NoShare        bool          `json:"noshare,omitempty"`   // noshare: a separate client
	ReadFrom       string        `json:"read_from,omitempty"` // read_from_replica: no, balance, localize, other; empty: the kernel's default, no
	AbortOnFull    bool          `json:"abort_on_full,omitempty"`
}

// A Holder is a device on top of a krbd device: a partition of it, or a holder of the
// device, of a partition or of another holder (/sys/block/DEVICE/holders).
type Holder struct {
	Device string `json:"device"`         // rbd0p1, dm-3, md127
	Name   string `json:"name,omitempty"` // dm/name
	Kind   string `json:"kind"`           // lvm, crypt, multipath, partition, other
	Major  uint32 `json:"major"`
	Minor  uint32 `json:"minor"`
}

// IO has the block layer's counters of one krbd device: /sys/block/rbdN/stat and
// inflight. Counters rise on completion.
type IO struct {
	Device       string `json:"device"`
	Reads        uint64 `json:"reads"` // completed
	ReadSectors  uint64 `json:"read_sectors"`
	ReadTicks    uint64 `json:"read_ticks"` // ms
	Writes       uint64 `json:"writes"`
	WriteSectors uint64 `json:"write_sectors"`
	WriteTicks   uint64 `json:"write_ticks"`
	Discards     uint64 `json:"discards"`
	Flushes      uint64 `json:"flushes"`
	Ticks        uint64 `json:"io_ticks"` // ms with I/O in flight
	InFlightR    uint64 `json:"in_flight_reads"`
	InFlightW    uint64 `json:"in_flight_writes"`
	Partly       string `json:"partly,omitempty"` // parts that could not be parsed, for display; the numbers are then 0
}

// InFlight returns the number of requests in flight.
func (io IO) InFlight() uint64 { return io.InFlightR + io.InFlightW }

// Done returns the number of completed requests.
func (io IO) Done() uint64 { return io.Reads + io.Writes + io.Discards + io.Flushes }

// Pending has the pending requests of one krbd client: debugfs
// ceph/FSID.clientID/osdc.
type Pending struct {
	FSID     string    `json:"fsid"`
	ClientID uint64    `json:"client_id"`
	Total    int       `json:"total"`    // number of requests in flight; Requests may have fewer
	Homeless int       `json:"homeless"` // number of requests without a target OSD
	Lingers  int       `json:"lingers"`  // watches
	Backoffs int       `json:"backoffs"`
	Requests []Request `json:"requests"` // the oldest and the most often sent, by TID; at most 64

	Malformed int    `json:"malformed,omitempty"` // number of lines that could not be parsed
	Truncated bool   `json:"truncated,omitempty"` // the file exceeded the limit: the counts are of its beginning
	Partly    string `json:"partly,omitempty"`    // why this client's osdc could not be read, for display; the counts are then 0
	LeftOut   int    `json:"left_out,omitempty"`  // in the first element of a list: number of omitted clients; of the first 1024, none of them is worse
}

// A Request is one line of osdc.
type Request struct {
	TID      uint64 `json:"tid"`
	OSD      int    `json:"osd"` // -1: homeless
	Object   string `json:"object"`
	Attempts int    `json:"attempts"` // 1: sent once
	Ops      string `json:"ops"`      // read, write, watch-ping, call-CLASS/METHOD, ...; comma separated
	Paused   bool   `json:"paused,omitempty"`
}

// Image returns the image id in the object's name (rbd_data.ID.N, rbd_header.ID), or
// "" if it has none. It matches Mapped.ImageID.
func (r Request) Image() string { return objectImage(r.Object) }
