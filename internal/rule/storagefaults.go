package rule

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Faults are the sessions with one OSD that were lost lately.
type faults struct {
	osd    string
	addr   string // of its latest line
	text   string // its latest line
	crc    uint64 // lost to a CRC failure, within the window for these
	others uint64 // closed by the OSD, or broken, within the window for these
	damage uint64 // of crc: in another part than the data
	last   time.Time
}

// id is the OSD's number, as ceph's commands take it.
func (f faults) id() string { return strings.TrimPrefix(f.osd, "osd") }

// A tally says which classes of lines of an OSD count, and how far back.
type tally struct {
	crc       []kmsg.Class
	crcWindow time.Duration
	others    []kmsg.Class
	window    time.Duration
	noun      string // what the others are; empty: lost session
}

// count returns the OSDs that have lost sessions within the windows. The others
// are left out for an OSD that the kernel says is down, and for all of them while
// the cluster is full: both close sessions without a loop.
func (t tally) count(in Input) []faults {
	if len(t.others) > 0 && clusterFull(in, t.window) {
		t.others = nil
	}
	down := downOSDs(in, t.window)
	list := t.every(in)
	for i := range list {
		if down[list[i].osd] {
			list[i].others = 0
		}
	}
	return slices.DeleteFunc(list, func(f faults) bool { return f.crc+f.others == 0 })
}

// every returns the OSDs that have lost sessions within the windows.
func (t tally) every(in Input) []faults {
	byOSD := map[string]*faults{}
	for _, class := range t.crc {
		for _, s := range in.Kernel.Of(class) {
			if n := withinOSD(s, in.Now, t.crcWindow); n > 0 {
				f := faultsOf(byOSD, s)
				f.crc += n
				if s.Detail != "" && s.Detail != "data" {
					f.damage += n
				}
			}
		}
	}
	for _, class := range t.others {
		for _, s := range in.Kernel.Of(class) {
			if n := withinOSD(s, in.Now, t.window); n > 0 {
				faultsOf(byOSD, s).others += n
			}
		}
	}
	return worstFirst(byOSD)
}

// withinOSD is how many lines of an OSD there were lately; 0 for any other peer.
func withinOSD(s *node.Series, now time.Time, d time.Duration) uint64 {
	if now.Sub(s.Last) > d+10*time.Second || !strings.HasPrefix(s.Peer, "osd") {
		return 0
	}
	return linesIn(s, now, d)
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

func faultsOf(byOSD map[string]*faults, s *node.Series) *faults {
	f := byOSD[s.Peer]
	if f == nil {
		f = &faults{osd: s.Peer}
		byOSD[s.Peer] = f
	}
	if !s.Last.Before(f.last) {
		f.last, f.addr, f.text = s.Last, s.Addr, s.Text
	}
	return f
}

func worstFirst(byOSD map[string]*faults) []faults {
	list := make([]faults, 0, len(byOSD))
	for _, f := range byOSD {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b faults) int {
		return cmp.Or(cmp.Compare(b.crc+b.others, a.crc+a.others), byNumber(a.osd, b.osd))
	})
	return list
}

// downOSDs are the OSDs that went down, or left the map, within d.
func downOSDs(in Input, d time.Duration) map[string]bool {
	var down map[string]bool
	for _, s := range in.Kernel.Of(kmsg.OSDDown) {
		if in.Now.Sub(s.Last) > d {
			continue
		}
		if down == nil {
			down = map[string]bool{}
		}
		down[s.Peer] = true
	}
	return down
}

// clusterFull reports whether the kernel said within d, or the cluster says now,
// that the cluster, a pool or an OSD is full: writes then wait by design.
func clusterFull(in Input, d time.Duration) bool {
	for _, s := range in.Kernel.Of(kmsg.Full) {
		if in.Now.Sub(s.Last) <= d {
			return true
		}
	}
	if in.Blind(node.SourceCeph) != nil {
		return false
	}
	for flag := range strings.SplitSeq(in.Cluster.Value.OSDMap.Flags, ",") {
		if flag == "full" {
			return true
		}
	}
	for _, c := range in.Cluster.Value.Health.Checks {
		if c.Code == "OSD_FULL" || c.Code == "POOL_FULL" {
			return true
		}
	}
	return false
}

// lastLine is when a line of any of the classes was last logged, live.
func lastLine(in Input, classes ...kmsg.Class) time.Time {
	var last time.Time
	for _, t := range in.Kernel.Classes {
		if slices.Contains(classes, t.Class) && t.N > 0 && t.Last.After(last) {
			last = t.Last
		}
	}
	return last
}

// faultEvidence tells of the first few OSDs.
func faultEvidence(list []faults, t tally) []report.Evidence {
	var out []report.Evidence
	for i, f := range list {
		if i == 5 {
			rest := make([]string, 0, len(list)-i)
			for _, f := range list[i:] {
				rest = append(rest, f.osd)
			}
			out = append(out, factAt(node.SourceKmsg, "", "the same of "+someOf(rest, 8), list[i].last))
			break
		}
		var what []string
		if f.crc > 0 {
			what = append(what, fmt.Sprintf("%s in the last %s", counted(f.crc, "CRC fault"), span(t.crcWindow)))
		}
		if f.others > 0 {
			what = append(what, fmt.Sprintf("%s in the last %s", counted(f.others, cmp.Or(t.noun, "lost session")), span(t.window)))
		}
		out = append(out, factAt(node.SourceKmsg, f.osd, fmt.Sprintf("%s at %s: %s; the latest: %s", f.osd, f.addr, strings.Join(what, ", "), f.text), f.last))
	}
	return out
}

// hostOf is the IP of an OSD's address; empty if it is none.
func hostOf(addr string) string {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ""
	}
	return ap.Addr().String()
}
