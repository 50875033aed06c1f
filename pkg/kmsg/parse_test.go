package kmsg

import (
	"errors"
	"strings"
	"time"
)

// A record is one record of /dev/kmsg (Documentation/ABI/testing/dev-kmsg).
type record struct {
	Facility int           // 0 is the kernel; user space cannot set it
	Level    int           // 0 emergency to 7 debug
	Seq      uint64        // increases by one with each record
	Stamp    time.Duration // since boot, without suspend; not NTP-slewed
	Text     string        // one unescaped message, without the SUBSYSTEM= and DEVICE= lines
}

// errMalformed reports bytes that are not a record.
var errMalformed = errors.New("malformed record")

// parseRecord parses one read of /dev/kmsg with the parts that the Aggregator uses.
func parseRecord(b []byte) (record, error) {
	h, rest, ok := cutHead(b)
	if !ok {
		return record{}, errMalformed
	}
	return record{Facility: h.facility, Level: h.level, Seq: h.seq, Stamp: h.stamp, Text: string(unescape(nil, rest))}, nil
}

// lineOf returns the meaning of a record's text.
func lineOf(text string) Line {
	l, _ := classify(text)
	return l
}

// readBatch counts the records in log, one per line as read from /dev/kmsg. Lines that
// begin with a blank belong to the record before them. A record's time is base plus its
// timestamp.
func readBatch(log string, base time.Time, anyFacility bool) Batch {
	t := Aggregator{Base: base, AnyFacility: anyFacility}
	for line := range strings.Lines(log) {
		if line != "\n" && line[0] != ' ' {
			t.Add([]byte(line))
		}
	}
	return t.Flush()
}
