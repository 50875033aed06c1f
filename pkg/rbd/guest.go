package rbd

// Guests are the guests of a host according to one view (libvirt, or the processes).
type Guests struct {
	Guests []Guest `json:"guests"`           // by name
	Partly string  `json:"partly,omitempty"` // what of it could not be read, for people; empty: all could
	Remedy string  `json:"remedy,omitempty"` // what would make it readable, for people; may be empty

	Exports []Export `json:"exports,omitempty"` // of the processes' view: what they serve to guests
}

// A Guest is a virtual machine or a container.
type Guest struct {
	Name     string `json:"name"`
	ID       string `json:"id"`                 // libvirt's UUID, or Proxmox's VMID
	Kind     string `json:"kind"`               // vm, container
	PID      int    `json:"pid,omitempty"`      // QEMU's process; 0: not known
	Libvirt  bool   `json:"libvirt,omitempty"`  // of the processes' view: its cgroup says that libvirt started it
	State    string `json:"state"`              // running, blocked, paused, shutdown, shutoff, crashed, pmsuspended; empty: not known
	Reason   string `json:"reason,omitempty"`   // libvirt's word for why: user, migration, ioerror, ...
	OS       string `json:"os"`                 // windows, linux, other: surely; empty: not known
	OSBy     string `json:"os_by,omitempty"`    // the indicator of the OS, for people; with an empty OS a weak indicator of Windows
	Disks    []Disk `json:"disks"`              // in the order the view gives them
	IO       []VMIO `json:"io,omitempty"`       // libvirt's block statistics, by target
	Incoming bool   `json:"incoming,omitempty"` // of the processes' view: it was started to take a migration in
	Stalled  bool   `json:"stalled,omitempty"`  // its monitor did not answer: statistics are missing
}

// MaxDisks bounds the disks of a guest.
const MaxDisks = 1024

// A Client is who speaks to the cluster for a disk.
type Client string

// The clients.
const (
	KRBD     Client = "krbd"
	LibRBD   Client = "librbd"
	NBD      Client = "rbd-nbd"
	NoClient Client = "" // not an RBD disk according to this view
)

// A Disk is one disk of a guest.
type Disk struct {
	Target    string    `json:"target"` // vda, scsi0; in a container rootfs, or else where it is mounted. Images below it and copies of it have the same
	Client    Client    `json:"client"`
	Pool      string    `json:"pool,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Image     string    `json:"image,omitempty"`
	Snapshot  string    `json:"snapshot,omitempty"`
	Path      string    `json:"path,omitempty"`  // device or file, where there is one; never holds a secret
	Major     uint32    `json:"major,omitempty"` // of Path's device number, or of the device that the file lies on; 0:0 where there is none
	Minor     uint32    `json:"minor,omitempty"`
	Part      bool      `json:"part,omitempty"` // no disk of its own: an image below the one of the same Target, or the copy that a block job makes of it
	Via       string    `json:"via,omitempty"`  // the socket or device by which another process serves it; Path is then that process's
	Throttle  *Throttle `json:"throttle,omitempty"`
}

// A Throttle is a disk's limit; 0 is no limit.
type Throttle struct {
	BytesPerSec      uint64 `json:"bytes_per_sec,omitempty"`
	ReadBytesPerSec  uint64 `json:"read_bytes_per_sec,omitempty"`
	WriteBytesPerSec uint64 `json:"write_bytes_per_sec,omitempty"`
	IOPS             uint64 `json:"iops,omitempty"`
	ReadIOPS         uint64 `json:"read_iops,omitempty"`
	WriteIOPS        uint64 `json:"write_iops,omitempty"`
}

// A VMIO is one disk's statistics as libvirt counts them.
type VMIO struct {
	Target     string `json:"target"`
	ReadReqs   uint64 `json:"read_reqs"`
	ReadBytes  uint64 `json:"read_bytes"`
	WriteReqs  uint64 `json:"write_reqs"`
	WriteBytes uint64 `json:"write_bytes"`
	Errors     uint64 `json:"errors"`
}
