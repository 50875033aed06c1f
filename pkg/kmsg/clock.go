package kmsg

import (
	"time"

	"golang.org/x/sys/unix"
)

// A Clock is a Reader's source of time.
type Clock struct {
	// Now returns the wall time. It must be the real time (or that of a test's
	// bubble), because read deadlines are derived from it.
	Now func() time.Time
	// Monotonic returns the time since boot without suspend, as CLOCK_MONOTONIC
	// counts it. If nil, that clock is used.
	Monotonic func() time.Duration
}

// monotonic reads CLOCK_MONOTONIC, which cannot fail.
func monotonic() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

// The validity period of an observed skew. The two clocks drift apart by seconds in
// months, so within this period by less than a millisecond.
const skewAge = 15 * time.Minute

// A skew is how far the kernel's log clock (local_clock, which NTP does not slew) is
// behind CLOCK_MONOTONIC. A record is stamped before it is received, so the smallest
// difference is the most accurate one, and with it no record is in the future. It
// expires after skewAge because the clocks drift.
type skew struct {
	now, before time.Duration // smallest difference of this period and of the previous one
	since       time.Duration // start of this period
	known       bool
}

// observe adds the difference between the monotonic time at which a record was
// received and its timestamp.
func (s *skew) observe(received, stamp time.Duration) {
	d := received - stamp
	switch {
	case !s.known:
		*s = skew{d, d, received, true}
	case received-s.since > skewAge:
		*s = skew{d, s.now, received, true}
	default:
		s.now = min(s.now, d)
	}
}

// least returns the skew, or 0 while it is unknown.
func (s *skew) least() time.Duration { return min(s.now, s.before) }
