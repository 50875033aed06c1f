package legacy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// StormLimits tell a retry storm. Two rules share them.
type stormLimits struct {
	CRCFaults   int           `json:"crc_faults" doc:"CRC faults of one OSD within crc_window that make a loop" min:"2" max:"1000"`
	CRCWindow   time.Duration `json:"crc_window" doc:"how far back CRC faults count" min:"2s" max:"60s"`
	Closes      int           `json:"closes" doc:"working sessions of one OSD, closed by it within close_window, that make a loop" min:"2" max:"1000"`
	CloseWindow time.Duration `json:"close_window" doc:"how far back closed sessions count" min:"2s" max:"60s"`
	Stalled     time.Duration `json:"stalled" doc:"how long requests of a krbd device are in flight, and none completes, until its I/O counts as stalled" min:"2s" max:"10m"`
	Resent      int           `json:"resent" doc:"how often one request is sent again, while nodewatch looks on, until it counts as stalled" min:"2" max:"1000"`
}

func newStormLimits() *stormLimits {
	return &stormLimits{CRCFaults: 2, CRCWindow: 10 * time.Second, Closes: 5, CloseWindow: time.Minute, Stalled: 3 * time.Second, Resent: 3}
}

// A storm is a retry storm as it is now: sessions that are lost again and again,
// and krbd I/O that does not go on.
type storm struct {
	tally   tally
	live    bool     // sessions are being lost in a loop now
	looping int      // OSDs whose sessions are
	osds    []faults // all OSDs that lost a session lately
	sparse  uint64   // lines of the sparse-read loop within the CRC window
	stalled []*node.DiskIO
	resent  []node.Wait // requests that are sent again and again
	last    time.Time   // of the latest fault, ever
}

// see looks for a storm. One that has been raised lasts until the I/O that it
// stalled goes on again, even if no session is lost any more.
func (l *stormLimits) see(in Input, raised bool) (storm, bool) {
	s := stormOf(in, l)
	if s.live || len(s.stalled)+len(s.resent) == 0 {
		return s, s.live
	}
	s = s.until(s.last.Add(l.CloseWindow))
	return s, raised && len(s.stalled)+len(s.resent) > 0
}

// look counts what makes a storm.
func (l *stormLimits) look(in Input) storm {
	s := storm{
		stalled: stalledDisks(in, l.Stalled),
		resent:  longWaits(in, func(w node.Wait) bool { return !w.Request.Paused && w.Attempts >= l.Resent }),
	}
	if len(s.stalled) == 0 && len(s.resent) == 0 {
		return storm{}
	}
	s.tally = tally{crc: []kmsg.Class{kmsg.CRC}, crcWindow: l.CRCWindow, others: []kmsg.Class{kmsg.ClosedOpen}, window: l.CloseWindow}
	s.osds = s.tally.count(in)
	for i := range s.osds {
		if s.osds[i].crc >= uint64(l.CRCFaults) || s.osds[i].others >= uint64(l.Closes) {
			s.looping++
		}
	}
	for _, line := range in.Kernel.Of(kmsg.SparseRead) {
		s.sparse += linesIn(line, in.Now, l.CRCWindow)
	}
	s.last = lastLine(in, kmsg.CRC, kmsg.ClosedOpen, kmsg.SparseRead)
	// The sparse-read loop names its OSD in some of its lines only: they count together.
	s.live = s.looping > 0 || s.sparse >= uint64(l.CRCFaults)
	return s
}

// until returns the storm with only the I/O that was stalled by then.
func (s storm) until(end time.Time) storm {
	s.stalled = slices.DeleteFunc(slices.Clone(s.stalled), func(d *node.DiskIO) bool { return d.Moved.After(end) })
	s.resent = slices.DeleteFunc(slices.Clone(s.resent), func(w node.Wait) bool { return w.Since.After(end) })
	return s
}

// of returns the storm with only the I/O of a bond's clients and devices.
func (s storm) of(in Input, clients []uint64, devices []string) storm {
	if len(devices) == len(in.Mapped.Value) {
		return s
	}
	mine := make(map[string]bool, len(devices))
	for _, device := range devices {
		mine[device] = true
	}
	s.stalled = slices.DeleteFunc(slices.Clone(s.stalled), func(d *node.DiskIO) bool { return !mine[d.Device] })
	s.resent = slices.DeleteFunc(slices.Clone(s.resent), func(w node.Wait) bool { return !slices.Contains(clients, w.ClientID) })
	return s
}

// first is when the run of faults began that is going on.
func (s storm) first(in Input) time.Time {
	first := s.last
	for _, class := range []kmsg.Class{kmsg.CRC, kmsg.ClosedOpen, kmsg.SparseRead} {
		for _, line := range in.Kernel.Of(class) {
			if in.Now.Sub(line.Last) > 2*time.Minute || class != kmsg.SparseRead && !strings.HasPrefix(line.Peer, "osd") {
				continue
			}
			if at := line.Burst(in.Now, time.Minute); !at.IsZero() && at.Before(first) {
				first = at
			}
		}
	}
	return first
}

// begun is since when the rule has had its finding raised, or else when the run of
// faults began.
func (s storm) begun(in Input) time.Time {
	if was, raised := in.Was(""); raised {
		return was.Since
	}
	return s.first(in)
}

// devices are the devices whose I/O is stalled, those of requests sent again included.
func (s storm) devices(in Input) []string {
	names, _ := withWaits(in, disksOf(s.stalled), s.resent)
	return names
}

// losing says what sessions are lost: "libceph loses the sessions of 14 OSDs (312
// CRC faults in 10 s) again and again".
func (s storm) losing() string {
	var crc, others uint64
	for _, f := range s.osds {
		crc, others = crc+f.crc, others+f.others
	}
	var what []string
	if crc > 0 {
		what = append(what, fmt.Sprintf("%s in %s", counted(crc, "CRC fault"), span(s.tally.crcWindow)))
	}
	if others > 0 {
		what = append(what, fmt.Sprintf("%s closed by the OSD in %s", counted(others, "session"), span(s.tally.window)))
	}
	if s.sparse > 0 {
		what = append(what, fmt.Sprintf("%s in %s", counted(s.sparse, "sparse-read error"), span(s.tally.crcWindow)))
	}
	switch {
	case !s.live:
		return "the last session was lost at " + clock(s.last)
	case len(s.osds) == 0:
		return fmt.Sprintf("libceph loses sessions (%s) again and again", strings.Join(what, ", "))
	}
	return fmt.Sprintf("libceph loses the sessions of %s (%s) again and again", osdsText(s.osds), strings.Join(what, ", "))
}
