package uptime

import "time"

// A Day is one local day of a page: 23, 24 or 25 hours.
type Day struct{ From, To time.Time }

// Days returns the last n local days in the zone, the current day last.
func Days(now time.Time, zone *time.Location, n int) []Day {
	y, m, d := now.In(zone).Date()
	days := make([]Day, n)
	for i := range days {
		days[i] = Day{From: time.Date(y, m, d-n+1+i, 0, 0, 0, 0, zone), To: time.Date(y, m, d-n+2+i, 0, 0, 0, 0, zone)}
	}
	return days
}
