package rbd

// Guests are the guests of a host in one view (libvirt's, or that of the processes).
type Guests struct {
	Guests []Guest `json:"guests"`           // by name
	Partly string  `json:"partly,omitempty"` // parts that could not be read, for display; empty if all could
	Remedy string  `json:"remedy,omitempty"` // how to make them readable, for display; may be empty

	Exports []Export `json:"exports,omitempty"` // from the processes' view: disks they export to guests
}

// A Guest is a virtual machine or a container.
type Guest struct {
	Name     string `json:"name"`
	ID       string `json:"id"`                 // libvirt's UUID, or Proxmox's VMID
	Kind     string `json:"kind"`               // vm, container
	PID      int    `json:"pid,omitempty"`      // PID of QEMU; 0 if unknown
	Libvirt  bool   `json:"libvirt,omitempty"`  // from the processes' view: its cgroup shows that libvirt started it
	State    string `json:"state"`              // running, blocked, paused, shutdown, shutoff, crashed, pmsuspended; empty if unknown
	Reason   string `json:"reason,omitempty"`   // libvirt's word for the reason: user, migration, ioerror, ...
	OS       string `json:"os"`                 // windows, linux or other if certain; otherwise empty
	OSBy     string `json:"os_by,omitempty"`    // the indicator of the OS, for display; if OS is empty, a weak indicator of Windows
	Disks    []Disk `json:"disks"`              // in the view's order
	IO       []VMIO `json:"io,omitempty"`       // libvirt's block statistics, by target
	Incoming bool   `json:"incoming,omitempty"` // from the processes' view: it was started as the target of a migration
	Stalled  bool   `json:"stalled,omitempty"`  // its monitor did not respond: statistics are missing
}

// MaxDisks is the maximum number of disks of a guest.
const MaxDisks = 1024

// A Client is the Ceph client of a disk.
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
	Target    string    `json:"target"` // vda, scsi0; in a container rootfs, or else the mount point. Images below it and copies of it have the same target
	Client    Client    `json:"client"`
	Pool      string    `json:"pool,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Image     string    `json:"image,omitempty"`
	Snapshot  string    `json:"snapshot,omitempty"`
	Path      string    `json:"path,omitempty"`  // device or file, if there is one; never contains a secret
	Major     uint32    `json:"major,omitempty"` // device number of Path, or of the device that the file is on; 0:0 if there is none
	Minor     uint32    `json:"minor,omitempty"`
	Part      bool      `json:"part,omitempty"` // not a separate disk: an image below the one with the same Target, or its copy by a block job
	Via       string    `json:"via,omitempty"`  // the socket or device through which another process exports it; Path is then that process's
	Throttle  *Throttle `json:"throttle,omitempty"`
}

// A Throttle is the I/O limits of a disk; 0 means no limit.
type Throttle struct {
	BytesPerSec      uint64 `json:"bytes_per_sec,omitempty"`
	ReadBytesPerSec  uint64 `json:"read_bytes_per_sec,omitempty"`
	WriteBytesPerSec uint64 `json:"write_bytes_per_sec,omitempty"`
	IOPS             uint64 `json:"iops,omitempty"`
	ReadIOPS         uint64 `json:"read_iops,omitempty"`
	WriteIOPS        uint64 `json:"write_iops,omitempty"`
}

// A VMIO is one disk's I/O statistics from libvirt.
type VMIO struct {
	Target     string `json:"target"`
	ReadReqs   uint64 `json:"read_reqs"`
	ReadBytes  uint64 `json:"read_bytes"`
	WriteReqs  uint64 `json:"write_reqs"`
	WriteBytes uint64 `json:"write_bytes"`
	Errors     uint64 `json:"errors"`
}
