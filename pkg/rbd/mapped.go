// Package rbd describes the RBD disks of a host as values: krbd's devices, guests
// and their disks, and which guest uses which. The packages below it read them:
// krbd, libvirt and qemu. None of them judges.
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
	ClientID   uint64   `json:"client_id"`          // the number of client_id
	ClientAddr string   `json:"client_addr"`        // IP of client_addr, without port and nonce; empty: not said
	Nonce      string   `json:"nonce,omitempty"`    // client_addr as it is, for the cluster's blocklist and watchers
	FSID       string   `json:"fsid"`               // cluster_fsid
	Size       uint64   `json:"size"`               // bytes
	Features   uint64   `json:"features"`
	Options    *Options `json:"options"`           // nil: could not be read
	Holders    []Holder `json:"holders,omitempty"` // what uses it and its partitions
	ReadOnly   bool     `json:"read_only,omitempty"`
	Parents    []string `json:"parents,omitempty"`     // image ids of parent, the nearest first: a clone reads from their objects too
	OptionsErr string   `json:"options_err,omitempty"` // why Options is nil, for people
	Partly     string   `json:"partly,omitempty"`      // which attributes could not be read or understood, for people; they are empty or 0
}

// Spec names the image as rbd(8) does: pool[/namespace]/image[@snapshot].
func (m Mapped) Spec() string { return Spec(m.Pool, m.Namespace, m.Image, m.Snapshot) }

// Spec names an image as rbd(8) does: pool[/namespace]/image[@snapshot].
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

// Options are the map options of one krbd client, from debugfs client_options.
// A secret is never kept.
type Options struct {
	RxBounce       bool          `json:"rxbounce"`
	MSMode         string        `json:"ms_mode,omitempty"`   // legacy, crc, secure, prefer-crc, prefer-secure, other; empty: the kernel's default
	RequestTimeout time.Duration `json:"osd_request_timeout"` // 0: never
	NoCRC          bool          `json:"nocrc,omitempty"`     // payload checksums off (msgr1)
	NoShare        bool          `json:"noshare,omitempty"`   // a client of its own
	ReadFrom       string        `json:"read_from,omitempty"` // read_from_replica: no, balance, localize, other; empty: the kernel's default, no
	AbortOnFull    bool          `json:"abort_on_full,omitempty"`
}

// A Holder is a device on top of a krbd device: a partition of it, or what holds
// the device, a partition or another holder (/sys/block/DEVICE/holders).
type Holder struct {
	Device string `json:"device"`         // rbd0p1, dm-3, md127
	Name   string `json:"name,omitempty"` // dm/name
	Kind   string `json:"kind"`           // lvm, crypt, multipath, partition, other
	Major  uint32 `json:"major"`
	Minor  uint32 `json:"minor"`
}

// IO is what the block layer counted for one krbd device:
// /sys/block/rbdN/stat and inflight. Counters rise on completion.
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
	Partly       string `json:"partly,omitempty"` // what could not be understood, for people; the numbers are 0 then
}

// InFlight is how many requests are under way.
func (io IO) InFlight() uint64 { return io.InFlightR + io.InFlightW }

// Done is how many requests have completed.
func (io IO) Done() uint64 { return io.Reads + io.Writes + io.Discards + io.Flushes }

// Pending is what one krbd client waits for: debugfs ceph/FSID.clientID/osdc.
type Pending struct {
	FSID     string    `json:"fsid"`
	ClientID uint64    `json:"client_id"`
	Total    int       `json:"total"`    // requests in flight; Requests may hold fewer
	Homeless int       `json:"homeless"` // of them without an OSD to go to
	Lingers  int       `json:"lingers"`  // watches
	Backoffs int       `json:"backoffs"`
	Requests []Request `json:"requests"` // the oldest and the most often sent, by TID; at most 64

	Malformed int    `json:"malformed,omitempty"` // lines that could not be understood
	Truncated bool   `json:"truncated,omitempty"` // the file was longer than what is read of it: the counts are of its beginning
	Partly    string `json:"partly,omitempty"`    // why this client's osdc could not be read, for people; the counts are 0 then
	LeftOut   int    `json:"left_out,omitempty"`  // in the first of a list: how many more clients there are; of the first 1024 none does worse
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

// Image returns the image id in the object's name (rbd_data.ID.N, rbd_header.ID)
// and "" if it has none, so that a request is joined to Mapped.ImageID.
func (r Request) Image() string { return objectImage(r.Object) }
