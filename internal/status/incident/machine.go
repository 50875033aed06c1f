package incident

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Policy says when the machine opens and closes incidents.
type Policy struct {
	After        time.Duration // how long less than a major outage lasts before it opens one, and recovery before it is told
	CloseAfter   time.Duration // how long recovery lasts until it is resolved
	ReopenWithin time.Duration // so soon after it was resolved, trouble reopens it
	Zone         *time.Location
}

// DefaultPolicy is the policy unless another one is configured.
func DefaultPolicy() Policy {
	return Policy{After: time.Minute, CloseAfter: 10 * time.Minute, ReopenWithin: 15 * time.Minute, Zone: time.UTC}
}

// A Signal is one kind of trouble that a public component can have, with its record.
// What is under maintenance in the record is no trouble.
type Signal struct {
	Component string // its id
	Name      string // as customers know it
	Group     string // the id of its group
	Place     string // the name of its group
	Approval  bool   // incidents begin as drafts
	Kind      Kind
	Line      uptime.Timeline
}

const (
	improveEvery = 5 * time.Minute // between updates that say that something is less bad
	maxUpdates   = 50              // of one incident by the machine; then it only resolves
)

// LookBack is how long an incident is remembered that a person has resolved while what
// it speaks of goes on.
const LookBack = 7 * 24 * time.Hour

