package legacy

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// A census is what several rules ask of one and the same snapshot, worked out once.
// The Judge gives all rules of a tick the same one; without one a rule works it out
// by itself, and finds the same. What it gives must not be changed.
type census struct {
	lines    map[classWindow]*lostLines
	stalled  map[time.Duration][]*node.DiskIO
	exposed  *exposure // of all krbd devices
	everyone *users    // of all krbd devices
	storms   map[*stormLimits]storm
}

// LostLines are kept from tick to tick for their memory, which is large in a storm.
type lostLines struct {
	list    []lost
	counted bool // in this tick
}

type classWindow struct {
	class  kmsg.Class
	window time.Duration
}

// next is the census for another snapshot.
func (c *census) next() *census {
	n := &census{lines: map[classWindow]*lostLines{}, stalled: map[time.Duration][]*node.DiskIO{}, storms: map[*stormLimits]storm{}}
	if c == nil {
		return n
	}
	for key, l := range c.lines {
		if l.counted {
			n.lines[key] = &lostLines{list: l.list[:0]}
		}
	}
	return n
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
	if in.census == nil {
		return lostWithin(nil, in, class, d)
	}
	key := classWindow{class, d}
	l := in.census.lines[key]
	if l == nil {
		l = &lostLines{}
		in.census.lines[key] = l
	}
	if !l.counted {
		l.list, l.counted = lostWithin(l.list, in, class, d), true
	}
	return l.list
}

// lostWithin appends the lines to an empty list.
func lostWithin(list []lost, in Input, class kmsg.Class, d time.Duration) []lost {
	series := in.Kernel.Of(class)
	for _, s := range series {
		if in.Now.Sub(s.Last) > d+10*time.Second || !strings.HasPrefix(s.Peer, "osd") {
			continue
		}
		n := linesIn(s, in.Now, d)
		if n == 0 {
			continue
		}
		if cap(list) == 0 {
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

// stalledDisks are the krbd devices with requests in flight of which none has
// completed for at least that long, the five longest first. None is known while
// their counters cannot be read.
func stalledDisks(in Input, least time.Duration) []*node.DiskIO {
	if in.census == nil {
		return stalledFor(in, least)
	}
	list, known := in.census.stalled[least]
	if !known {
		list = stalledFor(in, least)
		in.census.stalled[least] = list
	}
	return slices.Clip(list)
}

// exposureOfAll is the exposure of all krbd devices.
func exposureOfAll(in Input) exposure {
	if in.census == nil {
		return exposureOf(in, in.Mapped.Value)
	}
	if in.census.exposed == nil {
		e := exposureOf(in, in.Mapped.Value)
		in.census.exposed = &e
	}
	return *in.census.exposed
}

// stormOf is what makes a storm by the limits, which two rules share.
func stormOf(in Input, l *stormLimits) storm {
	if in.census == nil {
		return l.look(in)
	}
	s, known := in.census.storms[l]
	if !known {
		s = l.look(in)
		in.census.storms[l] = s
	}
	return s
}
