package report

import "time"

// A Maintenance is an operator's word that the node is being worked on. It is
// reported as under_maintenance; nobody is paged, everything is recorded.
type Maintenance struct {
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"` // it ends by itself
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// An Accepted is an operator's word that one finding may stay until a date.
type Accepted struct {
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}