// Step returns the incidents that change or are new. known are those that are open or
// were changed within LookBack; a new one has no ID. Calling it again at the same time
// with the result changes nothing.
//
// Neither silence nor maintenance is a recovery: meanwhile an incident stays as it is.
func Step(p Policy, known []Incident, signals []Signal, now time.Time) (changed []Incident) {
	keys := map[string][]Signal{}
	for _, s := range signals {
		key := s.Group + "/" + string(s.Kind)
		keys[key] = append(keys[key], s)
	}
	for _, i := range known { // also where its components are no longer configured
		if i.Automatic() && i.Open() && keys[i.OpenedBy] == nil {
			keys[i.OpenedBy] = []Signal{}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if i, is := (step{p, known, now}).key(key, keys[key]); is {
			changed = append(changed, i)
		}
	}
	return changed
}

// A step is one look of the machine.
type step struct {
	Policy
	known []Incident
	now   time.Time
}

// key looks at the signals of one group and kind, which share an incident.
func (s step) key(key string, signals []Signal) (Incident, bool) {
	mine, found := s.latest(key)
	open := found && mine.Open()
	var (
		bad  []trouble
		gone time.Time // when the latest component recovered
		blur bool      // a component of the incident is unknown or under maintenance
	)
	for _, x := range signals {
		t := look(x, s.now)
		member := open && mine.Names(x.Component)
		switch {
		case t.bad() && (member || s.ripe(t) && !s.handled(t)):
			bad = append(bad, t)
		case member && !t.bad() && t.now != report.Operational:
			blur = true
		case member && t.since.After(gone):
			gone = t.since
		}
	}
	switch {
	case open && len(bad) > 0:
		return s.worse(mine, bad)
	case open && !blur:
		return s.over(mine, gone)
	case open || len(bad) == 0:
		return Incident{}, false
	case found && s.now.Sub(mine.Resolved) < s.ReopenWithin:
		mine.Post(s.update(Investigating, text{bad, s.Zone}.returned(), bad))
		mine.Title = text{bad, s.Zone}.title()
		return mine, true
	}
	return s.opened(key, bad), true
}

// latest is the machine's latest incident of a key.
func (s step) latest(key string) (i Incident, found bool) {
	for _, k := range s.known {
		if k.Automatic() && k.OpenedBy == key && (!found || k.Open() || !i.Open() && k.Resolved.After(i.Resolved)) {
			i, found = k, true
		}
	}
	return i, found
}

// A trouble is how a signal is now.
type trouble struct {
	Signal
	now   report.Impact
	since time.Time // the trouble began, or ended
}

func (t trouble) bad() bool { return bad(t.now) }

func bad(i report.Impact) bool { return i.Rank() >= report.DegradedPerformance.Rank() }

// look says how a signal is now, and since when without a break that is known.
func look(x Signal, now time.Time) trouble {
	t := trouble{Signal: x, now: report.Operational}
	past := x.Line
	for len(past) > 0 && past[len(past)-1].At.After(now) {
		past = past[:len(past)-1]
	}
	if len(past) == 0 {
		return t
	}
	c := past[len(past)-1]
	t.now, t.since = c.State, c.At
	for n := len(past) - 2; n >= 0; n-- {
		switch was := past[n]; {
		case bad(c.State) && bad(was.State), c.State == was.State:
			t.since = was.At
		case bad(c.State) && was.State == report.Unknown: // trouble may go on in silence
		default:
			return t
		}
	}
	return t
}

// ripe reports whether trouble opens an incident, or joins one.
func (s step) ripe(t trouble) bool {
	return t.now == report.MajorOutage || s.now.Sub(t.since) >= s.After
}

// handled reports whether a person speaks of the trouble: in an incident that is open,
// or that was resolved after the trouble began.
func (s step) handled(t trouble) bool {
	return slices.ContainsFunc(s.known, func(i Incident) bool {
		return !i.Automatic() && i.Names(t.Component) && (i.Open() || t.bad() && i.Resolved.After(t.since))
	})
}

func (s step) opened(key string, bad []trouble) Incident {
	i := Incident{OpenedBy: key, Title: text{bad, s.Zone}.title(), Impact: report.Operational, Started: bad[0].since, Created: s.now}
	draft := false
	for _, t := range bad {
		draft = draft || t.Approval
		if t.since.Before(i.Started) {
			i.Started = t.since
		}
	}
	i.Ref = Ref(s.now, key)
	i.AfterCare = bad[0].Kind.afterCare()
	if !draft {
		i.Published = s.now
	}
	i.Post(s.update(Investigating, text{bad, s.Zone}.opened(i.Started), bad))
	return i
}

// worse updates an open incident while something is bad.
func (s step) worse(i Incident, bad []trouble) (Incident, bool) {
	said := map[string]report.Impact{}
	last := i.Updates[len(i.Updates)-1]
	for _, a := range last.Affected {
		said[a.Component] = a.Impact
	}
	worse, less := i.Status == Monitoring, len(bad) < len(said)
	for _, t := range bad {
		was, known := said[t.Component]
		worse = worse || !known || t.now.Rank() > was.Rank()
		less = less || t.now.Rank() < was.Rank()
	}
	x := text{bad, s.Zone}
	switch {
	case len(i.Updates) >= maxUpdates:
		return i, false
	case i.Status == Monitoring:
		i.Post(s.update(Investigating, x.returned(), bad))
	case worse:
		i.Post(s.update(i.Status, x.worsened(), bad))
	case less && s.now.Sub(last.At) >= improveEvery:
		i.Post(s.update(i.Status, x.improved(), bad))
	default:
		return i, false
	}
	if len(bad) == len(i.Components) { // where some have recovered, the title keeps them
		i.Title = x.title()
	}
	return i, true
}

// over updates an open incident while nothing is bad, since a time.
func (s step) over(i Incident, since time.Time) (Incident, bool) {
	last := i.Updates[len(i.Updates)-1]
	if since.IsZero() || since.Before(i.Started) {
		since = last.At // its components are gone, or their record was corrected
	}
	_, kind, _ := strings.Cut(i.OpenedBy, "/")
	switch well := s.now.Sub(since); {
	case well >= s.CloseAfter:
		i.Post(s.update(Resolved, resolved(i.Started, since, s.Zone), nil))
	case well >= s.After && i.Status != Monitoring && len(i.Updates) < maxUpdates:
		i.Post(s.update(Monitoring, Kind(kind).recovered(since, s.CloseAfter, s.Zone), nil))
	default:
		return i, false
	}
	return i, true
}

func (s step) update(status Status, body string, bad []trouble) Update {
	u := Update{Status: status, Body: body, At: s.now, Created: s.now}
	for _, t := range bad {
		u.Affected = append(u.Affected, Affected{Component: t.Component, Impact: t.now})
	}
	return u
}
