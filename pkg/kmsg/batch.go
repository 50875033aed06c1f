package kmsg

import "time"

// A Line is the meaning of one record's text.
type Line struct {
	Class  Class
	Peer   string // osd12, mon0, client4567; empty if none is named
	Addr   string // the peer's address, without its (N) type
	Device string // rbd0, bond0/eth0, eth0, or a NIC's bus id if its driver names no interface; empty if none is named
	Errno  int    // negative, as printed; 0 if there is none
	Detail string // con state, operation, comm, suppressed function: short, from a small set if the kernel has one; see the classes
	Count  uint64 // number of records it represents: 1, or N of "N callbacks suppressed"
}

// A Batch is what was logged since the previous batch.
type Batch struct {
	History    bool    `json:"history,omitempty"` // all of it was logged before nodewatch started
	Counts     []Count `json:"counts,omitempty"`  // sorted by First, then by the fields of Line
	Records    uint64  `json:"records"`           // read records of facility 0, of any class
	Foreign    uint64  `json:"foreign,omitempty"` // read records of another facility, which are not trusted
	Lost       uint64  `json:"lost,omitempty"`    // records overwritten before they could be read (gaps in Seq), or too long
	Malformed  uint64  `json:"malformed,omitempty"`
	Suppressed uint64  `json:"suppressed,omitempty"` // messages that the kernel's rate limits suppressed
	Overflowed uint64  `json:"unsorted,omitempty"`   // records of interest beyond the limit of Counts
	Seq        uint64  `json:"seq"`                  // sequence number of the last record
}

// A Count is the number of equal lines within one second.
type Count struct {
	Class  Class     `json:"class"`
	Peer   string    `json:"peer,omitempty"`
	Addr   string    `json:"addr,omitempty"` // of the latest
	Device string    `json:"device,omitempty"`
	Errno  int       `json:"errno,omitempty"`
	Detail string    `json:"detail,omitempty"`
	N      uint64    `json:"n"`
	First  time.Time `json:"first"` // by the record's timestamp
	Last   time.Time `json:"last"`  // in the same second as First
	Text   string    `json:"text"`  // text of the first line; for a CRC fault or connect error, of the line before it, which has the reason; at most 300 bytes
}
