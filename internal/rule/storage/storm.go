package storage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/cause"
	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// stormLimits define a retry storm. Two rules share them.
type stormLimits struct {
	CRCFaults   int           `json:"crc_faults" doc:"sessions to one OSD lost within crc_window, because of a failed checksum, tag or sparse read, that count as a loop" min:"2" max:"1000"`
	CRCWindow   time.Duration `json:"crc_window" doc:"time window for these losses" min:"2s" max:"60s"`
	Closes      int           `json:"closes" doc:"established sessions to one OSD lost within close_window, for another reason, that count as a loop" min:"2" max:"1000"`
	CloseWindow time.Duration `json:"close_window" doc:"time window for these losses" min:"2s" max:"60s"`
	Stalled     time.Duration `json:"stalled" doc:"how long a krbd device has requests in flight without completing any until its I/O counts as stalled" min:"2s" max:"10m"`
	Resent      int           `json:"resent" doc:"number of observed resends of a request at which it counts as stalled" min:"2" max:"1000"`
}

func newStormLimits() *stormLimits {
	return &stormLimits{CRCFaults: 2, CRCWindow: 10 * time.Second, Closes: 5, CloseWindow: time.Minute, Stalled: 3 * time.Second, Resent: 3}
}

// slowLoop is the number of sessions, each with an OSD that lost at least two within
// a minute because of corrupted data, that make a loop however slowly each OSD fails:
// each resend takes long if a NIC is full.
const slowLoop = 6

// leadTime is how long before the first lost session a stall that belongs to it may
// have begun: readings are a second apart, and log lines are timed to 10 s.
const leadTime = 5 * time.Second

// A storm is a series of repeatedly lost sessions together with stalled krbd I/O.
type storm struct {
	live    bool               // sessions are being lost in a loop now
	looping []*facts.OSDLosses // OSDs that lose sessions in a loop, most losses first
	losses  *facts.Losses      // lost sessions of the last minute
	stalls  []*facts.Stall     // stalls that belong to the storm, longest first
	first   time.Time          // when the run of losses began
	state   stormState
}

// A stormState is the stored state of a raised storm.
type stormState struct {
	first    time.Time
	last     time.Time        // when a session was last lost in a loop
	before   []cause.Evidence // the order of events when the storm began
	lossText string           // the last description of the lost sessions
	devices  []string         // devices that stalled in the storm, as last observed
}

// A candidateStorm is what looks like a storm now, regardless of raised findings.
type candidateStorm struct {
	storm      storm
	candidates []*facts.Stall // stalls that may belong to a storm
}

// evaluate detects sessions that are lost in a loop, and the stalls that belong to them.
func (l *stormLimits) evaluate(f *facts.Facts) candidateStorm {
	s := candidateStorm{storm: storm{losses: f.SessionLosses(l.CloseWindow)}, candidates: l.stalled(f)}
	if len(s.candidates) > 0 {
		s.storm.looping = l.loops(f, s.storm.losses, s.candidates)
		s.storm.stalls = s.storm.tied(f, s.candidates)
		s.storm.live = len(s.storm.looping) > 0 && len(s.storm.stalls) > 0
	}
	return s
}

// find returns the storm of a candidate. A raised storm lasts until the I/O that
// stalled in it resumes, even if sessions are no longer lost.
func (l *stormLimits) find(f *facts.Facts, candidate candidateStorm, was stormState, raised bool) (storm, bool) {
	s, candidates := candidate.storm, candidate.candidates
	switch {
	case len(candidates) == 0:
		return storm{}, false
	case s.live && raised:
		s.first = was.first
	case s.live:
		if s.first = f.FirstLoss(); s.first.IsZero() {
			s.first = f.Now
		}
	case !raised:
		return storm{}, false
	default:
		s.first = was.first
		of := map[string]bool{}
		for _, device := range was.devices {
			of[device] = true
		}
		s.stalls = slices.DeleteFunc(slices.Clone(candidates), func(x *facts.Stall) bool {
			return !of[x.Device] || x.Since.After(was.last.Add(l.CloseWindow))
		})
		if len(s.stalls) == 0 {
			return storm{}, false
		}
	}
	s.remember(f, was, raised)
	return s, true
}

// remember stores the state for the next ticks.
func (s *storm) remember(f *facts.Facts, was stormState, raised bool) {
	s.state = stormState{first: s.first, last: was.last, before: was.before, lossText: was.lossText}
	if s.live {
		s.state.last, s.state.lossText = f.Now, s.lossSummary()
	}
	if !raised {
		s.state.before = cause.Before(f, s.first)
	}
	s.state.devices = make([]string, len(s.stalls))
	for i, x := range s.stalls {
		s.state.devices[i] = x.Device
	}
}

