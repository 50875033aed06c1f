package incident

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Policy defines when incidents are opened and closed automatically.
type Policy struct {
	After        time.Duration // how long an impact below major outage opens no incident yet, and a recovery is not announced yet
	CloseAfter   time.Duration // minimum duration of recovery before an incident is resolved
	ReopenWithin time.Duration // trouble within this time after the resolution reopens the incident
	Zone         *time.Location
}

// A Signal is one kind of trouble that a public component can have, with its record.
// Maintenance in the record is not trouble.
type Signal struct {
	Component string // its id
	Name      string // the name that customers see
	Group     string // the id of its group
	Place     string // the name of its group
	Approval  bool   // incidents start as drafts
	Kind      Kind
	Line      uptime.Timeline
}

const (
	improveEvery = 5 * time.Minute // minimum time between updates that report an improvement
	maxUpdates   = 50              // automatic updates of one incident; after that it is only resolved
)

// LookBack is how long an incident that a person has resolved is remembered while its
// trouble continues.
const LookBack = 7 * 24 * time.Hour

// Step returns the incidents that change or are new. known must contain those that are
// open or were changed within LookBack; a new incident has no ID. A second call at the
// same time with the result changes nothing.
//
// All trouble of a component is in one incident, which components of its group with
// the same kind of trouble join. Neither silence nor maintenance is a recovery: an
// incident stays unchanged during them.
func Step(p Policy, known []Incident, signals []Signal, now time.Time) (changed []Incident) {
	s := step{Policy: p, known: known, now: now, components: map[string]*component{}}
	for _, x := range signals {
		s.add(signalState(x, now))
	}
	for _, i := range known {
		if !i.Automatic() || !i.Open() {
			continue
		}
		for _, a := range i.Components {
			if c := s.components[a.Component]; c != nil {
				c.told = true
			}
		}
	}
	for _, i := range known {
		if i.Automatic() && i.Open() {
			if i, is := s.follow(i); is {
				changed = append(changed, i)
			}
		}
	}
	return append(changed, s.begin()...)
}

// A step is one evaluation.
type step struct {
	Policy
	known      []Incident
	now        time.Time
	components map[string]*component
	order      []*component // in the order of the configuration
}

// A component is the current state of all signals of a public component.
type component struct {
	all  []trouble
	told bool // an open automatic incident names it
}

func (s *step) add(t trouble) {
	c := s.components[t.Component]
	if c == nil {
		c = &component{}
		s.components[t.Component] = c
		s.order = append(s.order, c)
	}
	c.all = append(c.all, t)
}

// lead returns the worst trouble of a component for which keep is true; false: there is
// none.
func (c *component) lead(keep func(trouble) bool) (t trouble, found bool) {
	for _, x := range c.all {
		if x.bad() && keep(x) && (!found || x.before(t)) {
			t, found = x, true
		}
	}
	return t, found
}

// before reports whether t sorts before u: the worst first, then by kind.
func (t trouble) before(u trouble) bool {
	if t.now != u.now {
		return t.now.Rank() > u.now.Rank()
	}
	return t.Kind.order() < u.Kind.order()
}

// begun returns when the trouble of a component began.
func (c *component) begun() (at time.Time) {
	for _, t := range c.all {
		if t.bad() && (at.IsZero() || t.since.Before(at)) {
			at = t.since
		}
	}
	return at
}

// joins returns the ripe trouble of a component that is in no incident; false: there
// is none.
func (s *step) joins(c *component) (trouble, bool) {
	if c.told || s.handled(c) {
		return trouble{}, false
	}
	return c.lead(s.ripe)
}

// follow updates an open incident.
func (s *step) follow(i Incident) (Incident, bool) {
	var (
		bad  []trouble
		gone time.Time // when the last component recovered
		blur bool      // a component of the incident is unknown or under maintenance
	)
	for _, c := range s.order {
		if !i.Names(c.all[0].Component) {
			if t, is := s.joins(c); is && t.key() == i.OpenedBy {
				c.told = true
				bad = append(bad, t)
			}
			continue
		}
		if t, is := c.lead(func(trouble) bool { return true }); is {
			bad = append(bad, t)
			continue
		}
		for _, t := range c.all {
			blur = blur || t.now != report.Operational
			if t.since.After(gone) {
				gone = t.since
			}
		}
	}
	sortTroubles(bad)
	switch {
	case len(bad) > 0:
		return s.worse(i, bad)
	case blur:
		return i, false
	}
	return s.over(i, gone)
}

func sortTroubles(list []trouble) {
	slices.SortStableFunc(list, func(a, b trouble) int {
		switch {
		case a.before(b):
			return -1
		case b.before(a):
			return 1
		}
		return 0
	})
}

