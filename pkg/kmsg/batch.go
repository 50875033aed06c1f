package kmsg

import "time"

// A Line is what one record's text says.
type Line struct {
	Class  Class
	Peer   string // osd12, mon0, client4567; empty: none named
	Addr   string // the peer's address, without its (N) type
	Device string // rbd0, bond0/eth0, eth0, or a NIC's bus id where its driver names no interface; empty: none named
	Errno  int    // negative, as printed; 0: none
	Detail string // con state, operation, comm, suppressed function: short, from a small set where the kernel has one; see the classes
	Count  uint64 // how many records it counts for: 1, or N of "N callbacks suppressed"
}

// A Batch is what the log said since the batch before it.
type Batch struct {
	History    bool    `json:"history,omitempty"` // all of it was logged before nodewatch started and is not news
	Counts     []Count `json:"counts,omitempty"`  // sorted by First, then by the fields of Line
	Records    uint64  `json:"records"`           // read, of facility 0, of any class
	Foreign    uint64  `json:"foreign,omitempty"` // read, of another facility: not believed
	Lost       uint64  `json:"lost,omitempty"`    // overwritten before they could be read (gaps in Seq), or too long
	Malformed  uint64  `json:"malformed,omitempty"`
	Suppressed uint64  `json:"suppressed,omitempty"` // never logged: the kernel's rate limits
	Overflowed uint64  `json:"unsorted,omitempty"`   // of interest but not in Counts: the batch was full
	Seq        uint64  `json:"seq"`                  // of the last record
}

// A Count is how many equal lines fell into one second.
type Count struct {
	Class  Class     `json:"class"`
	Peer   string    `json:"peer,omitempty"`
	Addr   string    `json:"addr,omitempty"` // of the latest
	Device string    `json:"device,omitempty"`
	Errno  int       `json:"errno,omitempty"`
	Detail string    `json:"detail,omitempty"`
	N      uint64    `json:"n"`
	First  time.Time `json:"first"` // by the record's own stamp
	Last   time.Time `json:"last"`  // in the same second as First
	Text   string    `json:"text"`  // of the first; of a CRC fault or connect error the line before it, which has the reason; at most 300 bytes
}
