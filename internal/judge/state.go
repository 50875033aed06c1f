package judge

import (
	"encoding/json"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A State is the state that a Judge keeps over a restart, as JSON.
type State struct {
	Baselines []facts.NamedBaseline `json:"baselines"`
	Incident  *report.Incident      `json:"incident,omitempty"`     // the current incident, or the last one
	Seen      time.Time             `json:"incident_seen,omitzero"` // when the current incident last had an impact
}

// State returns the state to persist. It may be large.
func (v View) State() State {
	return State{Baselines: v.usual.List(), Incident: v.incidents.latest(), Seen: v.incidents.lastImpact}
}

// restore adopts the state of an earlier run, once. Invalid entries, and those with
// future times, are left out.
func (j *Judge) restore(o node.SawState, now time.Time) {
	if j.restored || o.Err != nil {
		return
	}
	j.restored = true
	var s State
	if len(o.Value) == 0 || json.Unmarshal(o.Value, &s) != nil {
		return
	}
	j.usual = facts.BaselinesOf(s.Baselines)
	switch in := s.Incident; {
	case in == nil || in.Begin.After(now) || in.End.After(now) || s.Seen.After(now):
	case !in.End.IsZero():
		j.incidents.before = in
	case j.incidents.now == nil:
		j.incidents.now, j.incidents.lastImpact = in, s.Seen
	}
}
