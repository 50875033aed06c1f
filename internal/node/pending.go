package node

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A Wait is one request that a krbd client is waiting for.
type Wait struct {
	FSID     string
	ClientID uint64
	Request  rbd.Request
	Since    time.Time // when it was first observed in flight: it is at least this old
	Attempts int       // how often it has been sent since then
}

// SawPending is a reading of debugfs osdc, by the probe child.
type SawPending struct{ Reading[[]rbd.Pending] }

type waitKey struct {
	fsid string
	id   uint64
	tid  uint64
}

// Apply implements Observation.
func (o SawPending) Apply(s Snapshot) Snapshot {
	s.Pending = o.after(s.Pending)
	s = s.recordReading(SourceOSDC, o.At, o.Every, s.Pending.Err)
	if o.Err != nil {
		return s
	}
	known := make(map[waitKey]Wait, len(s.Waits))
	for _, w := range s.Waits {
		known[waitKey{w.FSID, w.ClientID, w.Request.TID}] = w
	}
	s.Waits = nil
	for _, p := range o.Value {
		for _, r := range p.Requests {
			w := Wait{FSID: p.FSID, ClientID: p.ClientID, Request: r, Since: o.At}
			if old, found := known[waitKey{p.FSID, p.ClientID, r.TID}]; found && r.Attempts >= old.Request.Attempts {
				w.Since = old.Since
				w.Attempts = old.Attempts + r.Attempts - old.Request.Attempts
			}
			s.Waits = append(s.Waits, w)
		}
	}
	return s
}
