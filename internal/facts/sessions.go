package facts

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// Settle is how long after an OSD went down closed sessions are attributed to that: a
// node may have many clients, and each is notified at a different time.
const Settle = 10 * time.Second

// Reasons are the reasons why sessions end or are refused, in display order.
var Reasons = [...]kmsg.Reason{
	kmsg.ReasonCRC, kmsg.ReasonAuthTag, kmsg.ReasonSparseRead, kmsg.ReasonClosed, kmsg.ReasonSocket, kmsg.ReasonProtocol,
	kmsg.ReasonSequence, kmsg.ReasonMemory, kmsg.ReasonReset,
	kmsg.ReasonConnect, kmsg.ReasonClosedEarly, kmsg.ReasonWrongPeer, kmsg.ReasonAuthentication, kmsg.ReasonFeatures, kmsg.ReasonVersion,
}

// reasonIndex returns the index of a reason in Reasons.
func reasonIndex(r kmsg.Reason) int {
	for i := range Reasons {
		if Reasons[i] == r {
			return i
		}
	}
	return len(Reasons) - 1
}

// The indexes of reasons that are counted together.
var (
	firstBroken, lastBroken = reasonIndex(kmsg.ReasonCRC), reasonIndex(kmsg.ReasonSparseRead)
	firstEnded, lastEnded   = reasonIndex(kmsg.ReasonClosed), reasonIndex(kmsg.ReasonReset)

	firstUnanswered, lastUnanswered = reasonIndex(kmsg.ReasonConnect), reasonIndex(kmsg.ReasonWrongPeer)
	firstRefused, lastRefused       = reasonIndex(kmsg.ReasonAuthentication), reasonIndex(kmsg.ReasonVersion)
)

// sumOf returns the sum of the counts of a range of indexes.
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

// OSDLosses are the lost and refused sessions of one OSD.
type OSDLosses struct {
	OSD      string       // "osd17"
	latest   *node.Series // the series of the latest line
	attempts uint64       // number of socket errors that were failed attempts to connect
	N        [len(Reasons)]uint32
	Total    uint64 // sum over all reasons
	Damaged  uint64 // number of CRC failures in a part other than the data
	Seconds  int    // most seconds of one minute in which sessions ended for the same reason other than a CRC failure
}

// Addr returns the OSD's address from the latest line; empty: not named.
func (o *OSDLosses) Addr() string { return o.latest.Addr }

// Text returns the latest line.
func (o *OSDLosses) Text() string { return o.latest.Text }

// Last returns when the latest line was logged.
func (o *OSDLosses) Last() time.Time { return o.latest.Last }

// ID returns the OSD's number, as the ceph commands accept it.
func (o *OSDLosses) ID() string { return strings.TrimPrefix(o.OSD, "osd") }

// Host returns the IP of the OSD's address; empty: unknown.
func (o *OSDLosses) Host() string { return hostPart(o.Addr()) }

// Of returns the number of sessions that ended for one of the reasons.
func (o *OSDLosses) Of(reasons ...kmsg.Reason) uint64 {
	n := uint64(0)
	for _, r := range reasons {
		n += uint64(o.N[reasonIndex(r)])
	}
	return n
}

// Broken returns the number of working sessions that were lost because received data
// was invalid: a checksum, a tag, a sparse-read reply. A restart of an OSD does not
// cause that.
func (o *OSDLosses) Broken() uint64 {
	return o.sumOf(firstBroken, lastBroken)
}

// Ended returns the number of working sessions that were lost for any other reason.
func (o *OSDLosses) Ended() uint64 {
	return o.sumOf(firstEnded, lastEnded) - o.attempts
}

// Unanswered returns the number of connections that could not be established.
func (o *OSDLosses) Unanswered() uint64 {
	return o.sumOf(firstUnanswered, lastUnanswered) + o.attempts
}

// Refused returns the number of sessions that the OSD refused: it responds, but does
// not accept this client.
func (o *OSDLosses) Refused() uint64 {
	return o.sumOf(firstRefused, lastRefused)
}

// All returns the number of sessions that ended or were refused.
func (o *OSDLosses) All() uint64 {
	return o.Total
}

// SessionLosses returns the sessions with OSDs that ended or were refused in the last
// d (with a resolution of one second up to a minute, and of ten seconds up to ten
// minutes). If an OSD went down in that time, sessions that ended within ten seconds
// of that are left out, because its restart ended them.
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
	osd    int // index in lossLines.osds
	series *node.Series
	reason int // index in Reasons
}

// lossLines are the lines of the last ten minutes, and the OSDs they name, by number.
type lossLines struct {
	osds   []string
	opened []bool // by OSD: sessions are established between its socket errors
	lines  []lossLine
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
			at := next // each class names the OSDs in the same order, and often the same OSDs
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
	l.opened = f.findOpened(l)
	return l
}

// Unopened returns SessionLosses if the log shows that a session may not have been opened,
// or was refused, in the last d; otherwise none.
func (f *Facts) Unopened(d time.Duration) *Losses {
	for _, line := range f.lossLines().lines {
		if (line.reason >= firstUnanswered || line.reason == socket) && f.Now.Sub(line.series.Last) <= d+10*time.Second {
			return f.SessionLosses(d)
		}
	}
	return &Losses{Window: d}
}

func (f *Facts) findLosses(d time.Duration) *Losses {
	all := f.lossLines()
	l := &Losses{Window: d, OSDs: make([]*OSDLosses, 0, len(all.osds))}
	list := make([]OSDLosses, len(all.osds))
	down, window, clients := f.wentDown(d), f.Kernel.Window(f.Now, d), f.KernelClients()
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
			if !all.opened[i] {
				list[i].attempts = list[i].failedAttempts(clients)
			}
			l.OSDs = append(l.OSDs, &list[i])
		}
	}
	return l
}

// add adds the n lines of a series within the window, which were logged in the given
// number of different seconds.
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

// wentDown returns the OSDs that went down within d, and when they last did.
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

// LossesIn returns how many sessions with OSDs ended or were refused, for any reason,
// in a second of the last minute, given as Unix time.
func (f *Facts) LossesIn(second int64) uint64 {
	n := uint64(0)
	all := f.lossLines()
	for i := range all.lines {
		n += all.lines[i].series.In(second)
	}
	return n
}

// FirstLoss returns the start of the run of lost working sessions that contains the
// latest loss; the losses of a run are at most a minute apart. Zero: none was lost
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

// LastLoss returns when a session with an OSD last ended or was refused while
// nodewatch was running; zero: never.
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

// hostPart returns an address without its port, in its original spelling.
func hostPart(addr string) string { return addr[:max(0, strings.LastIndexByte(addr, ':'))] }
