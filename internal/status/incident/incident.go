// Package incident contains the incidents, updates, maintenance and post-mortems that
// customers see, and decides when incidents are opened, updated and closed
// automatically. It reads no clock and stores nothing.
package incident

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Status is the progress of work on an incident or a maintenance.
type Status string

// The statuses of an incident.
const (
	Investigating Status = "investigating"
	Identified    Status = "identified"
	Monitoring    Status = "monitoring"
	Resolved      Status = "resolved"
)

// Statuses returns the statuses of an incident, in order.
func Statuses() []Status { return []Status{Investigating, Identified, Monitoring, Resolved} }

// An Incident is one problem as customers see it.
type Incident struct {
	ID        int64  // 0: not stored yet
	Ref       string // name in its permanent address
	Title     string
	Impact    report.Impact // the worst impact so far
	Status    Status
	OpenedBy  string // GROUP/KIND for which it was opened automatically; empty: a person opened it
	Owner     string // the person who took it over; empty: updated automatically, if opened so
	Started   time.Time
	Resolved  time.Time // zero: it is open
	Created   time.Time
	Updated   time.Time
	Published time.Time // zero: a draft, for operators only
	Revision  int64     // increases whenever it is stored
	AfterCare string    // advice to customers after the incident, Markdown

	Components []Affected
	Updates    []Update // oldest first
	Postmortem Postmortem
}

// An Affected is a public component of an incident.
type Affected struct {
	Component string
	Impact    report.Impact
	Declared  bool // set by a person: the component has this state, whatever is measured
}

// An Update is one message of an incident or a maintenance.
type Update struct {
	ID       int64 // 0: not stored yet
	Status   Status
	Body     string // Markdown
	At       time.Time
	Created  time.Time
	Edited   time.Time // zero: never
	Author   string    // empty: written automatically
	Affected []Affected
}

// A Postmortem explains an incident afterwards.
type Postmortem struct {
	Body      string // Markdown; empty: there is none
	Author    string
	Created   time.Time
	Updated   time.Time
	Published time.Time // zero: a draft
}

// Ref returns a name for an address that is unlikely to be taken: the day, and five
// letters derived from the key.
func Ref(at time.Time, key string) string {
	sum := sha256.Sum256([]byte(at.UTC().Format(time.RFC3339Nano) + "\x00" + key))
	return at.UTC().Format("20060102") + "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))[:5]
}

// Open reports whether the incident is not resolved.
func (i Incident) Open() bool { return i.Status != Resolved }

// Public reports whether customers see the incident.
func (i Incident) Public() bool { return !i.Published.IsZero() }

// Automatic reports whether the incident is updated automatically.
func (i Incident) Automatic() bool { return i.OpenedBy != "" && i.Owner == "" }

// Names reports whether the incident names the component.
func (i Incident) Names(component string) bool {
	return slices.ContainsFunc(i.Components, func(a Affected) bool { return a.Component == component })
}

// Post adds an update, and its affected components to those of the incident.
func (i *Incident) Post(u Update) {
	at, _ := slices.BinarySearchFunc(i.Updates, u.At, func(x Update, at time.Time) int {
		if x.At.After(at) {
			return 1
		}
		return -1 // among updates with equal times, the one added last is last
	})
	latest := at == len(i.Updates)
	i.Updates = slices.Insert(slices.Clone(i.Updates), at, u)
	i.Updated = u.Created
	i.affect(u.Affected)
	if !latest {
		return
	}
	i.Status, i.Resolved = u.Status, time.Time{}
	if u.Status == Resolved {
		i.Resolved = u.At
	}
}

// Next returns the time for an update that follows all others: now, or the time of the
// latest update if its author's clock is ahead.
func (i Incident) Next(now time.Time) time.Time {
	if last := len(i.Updates) - 1; last >= 0 && i.Updates[last].At.After(now) {
		return i.Updates[last].At
	}
	return now
}

// TakeOver makes a person the owner of an automatic incident, once.
func (i *Incident) TakeOver(who string) {
	if i.Owner == "" {
		i.Owner = who
	}
}

// Edit replaces the text of an update; false: there is no such update.
func (i *Incident) Edit(update int64, body string, now time.Time) bool {
	n := slices.IndexFunc(i.Updates, func(u Update) bool { return u.ID == update })
	if n < 0 {
		return false
	}
	i.Updates = slices.Clone(i.Updates)
	i.Updates[n].Body, i.Updates[n].Edited = body, now
	return true
}

// affect records the impacts of components, and the worst of all.
func (i *Incident) affect(list []Affected) {
	i.Components = slices.Clone(i.Components)
	for _, a := range list {
		n := slices.IndexFunc(i.Components, func(x Affected) bool { return x.Component == a.Component })
		switch {
		case n < 0:
			i.Components = append(i.Components, a)
		case a.Declared:
			i.Components[n] = a
		default:
			i.Components[n].Impact = report.Worse(i.Components[n].Impact, a.Impact)
		}
		i.Impact = report.Worse(i.Impact, a.Impact)
	}
	slices.SortFunc(i.Components, func(a, b Affected) int { return strings.Compare(a.Component, b.Component) })
}

// Declared returns the state that people set for a component in open, public
// incidents; operational: there is none.
func Declared(list []Incident, component string) report.Impact {
	worst := report.Operational
	for _, i := range list {
		for _, a := range i.Components {
			if i.Open() && i.Public() && a.Declared && a.Component == component {
				worst = report.Worse(worst, a.Impact)
			}
		}
	}
	return worst
}
