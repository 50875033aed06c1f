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
	kmsg.ReasonConnect, kmsg.ReasonClosedEarly, kmsg.ReasonAuthentication, kmsg.ReasonFeatures, kmsg.ReasonVersion, kmsg.ReasonWrongPeer,
}

func reasonIndex(r kmsg.Reason) int { return slices.Index(Reasons[:], r) }

// sessionClasses are the classes of lines that end or refuse a session.
var sessionClasses = [...]kmsg.Class{
	kmsg.CRC, kmsg.Integrity, kmsg.ClosedOpen, kmsg.SocketError, kmsg.ProtocolFault, kmsg.NoMemory, kmsg.SessionReset,
	kmsg.ConnectError, kmsg.Closed, kmsg.AuthFault, kmsg.WrongPeer,
}

// Losses are the sessions with OSDs that ended, or were refused, within a window.
type Losses struct {
	Window time.Duration
	OSDs   []OSDLosses // by number
}

// OSDLosses are those of one OSD.
type OSDLosses struct {
	OSD     string // "osd17"
	Addr    string // of the latest line; empty: not said
	Text    string // of the latest line
	Last    time.Time
	N       [len(Reasons)]uint64
	Damaged uint64 // of those lost to a CRC failure: in another part than the data
	Seconds int    // the most different seconds in which a session ended for one reason other than a CRC failure
}

// ID is the OSD's number, as ceph's commands take it.
func (o *OSDLosses) ID() string { return strings.TrimPrefix(o.OSD, "osd") }

// Host is the IP of the OSD's address; empty: not known.
func (o *OSDLosses) Host() string { return hostPart(o.Addr) }

// Of is how many sessions ended for one of the reasons.
func (o *OSDLosses) Of(reasons ...kmsg.Reason) uint64 {
	n := uint64(0)
	for _, r := range reasons {
		n += o.N[reasonIndex(r)]
	}
	return n
}

// Broken is how many working sessions were lost because what arrived could not be
// believed: a checksum, a tag, a sparse-read reply. No OSD that restarts does that.
func (o *OSDLosses) Broken() uint64 {
	return o.Of(kmsg.ReasonCRC, kmsg.ReasonAuthTag, kmsg.ReasonSparseRead)
}

// Ended is how many working sessions were lost for any other reason.
func (o *OSDLosses) Ended() uint64 {
	return o.Of(kmsg.ReasonClosed, kmsg.ReasonSocket, kmsg.ReasonProtocol, kmsg.ReasonSequence, kmsg.ReasonMemory)
}

// Unanswered is how many connections could not be made.
func (o *OSDLosses) Unanswered() uint64 {
	return o.Of(kmsg.ReasonConnect, kmsg.ReasonClosedEarly, kmsg.ReasonWrongPeer)
}

// Refused is how many sessions the OSD refused: it answers, and does not let this
// client in.
func (o *OSDLosses) Refused() uint64 {
	return o.Of(kmsg.ReasonAuthentication, kmsg.ReasonFeatures, kmsg.ReasonVersion)
}

// All is how many sessions ended or were refused.
func (o *OSDLosses) All() uint64 {
	n := uint64(0)
	for _, of := range o.N {
		n += of
	}
	return n
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

func (f *Facts) findLosses(d time.Duration) *Losses {
	l := &Losses{Window: d}
	place := map[string]int{}
	down := f.wentDown(d)
	for _, class := range sessionClasses {
		for _, s := range f.Kernel.Of(class) {
			if !isOSD(s.Peer) || f.Now.Sub(s.Last) > d+10*time.Second {
				continue
			}
			reason := kmsg.SessionReason(class, s.Detail)
			if reason == "" {
				continue
			}
			within := d
			if at, went := down[s.Peer]; went && class != kmsg.CRC && class != kmsg.Integrity {
				if within = min(d, f.Now.Sub(at.Add(Settle)).Truncate(time.Second)); within <= 0 {
					continue
				}
			}
			n := s.Within(f.Now, within)
			if n == 0 {
				continue
			}
			i, known := place[s.Peer]
			if !known {
				i = len(l.OSDs)
				place[s.Peer] = i
				l.OSDs = append(l.OSDs, OSDLosses{OSD: s.Peer})
			}
			l.OSDs[i].add(f, s, reason, n, within)
		}
	}
	slices.SortFunc(l.OSDs, func(a, b OSDLosses) int { return human.ByNumber(a.OSD, b.OSD) })
	return l
}

func (o *OSDLosses) add(f *Facts, s *node.Series, reason kmsg.Reason, n uint64, within time.Duration) {
	o.N[reasonIndex(reason)] += n
	switch {
	case reason == kmsg.ReasonCRC && s.Detail != "" && s.Detail != "data":
		o.Damaged += n
	case reason != kmsg.ReasonCRC && !reason.Refused() && n > 1:
		o.Seconds = max(o.Seconds, s.SecondsWithin(f.Now, within))
	}
	if !s.Last.Before(o.Last) {
		o.Last, o.Text, o.Addr = s.Last, s.Text, s.Addr
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

// FirstLoss is when the run of lost working sessions began that the latest of them
// belongs to, where none has been further apart than a minute; zero: none was lost
// within two minutes.
func (f *Facts) FirstLoss() time.Time {
	var first time.Time
	for _, class := range sessionClasses {
		for _, s := range f.Kernel.Of(class) {
			if !isOSD(s.Peer) || f.Now.Sub(s.Last) > 2*time.Minute {
				continue
			}
			if r := kmsg.SessionReason(class, s.Detail); r == "" || r.Refused() {
				continue
			}
			if at := s.Burst(f.Now, time.Minute); !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}

// LastLoss is when a session with an OSD last ended or was refused, live; zero: never.
func (f *Facts) LastLoss() time.Time {
	var last time.Time
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
