package node

import "time"

// A Delivery is the delivery status of one reporter.
type Delivery struct {
	Name       string            `json:"name"`              // as configured
	Backend    string            `json:"backend"`           // "alertmanager", "webhook", ...
	State      string            `json:"state"`             // starting, ok, retrying, open, stalled
	Since      time.Time         `json:"since"`             // start of State
	Last       time.Time         `json:"last,omitzero"`     // when a delivery last succeeded; zero: never
	Error      string            `json:"error,omitempty"`   // error of the latest attempt; contains no secret
	Kind       string            `json:"kind,omitempty"`    // kind of that error, as in report.FailureKind
	Done       uint64            `json:"done"`              // number of successful deliveries
	Failed     map[string]uint64 `json:"failed,omitempty"`  // number of failed deliveries, by kind
	Waiting    int               `json:"waiting,omitempty"` // number of transitions that wait for an acknowledgement
	Unsaved    int               `json:"unsaved,omitempty"` // number of waiting transitions that are not on disk
	Dropped    uint64            `json:"dropped,omitempty"` // number of lost transitions
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
