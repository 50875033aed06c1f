package facts

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// Settle is how long after an OSD went down sessions with it are still closed for
// that: a node may have many clients, and each hears of it in its own time.
const Settle = 10 * time.Second

// Reasons are why sessions end or are refused, in the order in which they are named.
var Reasons = [...]kmsg.Reason{
	kmsg.ReasonCRC, kmsg.ReasonAuthTag, kmsg.ReasonSparseRead, kmsg.ReasonClosed, kmsg.ReasonSocket, kmsg.ReasonProtocol,
	kmsg.ReasonSequence, kmsg.ReasonMemory, kmsg.ReasonReset,
	kmsg.ReasonConnect, kmsg.ReasonClosedEarly, kmsg.ReasonWrongPeer, kmsg.ReasonAuthentication, kmsg.ReasonFeatures, kmsg.ReasonVersion,
}

// reasonIndex is the place of a reason in Reasons.
func reasonIndex(r kmsg.Reason) int {
	for i := range Reasons {
		if Reasons[i] == r {
			return i
		}
	}
	return len(Reasons) - 1
}

// The places of the reasons that are asked for together.
var (
	firstBroken, lastBroken = reasonIndex(kmsg.ReasonCRC), reasonIndex(kmsg.ReasonSparseRead)
	firstEnded, lastEnded   = reasonIndex(kmsg.ReasonClosed), reasonIndex(kmsg.ReasonReset)

	firstUnanswered, lastUnanswered = reasonIndex(kmsg.ReasonConnect), reasonIndex(kmsg.ReasonWrongPeer)
	firstRefused, lastRefused       = reasonIndex(kmsg.ReasonAuthentication), reasonIndex(kmsg.ReasonVersion)
)

// sumOf is the sum of the counts from one place to another.
func (o *OSDLosses) sumOf(first, last int) uint64 {
	n := uint64(0)
	for _, of := range o.N[first : last+1] {
		n += uint64(of)
	}
	return n
}

// sessionClasses are the classes of lines that end or refuse a session.
var sessionClasses = [...]kmsg.Class{
	kmsg.CRC, kmsg.Integrity, kmsg.ClosedOpen, kmsg.SocketError, kmsg.ProtocolFault, kmsg.NoMemory, kmsg.SessionReset,
	kmsg.ConnectError, kmsg.Closed, kmsg.AuthFault, kmsg.WrongPeer,
}

// Losses are the sessions with OSDs that ended, or were refused, within a window.
type Losses struct {
	Window time.Duration
	OSDs   []*OSDLosses // by number
}

// OSDLosses are those of one OSD.
type OSDLosses struct {
	OSD     string       // "osd17"
	latest  *node.Series // the series of the latest line
	N       [len(Reasons)]uint32
	Total   uint64 // of all reasons
	Damaged uint64 // of those lost to a CRC failure: in another part than the data
	Seconds int    // the most different seconds of the window, at most a minute, in which a session ended for one reason other than a CRC failure
}

// Addr is the OSD's address by the latest line; empty: not said.
func (o *OSDLosses) Addr() string { return o.latest.Addr }

// Text is the latest line.
func (o *OSDLosses) Text() string { return o.latest.Text }

// Last is when the latest line was logged.
func (o *OSDLosses) Last() time.Time { return o.latest.Last }

// ID is the OSD's number, as ceph's commands take it.
func (o *OSDLosses) ID() string { return strings.TrimPrefix(o.OSD, "osd") }

// Host is the IP of the OSD's address; empty: not known.
func (o *OSDLosses) Host() string { return hostPart(o.Addr()) }

// Of is how many sessions ended for one of the reasons.
func (o *OSDLosses) Of(reasons ...kmsg.Reason) uint64 {
	n := uint64(0)
	for _, r := range reasons {
		n += uint64(o.N[reasonIndex(r)])
	}
	return n
}

// Broken is how many working sessions were lost because what arrived could not be
// believed: a checksum, a tag, a sparse-read reply. No OSD that restarts does that.
func (o *OSDLosses) Broken() uint64 {
	return o.sumOf(firstBroken, lastBroken)
}

// Ended is how many working sessions were lost for any other reason.
func (o *OSDLosses) Ended() uint64 {
	return o.sumOf(firstEnded, lastEnded)
}

// Unanswered is how many connections could not be made.
func (o *OSDLosses) Unanswered() uint64 {
	return o.sumOf(firstUnanswered, lastUnanswered)
}

// Refused is how many sessions the OSD refused: it answers, and does not let this
// client in.
func (o *OSDLosses) Refused() uint64 {
	return o.sumOf(firstRefused, lastRefused)
}

// All is how many sessions ended or were refused.
func (o *OSDLosses) All() uint64 {
	return o.Total
}

// SessionLosses returns the sessions with OSDs that ended or were refused in the
// last d (to the second up to a minute, to ten seconds up to ten minutes). Of an OSD
// that went down meanwhile, sessions that ended within ten seconds of that are left
// out: its restart ended them.
func (f *Facts) SessionLosses(d time.Duration) *Losses {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, known := f.losses[d]
	if !known {
		l = f.findLosses(d)
		f.losses[d] = l
	}
	return l
}

// A lossLine is one series of lines that end or refuse sessions with one OSD.
type lossLine struct {
	osd    int // place in lossLines.osds
	series *node.Series
	reason int // place in Reasons
}

// lossLines are those of the last ten minutes, and the OSDs they name, by number.
type lossLines struct {
	osds  []string
	lines []lossLine
}

