package incident

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
)

// The statuses of a maintenance.
const (
	Scheduled  Status = "scheduled"
	InProgress Status = "in_progress"
	Verifying  Status = "verifying"
	Completed  Status = "completed"
	Cancelled  Status = "cancelled"
)

// A Maintenance is planned work as customers see it.
type Maintenance struct {
	ID        int64  // 0: not stored yet
	Ref       string // name in its permanent address
	Title     string
	Status    Status
	Impacting bool // components are under maintenance during the work, and its time does not count for uptime
	Starts    time.Time
	Ends      time.Time
	Began     time.Time // zero: not so far
	Finished  time.Time // zero: not so far
	Node      string    // the node that announced it; empty: a person did
	Created   time.Time
	Updated   time.Time
	Published time.Time // zero: a draft, for operators only
	Revision  int64     // increases whenever it is stored; SEQUENCE in calendars

	Components []string // public components or groups
	Updates    []Update // oldest first
}

// Over reports whether the maintenance is completed or cancelled.
func (m Maintenance) Over() bool { return m.Status == Completed || m.Status == Cancelled }

// Public reports whether customers see the maintenance.
func (m Maintenance) Public() bool { return !m.Published.IsZero() }

// Post adds an update and records when the work began and ended.
func (m *Maintenance) Post(u Update) {
	m.Updates = append(slices.Clip(m.Updates), u)
	m.Status, m.Updated = u.Status, u.Created
	running := u.Status == InProgress || u.Status == Verifying
	if running && m.Began.IsZero() {
		m.Began = u.At
	}
	m.Finished = time.Time{}
	if m.Over() {
		m.Finished = u.At
	}
}

// Window returns the time of the work that does not count for uptime; false: there is
// none. A node's own maintenance is in its record.
func (m Maintenance) Window() (uptime.Window, bool) {
	if !m.Impacting || !m.Public() || m.Began.IsZero() || m.Node != "" {
		return uptime.Window{}, false
	}
	w := uptime.Window{From: m.Began, To: m.Ends}
	if m.Over() {
		w.To = m.Finished
	}
	return w, w.From.Before(w.To)
}

// An Announced is a maintenance that a node reports for itself.
type Announced struct {
	Node       string   // its id
	Name       string   // name of its components, for customers
	Components []string // components that follow the node
	Since      time.Time
	Until      time.Time
}

// Advance returns the maintenances that begin, end or are new. known must contain
// those that are not over, and announced all that nodes report now. reporting reports
// whether it is known what a node announces.
func Advance(known []Maintenance, announced []Announced, reporting func(node string) bool, now time.Time) (changed []Maintenance) {
	for _, m := range known {
		n := slices.IndexFunc(announced, func(a Announced) bool { return a.Node == m.Node })
		switch {
		case m.Node != "" && n >= 0:
			if a := announced[n]; !a.Until.Equal(m.Ends) {
				m.Ends, m.Updated = a.Until, now
				changed = append(changed, m)
			}
		case m.Node != "" && (reporting(m.Node) || !now.Before(m.Ends)), m.Node == "" && m.Public() && m.Status != Scheduled &&
			!now.Before(m.Ends):
			m.Post(Update{Status: Completed, Body: "The maintenance is completed.", At: now, Created: now})
			changed = append(changed, m)
		case m.Node == "" && m.Public() && m.Status == Scheduled && !now.Before(m.Starts):
			m.Post(Update{Status: InProgress, Body: "The maintenance has begun.", At: m.Starts, Created: now})
			if !now.Before(m.Ends) { // no hub was running meanwhile
				m.Post(Update{Status: Completed, Body: "The maintenance is completed.", At: m.Ends, Created: now})
			}
			changed = append(changed, m)
		}
	}
	for _, a := range announced {
		if len(a.Components) == 0 || slices.ContainsFunc(known, func(m Maintenance) bool { return m.Node == a.Node }) {
			continue
		}
		m := Maintenance{
			Ref: Ref(now, a.Node), Title: "Maintenance: " + a.Name, Impacting: true, Starts: a.Since, Ends: a.Until, Node: a.Node,
			Created: now, Published: now, Components: slices.Sorted(slices.Values(a.Components)),
		}
		m.Post(Update{Status: InProgress, Body: "Work on " + plain(a.Name) + " is in progress. Servers there may be restarted or moved.",
			At: a.Since, Created: now})
		changed = append(changed, m)
	}
	slices.SortStableFunc(changed, func(a, b Maintenance) int { return strings.Compare(a.Ref, b.Ref) })
	return changed
}