// begin opens or reopens incidents for trouble that is in no incident.
func (s *step) begin() (list []Incident) {
	keys := map[string][]trouble{}
	for _, c := range s.order {
		if t, is := s.joins(c); is {
			keys[t.key()] = append(keys[t.key()], t)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		bad := keys[key]
		sortTroubles(bad)
		if i, is := s.recent(key, bad); is && !slices.ContainsFunc(list, func(x Incident) bool { return x.Ref == i.Ref }) {
			was := i.Impact
			i.Post(s.update(Investigating, text{bad, s.Zone}.returned(), bad))
			s.name(&i, was, bad)
			list = append(list, i)
			continue
		}
		list = append(list, s.opened(key, bad))
	}
	return list
}

// recent returns an incident that trouble reopens: it was resolved shortly before, and
// has the same key or names one of the components.
func (s *step) recent(key string, bad []trouble) (i Incident, found bool) {
	for _, k := range s.known {
		same := k.OpenedBy == key || slices.ContainsFunc(bad, func(t trouble) bool { return k.Names(t.Component) })
		if k.Automatic() && !k.Open() && same && s.now.Sub(k.Resolved) < s.ReopenWithin && (!found || k.Resolved.After(i.Resolved)) {
			i, found = k, true
		}
	}
	return i, found
}

// A trouble is the current state of a signal.
type trouble struct {
	Signal
	now   report.Impact
	since time.Time // when the trouble began or ended
}

func (t trouble) bad() bool { return bad(t.now) }

// key returns the key of an incident that the trouble opens.
func (t trouble) key() string { return t.Group + "/" + string(t.Kind) }

func bad(i report.Impact) bool { return i.Rank() >= report.DegradedPerformance.Rank() }

// signalState returns the current state of a signal, and since when it has lasted.
func signalState(x Signal, now time.Time) trouble {
	t := trouble{Signal: x, now: report.Operational}
	summary := x.Line
	for len(summary) > 0 && summary[len(summary)-1].At.After(now) {
		summary = summary[:len(summary)-1]
	}
	if len(summary) == 0 {
		return t
	}
	c := summary[len(summary)-1]
	t.now, t.since = c.State, c.At
	for n := len(summary) - 2; n >= 0; n-- {
		switch was := summary[n]; {
		case bad(c.State) && bad(was.State), c.State == was.State:
			t.since = was.At
		case bad(c.State) && was.State == report.Unknown: // trouble may continue during silence
		default:
			return t
		}
	}
	return t
}

// ripe reports whether trouble opens or joins an incident.
func (s *step) ripe(t trouble) bool {
	return t.now == report.MajorOutage || s.now.Sub(t.since) >= s.After
}

// handled reports whether a person has dealt with a component's trouble: in an incident
// that is open, or that was resolved after the trouble began.
func (s *step) handled(c *component) bool {
	id, since := c.all[0].Component, c.begun()
	return slices.ContainsFunc(s.known, func(i Incident) bool {
		return !i.Automatic() && i.Names(id) && (i.Open() || i.Resolved.After(since))
	})
}

func (s *step) opened(key string, bad []trouble) Incident {
	i := Incident{Ref: Ref(s.now, key), Impact: report.Operational, Started: bad[0].since, Created: s.now}
	draft := false
	for _, t := range bad {
		draft = draft || t.Approval
		if t.since.Before(i.Started) {
			i.Started = t.since
		}
	}
	if !draft {
		i.Published = s.now
	}
	i.Post(s.update(Investigating, text{bad, s.Zone}.opened(i.Started), bad))
	s.name(&i, report.Operational, bad)
	return i
}

// name sets the title and the after-care of an incident to those of the worst trouble
// that it has had; among equals, the kind that is named first decides. was is the
// previous impact. The title keeps components that have recovered.
func (s *step) name(i *Incident, was report.Impact, bad []trouble) {
	_, kind, _ := strings.Cut(i.OpenedBy, "/")
	worst, old := bad[0], Kind(kind)
	if worst.now.Rank() <= was.Rank() && (worst.now != i.Impact || worst.Kind.order() > old.order()) {
		return
	}
	if i.AfterCare == "" || i.AfterCare == old.afterCare() {
		i.AfterCare = worst.Kind.afterCare()
	}
	i.OpenedBy = worst.key()
	if len(bad) == len(i.Components) {
		i.Title = text{bad, s.Zone}.title()
	}
}

// worse updates an open incident while there is trouble.
func (s *step) worse(i Incident, bad []trouble) (Incident, bool) {
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
	x, was := text{bad, s.Zone}, i.Impact
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
	s.name(&i, was, bad)
	return i, true
}

// over updates an open incident that has had no trouble since a time.
func (s *step) over(i Incident, since time.Time) (Incident, bool) {
	last := i.Updates[len(i.Updates)-1]
	if since.IsZero() || since.Before(i.Started) {
		since = last.At // its components were removed, or their record was corrected
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

func (s *step) update(status Status, body string, bad []trouble) Update {
	u := Update{Status: status, Body: body, At: s.now, Created: s.now}
	for _, t := range bad {
		u.Affected = append(u.Affected, Affected{Component: t.Component, Impact: t.now})
	}
	return u
}
