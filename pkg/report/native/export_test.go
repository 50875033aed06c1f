package native

import "github.com/nodewatch/nodewatch/pkg/report"

// Write is the body that a new Reporter would send of r, if none may be larger
// than budget, and how many transitions wait.
func Write(c Config, r report.Report, budget int) (raw []byte, waiting int, err error) {
	q := &queue{}
	q.take(r)
	l, err := write(c, c.Every, q, r, next(0, r.At), budget)
	return l.raw, len(q.list), err
}

// What tests must know of the bounds.
const (
	MostWaiting = mostWaiting
	LeastBody   = leastBody
	ShrunkFor   = shrunkFor
)
