package node

import "time"

// MappedAt returns when the i-th device of Mapped.Value was mapped, which is the time
// of the reading that found the mapping; zero: before nodewatch started.
func (s Snapshot) MappedAt(i int) time.Time { return s.mappedSince[i].at }

// Burst returns the start of the run of live lines that contains the series' latest
// line: within a run, consecutive lines are at most gap apart. Its resolution is one
// second within the last minute or if the series began with the run, otherwise 10 s,
// and it is at most ten minutes ago. Zero if there was none.
func (s *Series) Burst(now time.Time, gap time.Duration) time.Time {
	tens, seconds := s.recent.tens.ring(s.column), s.recent.seconds.ring(s.column)
	slot, found := tens.run(now.Unix()/10, int64(gap/(10*time.Second)))
	if !found {
		return time.Time{}
	}
	start := time.Unix(10*slot, 0).UTC()
	if !s.First.Before(start) {
		return s.First
	}
	if second, found := seconds.first(now.Unix(), now.Unix()-10*slot+1); found && now.Unix()-10*slot < ringLen {
		return time.Unix(second, 0).UTC()
	}
	return start
}

// run returns the earliest slot of the run, up to now, that contains the latest
// counted slot, and whether anything was counted. Consecutive slots of a run are at
// most gap slots apart.
func (r *Ring) run(now, gap int64) (first int64, found bool) {
	for slot := min(now, r.head); slot >= max(now-ringLen+1, r.head-ringLen+1, 0); slot-- {
		switch {
		case r.at(slot) > 0:
			first, found = slot, true
		case found && first-slot >= max(gap, 1):
			return first, true
		}
	}
	return first, found
}
