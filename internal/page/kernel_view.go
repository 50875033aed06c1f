package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

const (
	maxEvents = 40
	maxPeers  = 4
	lately    = 10 * time.Minute
)

// A kernelView shows the contents of the kernel log.
type kernelView struct {
	Notes  []string
	Totals string
	Lost   string // empty: nothing was lost
	Events []eventView
	Known  bool // the log has been read
}

// An eventView shows one class of kernel lines.
type eventView struct {
	Class, Count, Peers, Text string
	Last                      moment
	Fresh                     bool // there were lines within ten minutes
}

func kernelOf(v judge.View) kernelView {
	l := v.Kernel
	k := kernelView{Notes: notes(v, node.SourceKmsg), Known: !l.Since.IsZero()}
	if !k.Known {
		return k
	}
	k.Totals = fmt.Sprintf("%s since %s", plural(l.Records, "record", "records"), hour(l.Since, v.Now))
	if l.Lost > 0 {
		k.Lost = fmt.Sprintf("%s lost, the latest at %s: counts are too low by at most this number",
			plural(l.Lost, "record was", "records were"), hour(l.LostAt, v.Now))
	}
	classes := slices.Clone(l.Classes)
	slices.SortStableFunc(classes, func(a, b node.Total) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.N, a.N))
	})
	for _, t := range classes[:min(len(classes), maxEvents)] {
		k.Events = append(k.Events, eventOf(v, t))
	}
	return k
}

func eventOf(v judge.View, t node.Total) eventView {
	e := eventView{Class: string(t.Class), Text: t.Text, Last: momentOf(t.Last, v.Now)}
	var counts []string
	fresh, peers := freshOf(v, t.Class)
	if fresh > 0 {
		e.Fresh, e.Peers = true, peers
		counts = append(counts, number(fresh)+" in 10 min")
	}
	if t.N > fresh {
		counts = append(counts, number(t.N)+" in all")
	}
	if t.History > 0 {
		counts = append(counts, number(t.History)+" before nodewatch started")
	}
	e.Count = strings.Join(counts, ", ")
	return e
}

// freshOf returns the number of lines of a class within ten minutes, and the peers
// that most of them name.
func freshOf(v judge.View, class kmsg.Class) (fresh uint64, peers string) {
	byPeer := map[string]uint64{}
	for _, s := range v.Kernel.Of(class) {
		n := s.Within(v.Now, lately)
		fresh += n
		if who := cmp.Or(s.Peer, s.Device); who != "" && n > 0 {
			byPeer[who] += n
		}
	}
	names := make([]string, 0, len(byPeer))
	for name := range byPeer {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(byPeer[b], byPeer[a]), cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names[:min(len(names), maxPeers)] {
		parts = append(parts, name+" "+number(byPeer[name]))
	}
	if more := len(names) - maxPeers; more > 0 {
		parts = append(parts, number(more)+" others")
	}
	return fresh, strings.Join(parts, ", ")
}
