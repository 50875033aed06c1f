package page

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// marksOf returns the marks of a raised finding: it cannot be observed now, it flaps,
// or it is acknowledged.
func marksOf(f report.Finding, now time.Time) []string {
	var marks []string
	if f.State == report.Blind {
		marks = append(marks, "Last seen "+ago(f.LastSeen, now)+
			": its sources have been unavailable since. It stays raised until it is observed to be gone.")
	}
	if f.Flapping {
		marks = append(marks, "Flapping, last observed "+ago(f.LastSeen, now)+
			". It stays raised until it has not been observed for 10 minutes.")
	}
	if a := f.Accepted; a != nil {
		marks = append(marks, fmt.Sprintf("Acknowledged by %s until %s: %s. It does not page.", a.By, stamp(a.Until), a.Reason))
	}
	return marks
}

// working describes the maintenance of the node.
func working(m report.Maintenance) string {
	return fmt.Sprintf("under maintenance by %s until %s: %s", m.By, stamp(m.Until), m.Reason)
}