// stalled returns the stalls that may belong to a storm: devices with no or few
// completions, and requests that are resent repeatedly.
func (l *stormLimits) stalled(f *facts.Facts) []*facts.Stall {
	list := make([]*facts.Stall, 0, len(f.Stalls()))
	for _, s := range f.Stalls() {
		resent := false
		for _, w := range s.Waits {
			resent = resent || !w.Request.Paused && w.Attempts >= l.Resent
		}
		if s.Disk != nil && s.For >= l.Stalled || resent {
			list = append(list, s)
		}
	}
	return list
}

// loops returns the OSDs whose working sessions are lost in a loop.
func (l *stormLimits) loops(f *facts.Facts, losses *facts.Losses, stalls []*facts.Stall) []*facts.OSDLosses {
	clients := f.KernelClients()
	full := f.FullSince(stalls[0].Since) // writes to a full cluster wait by design, and sessions are closed without a loop
	slow := uint64(0)
	for i := range losses.OSDs {
		if n := losses.OSDs[i].Broken(); n >= 2 {
			slow += n
		}
	}
	var short []*facts.OSDLosses // sorted by number, like the longer list
	if slow < slowLoop || l.CRCWindow > l.CloseWindow {
		short = f.SessionLosses(l.CRCWindow).OSDs
	}
	list := make([]*facts.OSDLosses, 0, len(losses.OSDs))
	for i := range losses.OSDs {
		o := losses.OSDs[i]
		for len(short) > 0 && human.ByNumber(short[0].OSD, o.OSD) < 0 {
			short = short[1:]
		}
		broken := len(short) > 0 && short[0].OSD == o.OSD && short[0].Broken() >= uint64(l.CRCFaults) || o.Broken() >= 2 && slow >= slowLoop
		// If a cluster becomes unreachable, each client loses its session once.
		ended := !full && o.Ended() >= max(uint64(l.Closes), 2*clients) && o.Seconds >= min(l.Closes, int(l.CloseWindow.Seconds()/2))
		if broken || ended {
			list = append(list, o)
		}
	}
	slices.SortStableFunc(list, func(a, b *facts.OSDLosses) int { return cmp.Compare(b.All(), a.All()) })
	return list
}

// tied returns the stalls that belong to the loop: those whose requests, as shown by
// osdc, wait for a failing OSD. If osdc does not show this, half of the devices must
// be stalled, or the loop must be a lasting one, or no stall may have begun before the
// loop: one or two faults during an unrelated stall are a coincidence.
func (s *storm) tied(f *facts.Facts, stalls []*facts.Stall) []*facts.Stall {
	if len(s.looping) == 0 {
		return nil
	}
	ongoing := uint64(0)
	for _, o := range s.looping {
		ongoing += o.All()
	}
	loops := func(w node.Wait) bool {
		return slices.ContainsFunc(s.looping, func(o *facts.OSDLosses) bool { return o.OSD == facts.OSDName(w.Request.OSD) })
	}
	var list []*facts.Stall
	unknown := make([]*facts.Stall, 0, len(stalls))
	for _, x := range stalls {
		switch {
		case len(x.Waits) == 0:
			unknown = append(unknown, x)
		case slices.ContainsFunc(x.Waits, loops):
			list = append(list, x)
		}
	}
	together := func() bool {
		first := f.FirstLoss().Add(-leadTime)
		return !slices.ContainsFunc(unknown, func(x *facts.Stall) bool { return x.Since.Before(first) })
	}
	if len(list) == 0 && (2*len(unknown) >= len(f.Mapped.Value) || ongoing >= 5 || together()) {
		return unknown
	}
	if len(list) > 0 {
		list = append(list, unknown...)
		slices.SortStableFunc(list, func(a, b *facts.Stall) int { return cmp.Compare(b.For, a.For) })
	}
	return list
}

// on returns the storm restricted to some devices.
func (s storm) on(devices map[string]bool) storm {
	s.stalls = slices.DeleteFunc(slices.Clone(s.stalls), func(x *facts.Stall) bool { return !devices[x.Device] })
	return s
}

// devices returns the krbd devices that stall in the storm.
func (s storm) devices() []string { return facts.Devices(s.stalls) }

// hits returns what the storm affects.
func (s storm) hits() rule.Hits {
	h := stalledHits(s.stalls)
	h.Loop = true
	return h
}

// stalledHits returns the devices of stalls.
func stalledHits(stalls []*facts.Stall) rule.Hits {
	h := rule.Hits{Stalled: facts.Devices(stalls)}
	for i := range stalls {
		if h.Since.IsZero() || stalls[i].Since.Before(h.Since) {
			h.Since = stalls[i].Since
		}
	}
	return h
}

// ended proves that stalls have ended: the block layer shows completions for the
// devices whose stall it showed, and osdc no longer lists old requests for the
// others.
func ended(stalls []*facts.Stall) func(*facts.Facts) bool {
	disks := make([]string, 0, len(stalls))
	since, listed := time.Time{}, map[string]bool{}
	for i := range stalls {
		if stalls[i].Disk != nil {
			disks, since = append(disks, stalls[i].Device), facts.Later(since, stalls[i].Disk.LastProgress)
		} else {
			listed[stalls[i].Device] = true
		}
	}
	return func(f *facts.Facts) bool {
		if len(listed) > 0 {
			if f.Blind(node.SourceOSDC) != nil {
				return false
			}
			for _, s := range f.Stalls() {
				if listed[s.Device] {
					return false
				}
			}
		}
		return f.CompletesAgain(disks, since)
	}
}

