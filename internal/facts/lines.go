package facts

import (
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// Lines are the kernel log lines about one subject.
type Lines struct {
	Subject string
	N       uint64         // number of lines, including those logged before nodewatch started
	Latest  *node.Series   // the series of the latest line
	Series  []*node.Series // by class, peer and device
}

// LinesBy returns the lines of some classes by subject, from series whose latest line
// is less than d old. The function subject returns what a series is about, and whether
// it counts.
func (f *Facts) LinesBy(d time.Duration, subject func(*node.Series) (string, bool), classes ...kmsg.Class) []Lines {
	var list []Lines
	for _, class := range classes {
		for _, s := range f.Kernel.Of(class) {
			name, counts := subject(s)
			if !counts || f.Now.Sub(s.Last) >= d {
				continue
			}
			i := slices.IndexFunc(list, func(l Lines) bool { return l.Subject == name })
			if i < 0 {
				i = len(list)
				list = append(list, Lines{Subject: name, Latest: s})
			}
			l := &list[i]
			l.N += s.Total + s.History
			l.Series = append(l.Series, s)
			if s.Last.After(l.Latest.Last) {
				l.Latest = s
			}
		}
	}
	slices.SortFunc(list, func(a, b Lines) int { return human.ByNumber(a.Subject, b.Subject) })
	return list
}

// LinesOf returns the lines of a class with one of the details (none: all), from
// series whose latest line is less than d old, and whether there are any.
func (f *Facts) LinesOf(d time.Duration, class kmsg.Class, details ...string) (Lines, bool) {
	list := f.LinesBy(d, func(s *node.Series) (string, bool) {
		return "", len(details) == 0 || slices.Contains(details, s.Detail)
	}, class)
	if len(list) == 0 {
		return Lines{}, false
	}
	return list[0], true
}
