package kmsg

import (
	"strings"
	"time"
)

// ReadBatch counts the records in log, which holds them one a line as reads of
// /dev/kmsg gave them; lines that begin with a blank belong to the record before
// them. A record's time is base plus its stamp. Facilities other than 0, the
// kernel's, are counted as foreign unless anyFacility is set. Lines that are no
// record are counted as malformed, and gaps in the sequence numbers as lost.
func ReadBatch(log string, base time.Time, anyFacility bool) Batch {
	t := Aggregator{Base: base, AnyFacility: anyFacility}
	for line := range strings.Lines(log) {
		if line != "\n" && line[0] != ' ' {
			t.Add([]byte(line))
		}
	}
	return t.Flush()
}
