package native

import "github.com/nodewatch/nodewatch/pkg/report"

// Write returns the body of r that a new Reporter would send within budget, and the
// number of waiting transitions.
func Write(c Config, r report.Report, budget int) (raw []byte, waiting int, err error) {
	q := &queue{}
	q.take(r)
	l, err := write(c, c.Every, q, r, next(0, r.At), budget)
	return l.raw, len(q.list), err
}

// Limits that tests need.
const (
	MostWaiting = mostWaiting
	LeastBody   = leastBody
	ShrunkFor   = shrunkFor
)
