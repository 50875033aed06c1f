package page

import "time"

// A Month contains the incidents and maintenances that began in it.
type Month struct {
	Path         string // such as 2026-11
	Name         string // such as November 2026
	Incidents    []Incident
	Maintenances []Maintenance // maintenances that are over
}

// recentMonths is the number of months on the first page, the current one included.
const recentMonths = 3

// Months returns the months from now back to the first one with an incident, in the
// page's zone.
func (s Snapshot) Months() (list []Month) {
	oldest := s.At
	for _, i := range s.Incidents {
		if i.Started.Before(oldest) {
			oldest = i.Started
		}
	}
	for _, m := range s.Maintenances {
		if m.Starts.Before(oldest) {
			oldest = m.Starts
		}
	}
	last := s.month(oldest)
	for n := 0; n < recentMonths || s.month(s.before(n)) >= last; n++ {
		at := s.before(n)
		m := Month{Path: s.month(at), Name: at.Format("January 2006")}
		m.Incidents = filter(s.Incidents, func(i Incident) bool { return s.month(i.Started) == m.Path })
		m.Maintenances = filter(s.Maintenances, func(x Maintenance) bool { return x.Over() && s.month(x.Starts) == m.Path })
		list = append(list, m)
	}
	return list
}

// recent returns the months of the first page.
func (s Snapshot) recent() []Month { return s.Months()[:recentMonths] }

// before returns the beginning of the month n months before the current one.
func (s Snapshot) before(n int) time.Time {
	y, m, _ := s.At.In(s.Zone).Date()
	return time.Date(y, m-time.Month(n), 1, 0, 0, 0, 0, s.Zone)
}

func (s Snapshot) month(at time.Time) string { return at.In(s.Zone).Format("2006-01") }
