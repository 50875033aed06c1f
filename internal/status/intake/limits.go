package intake

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimits is how many senders are kept apart.
const maxLimits = 20000

// limits hold back who sends too often.
type limits struct {
	rate rate.Limit

	mu sync.Mutex
	of map[string]*rate.Limiter
}

func newLimits(perSecond float64) *limits {
	return &limits{rate: rate.Limit(perSecond), of: map[string]*rate.Limiter{}}
}

// allow reports whether the sender may make a request now.
func (l *limits) allow(sender string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.of[sender]
	if x == nil {
		if len(l.of) >= maxLimits {
			l.forget(now)
		}
		x = rate.NewLimiter(l.rate, burst)
		l.of[sender] = x
	}
	return x.AllowN(now, 1)
}

// forget drops the senders that have not sent for long: a new limiter says the same.
func (l *limits) forget(now time.Time) {
	for sender, x := range l.of {
		if x.TokensAt(now) >= burst {
			delete(l.of, sender)
		}
	}
}
