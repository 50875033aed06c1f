package rule

import (
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// A census is what several rules count in one and the same snapshot. The Judge
// gives all rules of a tick the same one; without one a rule counts by itself, and
// finds the same.
type census struct {
	lost map[classWindow][]lost
}

// A lost is how many lines of one series of an OSD there were lately, one or more.
type lost struct {
	osd  string
	line *node.Series
	last time.Time // of the series
	n    uint64
}

// lost are the lines of one class about OSDs within the last d, by name.
func (in Input) lost(class kmsg.Class, d time.Duration) []lost {
	key := classWindow{class, d}
	if in.census == nil {
		return lostWithin(in, class, d)
	}
	list, counted := in.census.lost[key]
	if !counted {
		list = lostWithin(in, class, d)
		if in.census.lost == nil {
			in.census.lost = map[classWindow][]lost{}
		}
		in.census.lost[key] = list
	}
	return list
}

type classWindow struct {
	class  kmsg.Class
	window time.Duration
}

func lostWithin(in Input, class kmsg.Class, d time.Duration) []lost {
	var list []lost
	series := in.Kernel.Of(class)
	for _, s := range series {
		if in.Now.Sub(s.Last) > d+10*time.Second || !strings.HasPrefix(s.Peer, "osd") {
			continue
		}
		n := linesIn(s, in.Now, d)
		if n == 0 {
			continue
		}
		if list == nil {
			list = make([]lost, 0, len(series))
		}
		list = append(list, lost{s.Peer, s, s.Last, n})
	}
	return list
}

// linesIn is how many lines there were in the last d. The second that is under way
// counts besides, so that lines less than d apart are never missed; beyond a minute
// ten seconds are one.
func linesIn(s *node.Series, now time.Time, d time.Duration) uint64 {
	if d < time.Minute {
		d += time.Second
	}
	return s.Within(now, d)
}
