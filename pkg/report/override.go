package report

import "time"

// A Maintenance is an operator's maintenance of the node. It is reported as
// under_maintenance; no one is paged, everything is recorded.
type Maintenance struct {
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"` // when it ends
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// An Accepted is an operator's acknowledgement of one finding until a date.
type Accepted struct {
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}
