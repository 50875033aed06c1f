package node

import "time"

// A Delivery is the delivery status of one reporter.
type Delivery struct {
	Name       string            `json:"name"`              // as configured
	Backend    string            `json:"backend"`           // "alertmanager", "webhook", ...
	State      string            `json:"state"`             // starting, ok, retrying, open, stalled
	Since      time.Time         `json:"since"`             // since when it is in State
	Last       time.Time         `json:"last,omitzero"`     // when a delivery last succeeded; zero if none has
	Error      string            `json:"error,omitempty"`   // of the latest attempt; shows no secret
	Kind       string            `json:"kind,omitempty"`    // of that error, as report.FailureKind spells it
	Done       uint64            `json:"done"`              // deliveries that succeeded
	Failed     map[string]uint64 `json:"failed,omitempty"`  // deliveries that failed, by kind
	Waiting    int               `json:"waiting,omitempty"` // transitions that wait for an acknowledgement
	Unsaved    int               `json:"unsaved,omitempty"` // of those, not on disk
	Dropped    uint64            `json:"dropped,omitempty"` // transitions lost
	PersistErr string            `json:"keep_error,omitempty"`
	Deadline   time.Duration     `json:"deadline"`
}

// The states of a Delivery.
const (
	DeliveryStarting = "starting" // nothing has been delivered yet
	DeliveryOK       = "ok"
	DeliveryRetrying = "retrying" // the latest attempt failed; the next is soon
	DeliveryOpen     = "open"     // circuit breaker open, retried at a reduced rate
	DeliveryStalled  = "stalled"  // an attempt does not return
)

// SawDeliveries is the delivery status of the reporters.
type SawDeliveries struct{ Reading[[]Delivery] }

// Apply implements Observation.
func (o SawDeliveries) Apply(s Snapshot) Snapshot {
	s.Deliveries = o.after(s.Deliveries)
	return s.recordReading(SourceReporters, o.At, o.Every, s.Deliveries.Err)
}
