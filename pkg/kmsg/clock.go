package kmsg

import (
	"time"

	"golang.org/x/sys/unix"
)

// A Clock is where a Reader takes the time from.
type Clock struct {
	// Now is the wall time. It needs to be the real one (or a test's bubble's):
	// deadlines of reads are reckoned from it.
	Now func() time.Time
	// Monotonic is the time since boot without suspend, as CLOCK_MONOTONIC
	// counts it. nil: that clock.
	Monotonic func() time.Duration
}

// monotonic reads CLOCK_MONOTONIC, which cannot fail.
func monotonic() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

// How long a skew that was seen is believed. The two clocks drift apart by
// seconds in months, so that within this they differ by less than a millisecond.
const skewAge = 15 * time.Minute

// A skew is how far the kernel's log clock (local_clock, which NTP does not slew)
// is behind CLOCK_MONOTONIC. A record is stamped before it is received, so the
// smallest difference is the most accurate one, and using it puts no record in the
// future. It expires after skewAge because the clocks drift.
type skew struct {
	now, before time.Duration // smallest of this period and of the one before it
	since       time.Duration // when this period began
	known       bool
}

// observe adds the difference between the monotonic time at which a record was
// received and its stamp.
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

// least returns the skew, and 0 as long as none is known.
func (s *skew) least() time.Duration { return min(s.now, s.before) }