// analysis weighs the causes.
func (s storm) analysis(f *facts.Facts) cause.Analysis {
	return cause.OfLoop(f, cause.Loop{First: s.first, Losses: s.losses, OSDs: s.looping, Stalls: s.stalls, Before: s.state.before})
}

// restsOn returns the sources that the detection depends on.
func (s storm) restsOn() []string {
	list := []string{node.SourceKmsg}
	io, osdc := false, false
	for i := range s.stalls {
		io, osdc = io || s.stalls[i].Disk != nil, osdc || s.stalls[i].Disk == nil
	}
	if io {
		list = append(list, node.SourceIO)
	}
	if osdc {
		list = append(list, node.SourceOSDC)
	}
	return list
}

// resetting describes the sessions: "sessions to 182 OSDs keep resetting".
func (s storm) resetting() string {
	if !s.live {
		return "last session lost at " + human.Clock(s.state.last)
	}
	return fmt.Sprintf("sessions to %s keep resetting", osdsText(s.looping))
}

// summary describes the stalled disks, the state of the sessions and the cause. If
// there is not enough room, the cause has priority over the sessions.
func (s storm) summary(head, stalled string, a cause.Analysis) string {
	short := head + " " + stalled
	full := fmt.Sprintf("%s; %s", short, s.resetting())
	if reason := a.String(); reason != "" {
		return rule.Summary(full+"; "+reason, short+"; "+reason, full, short)
	}
	return rule.Summary(full, short)
}

// lossSummary describes the losses by reason: "364 CRC faults in 10 s".
func (s storm) lossSummary() string { return lossText(s.looping, s.losses.Window) }

// stallText describes the stalls of all devices: "all 78 krbd disks (65 VMs) stalled, longest 4
// min".
func (s storm) stallText(f *facts.Facts, all int) string {
	devices := s.devices()
	if len(devices) == 0 {
		return "requests of an unmapped image are resent"
	}
	return fmt.Sprintf("%s%s stalled for %s", human.AllOf(len(devices), all, "krbd disk"), f.GuestsOn(devices).In(),
		human.Span(s.stalls[0].For))
}

// reasonText returns the term for a session lost for the given reason.
var reasonText = map[kmsg.Reason]string{
	kmsg.ReasonCRC:            "CRC fault",
	kmsg.ReasonAuthTag:        "failed authentication tag",
	kmsg.ReasonSparseRead:     "sparse-read error",
	kmsg.ReasonClosed:         "session closed by the OSD",
	kmsg.ReasonSocket:         "socket error",
	kmsg.ReasonProtocol:       "protocol error",
	kmsg.ReasonSequence:       "message sequence error",
	kmsg.ReasonMemory:         "session lost: out of memory",
	kmsg.ReasonReset:          "session reset",
	kmsg.ReasonConnect:        "failed connect",
	kmsg.ReasonClosedEarly:    "connection closed before it was established",
	kmsg.ReasonAuthentication: "authentication refused",
	kmsg.ReasonFeatures:       "session refused: missing feature",
	kmsg.ReasonVersion:        "session refused: protocol version",
	kmsg.ReasonWrongPeer:      "wrong peer at address",
}

// lossText describes how many sessions were lost by reason: "364 CRC faults, 3 socket errors in 1
// min".
func lossText(osds []*facts.OSDLosses, window time.Duration) string {
	var parts []string
	for i, r := range facts.Reasons {
		n := uint64(0)
		for o := range osds {
			n += uint64(osds[o].N[i])
		}
		if n > 0 {
			parts = append(parts, countReason(n, r))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " in " + human.Span(window)
}

func countReason(n uint64, r kmsg.Reason) string {
	text := reasonText[r]
	switch r {
	case kmsg.ReasonAuthentication, kmsg.ReasonClosed, kmsg.ReasonMemory, kmsg.ReasonConnect, kmsg.ReasonClosedEarly, kmsg.ReasonFeatures,
		kmsg.ReasonVersion, kmsg.ReasonWrongPeer:
		if n != 1 {
			head, tail, _ := strings.Cut(text, " ")
			switch r {
			case kmsg.ReasonConnect:
				return human.Number(n) + " failed connects"
			case kmsg.ReasonAuthentication:
				return human.Number(n) + " times authentication refused"
			case kmsg.ReasonWrongPeer:
				return human.Number(n) + " times " + text
			}
			return human.Number(n) + " " + head + "s " + tail
		}
	}
	return human.Count(n, text)
}

// osdsText names a single OSD, or describes how many OSDs there are.
func osdsText(osds []*facts.OSDLosses) string {
	if len(osds) == 1 {
		return osds[0].OSD
	}
	return human.Count(len(osds), "OSD")
}