func (f *Facts) findLossLines() lossLines {
	var l lossLines
	series := 0
	for _, class := range sessionClasses {
		series += len(f.Kernel.Of(class))
	}
	l.lines, l.osds = make([]lossLine, 0, series), make([]string, 0, series)
	place := make(map[string]int, series/2)
	for _, class := range sessionClasses {
		detail, reason, next := "?", kmsg.Reason(""), 0
		for _, s := range f.Kernel.Of(class) {
			if s.Total == 0 || !isOSD(s.Peer) || f.Now.Sub(s.Last) > recently+10*time.Second {
				continue
			}
			if s.Detail != detail {
				detail, reason = s.Detail, kmsg.SessionReason(class, s.Detail)
			}
			if reason == "" {
				continue
			}
			at := next // each class names the OSDs in one order, and often the same ones
			if at >= len(l.osds) || l.osds[at] != s.Peer {
				var known bool
				if at, known = place[s.Peer]; !known {
					at = len(l.osds)
					place[s.Peer] = at
					l.osds = append(l.osds, s.Peer)
				}
			}
			next = at + 1
			l.lines = append(l.lines, lossLine{at, s, reasonIndex(reason)})
		}
	}
	order := make([]int, len(l.osds))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return human.ByNumber(l.osds[a], l.osds[b]) })
	sorted, rank := make([]string, len(order)), make([]int, len(order))
	for i, was := range order {
		sorted[i], rank[was] = l.osds[was], i
	}
	for i := range l.lines {
		l.lines[i].osd = rank[l.lines[i].osd]
	}
	l.osds = sorted
	return l
}

// Unopened are SessionLosses if some session could not be opened or was refused in
// the last d; else none.
func (f *Facts) Unopened(d time.Duration) *Losses {
	for _, line := range f.lossLines().lines {
		if line.reason >= firstUnanswered && f.Now.Sub(line.series.Last) <= d+10*time.Second {
			return f.SessionLosses(d)
		}
	}
	return &Losses{Window: d}
}

func (f *Facts) findLosses(d time.Duration) *Losses {
	all := f.lossLines()
	l := &Losses{Window: d, OSDs: make([]*OSDLosses, 0, len(all.osds))}
	list := make([]OSDLosses, len(all.osds))
	down, window := f.wentDown(d), f.Kernel.Window(f.Now, d)
	for i := range all.lines {
		line := &all.lines[i]
		n, seconds := window.Of(line.series)
		if len(down) > 0 && line.series.Class != kmsg.CRC && line.series.Class != kmsg.Integrity {
			if at, went := down[line.series.Peer]; went {
				within := max(0, min(d, f.Now.Sub(at.Add(Settle)).Truncate(time.Second)))
				n, seconds = line.series.Within(f.Now, within), 0
				if within <= time.Minute {
					seconds = line.series.SecondsWithin(f.Now, within)
				}
			}
		}
		if n > 0 {
			list[line.osd].add(line, n, seconds)
		}
	}
	for i := range list {
		if list[i].Total > 0 {
			list[i].OSD = all.osds[i]
			l.OSDs = append(l.OSDs, &list[i])
		}
	}
	return l
}

// add adds the n lines of a series within the window, which fell into so many seconds.
func (o *OSDLosses) add(line *lossLine, n uint64, seconds int) {
	s := line.series
	o.N[line.reason] += uint32(min(n, 1<<31))
	o.Total += n
	switch {
	case line.reason == firstBroken && s.Detail != "" && s.Detail != "data":
		o.Damaged += n
	case line.reason != firstBroken && line.reason <= lastEnded && n > 1:
		o.Seconds = max(o.Seconds, seconds)
	}
	if o.latest == nil || !s.Last.Before(o.latest.Last) {
		o.latest = s
	}
}

// wentDown are the OSDs that went down within d, and when they last did.
func (f *Facts) wentDown(d time.Duration) map[string]time.Time {
	var down map[string]time.Time
	for _, class := range [...]kmsg.Class{kmsg.OSDDown, kmsg.OSDGone} {
		for _, s := range f.Kernel.Of(class) {
			if f.Now.Sub(s.Last) > d {
				continue
			}
			if down == nil {
				down = map[string]time.Time{}
			}
			down[s.Peer] = Later(down[s.Peer], s.Last)
		}
	}
	return down
}

// LossesIn is how many sessions with OSDs ended or were refused, whatever the reason,
// in a second of the last minute, given as Unix time.
func (f *Facts) LossesIn(second int64) uint64 {
	n := uint64(0)
	all := f.lossLines()
	for i := range all.lines {
		n += all.lines[i].series.In(second)
	}
	return n
}

// FirstLoss is when the run of lost working sessions began that the latest of them
// belongs to, where none has been further apart than a minute; zero: none was lost
// within two minutes.
func (f *Facts) FirstLoss() time.Time { return f.firstLoss() }

func (f *Facts) findFirstLoss() time.Time {
	var first time.Time
	all := f.lossLines()
	for i := range all.lines {
		s := all.lines[i].series
		if f.Now.Sub(s.Last) > 2*time.Minute || Reasons[all.lines[i].reason].Refused() {
			continue
		}
		if at := s.Burst(f.Now, time.Minute); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// LastLoss is when a session with an OSD last ended or was refused, live; zero: never.
func (f *Facts) LastLoss() time.Time {
	var last time.Time
	for _, line := range f.lossLines().lines {
		last = Later(last, line.series.Last)
	}
	if !last.IsZero() {
		return last
	}
	for _, class := range sessionClasses {
		for _, s := range f.Kernel.Of(class) {
			if s.Total > 0 && isOSD(s.Peer) && kmsg.SessionReason(class, s.Detail) != "" {
				last = Later(last, s.Last)
			}
		}
	}
	return last
}

func isOSD(peer string) bool { return strings.HasPrefix(peer, "osd") }

// hostPart is an address without its port, as it is written.
func hostPart(addr string) string { return addr[:max(0, strings.LastIndexByte(addr, ':'))] }
