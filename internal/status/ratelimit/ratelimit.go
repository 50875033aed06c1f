// Package ratelimit limits the request rate of each sender separately, in bounded
// memory.
package ratelimit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits limits the rate of each sender. Its methods are safe for concurrent use.
type Limits struct {
	rate       rate.Limit
	burst, max int

	mu sync.Mutex
	of map[string]*rate.Limiter
}

// New returns Limits of perSecond requests of one sender, with bursts of burst
// requests, for at most max senders.
func New(perSecond float64, burst, max int) *Limits {
	return &Limits{rate: rate.Limit(perSecond), burst: burst, max: max, of: map[string]*rate.Limiter{}}
}

// Allow reports whether the sender may make a request now. If there are too many
// senders, those that have had time to recover are dropped first; if there are none,
// the sender has to wait.
func (l *Limits) Allow(sender string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.of[sender]
	if x == nil {
		if len(l.of) >= l.max {
			l.forget(now)
		}
		if len(l.of) >= l.max {
			return false
		}
		x = rate.NewLimiter(l.rate, l.burst)
		l.of[sender] = x
	}
	return x.AllowN(now, 1)
}

// forget drops the senders that have recovered: a new limiter decides the same.
func (l *Limits) forget(now time.Time) {
	for sender, x := range l.of {
		if x.TokensAt(now) >= float64(l.burst) {
			delete(l.of, sender)
		}
	}
}
