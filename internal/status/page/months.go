package page

import "time"

// A Month is the incidents and maintenances that began in one.
type Month struct {
	Path         string // such as 2026-11
	Name         string // such as November 2026
	Incidents    []Incident
	Maintenances []Maintenance // that are over
}

// months that the first page shows, that of now included.
const recentMonths = 3

// Months are the months from now back to the first one with an incident, in the page's
// zone.
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

// recent are the months of the first page.
func (s Snapshot) recent() []Month { return s.Months()[:recentMonths] }

// before is the first of the month that is n months before now.
func (s Snapshot) before(n int) time.Time {
	y, m, _ := s.At.In(s.Zone).Date()
	return time.Date(y, m-time.Month(n), 1, 0, 0, 0, 0, s.Zone)
}

func (s Snapshot) month(at time.Time) string { return at.In(s.Zone).Format("2006-01") }
