// Package ceph has the values that a Ceph cluster reports, and parses the document in which
// the nodewatch-ceph child prints them. It links no Ceph library.
package ceph

import "time"

// A Cluster is what one cluster reported. A missing part is empty, and Errors has the
// reason: no Health.Status, no OSDMap.Epoch (the blocklist is then unknown too), an
// image that is not in Asked, nil Scrubs.
type Cluster struct {
	FSID      string        `json:"fsid"`
	Release   string        `json:"release,omitempty"` // version of librados, as it reports it
	Health    Health        `json:"health"`
	OSDMap    OSDMap        `json:"osdmap"`
	Blocklist []Entry       `json:"blocklist"`          // entries for requested addresses
	Watchers  []Watcher     `json:"watchers,omitempty"` // of the images in Asked
	Asked     []Image       `json:"asked,omitempty"`    // the images whose watchers are known, even if there are none
	Scrubs    *Scrubs       `json:"scrubs,omitempty"`   // nil if no manager responded
	Took      time.Duration `json:"took"`               // from connect to the last reply
	Errors    []string      `json:"errors,omitempty"`   // parts that could not be read, for display
}

// Health is `health detail`.
type Health struct {
	Status  string   `json:"status"`             // HEALTH_OK, HEALTH_WARN, HEALTH_ERR
	Checks  []Check  `json:"checks"`             // by code
	SlowOps []string `json:"slow_ops,omitempty"` // daemons with slow ops: osd.1, mon.a; Ceph names at most ten
}

// A Check is one health code.
type Check struct {
	Code     string `json:"code"` // SLOW_OPS, OSD_DOWN, ...
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Count    int    `json:"count"`
	Muted    bool   `json:"muted,omitempty"`
}

// OSDMap is the part of `osd dump` that matters to a client.
type OSDMap struct {
	Epoch int    `json:"epoch"`
	Flags string `json:"flags"` // comma separated: full, pauserd, noout, ...
	OSDs  []OSD  `json:"osds"`  // by ID
}

// An OSD is one OSD of the map.
type OSD struct {
	ID    int      `json:"id"`
	Up    bool     `json:"up"`
	In    bool     `json:"in"`
	Addrs []string `json:"addrs"` // public ADDR:PORT, v1 and v2
}

// An Entry is one entry of the blocklist.
type Entry struct {
	Addr  string    `json:"addr"`  // IP:0/NONCE of one client, IP:0/0 of all clients of an IP, IP/BITS of a network
	Until time.Time `json:"until"` // zero if unknown
}

// A Watcher watches an image's header.
type Watcher struct {
	Pool      string `json:"pool"`
	Namespace string `json:"namespace,omitempty"`
	Image     string `json:"image"`
	Addr      string `json:"addr"`
	ClientID  int64  `json:"client_id"`
	Cookie    uint64 `json:"cookie"`
}

// lingerStart is the first linger id that a kernel client uses (CEPH_LINGER_ID_START,
// include/linux/ceph/osd_client.h).
const lingerStart = 0xffff000000000000

// Kernel reports whether the watcher is a kernel client: its cookies are linger ids,
// those of librbd are addresses in its process.
func (w Watcher) Kernel() bool { return w.Cookie >= lingerStart }

// Scrubs are the numbers of running scrubs.
type Scrubs struct {
	Scrubbing int `json:"scrubbing"` // placement groups
	Deep      int `json:"deep"`      // number of deep scrubs among them
}
