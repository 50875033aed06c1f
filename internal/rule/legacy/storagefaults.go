package legacy

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
	line   *node.Series // of its latest line
	last   time.Time    // of that line
	crc    uint64       // lost to a CRC failure, within the window for these
	others uint64       // closed by the OSD, or broken, within the window for these
	damage uint64       // of crc: in another part than the data
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

// count returns the OSDs that have lost sessions within the windows, the five
// worst first. Of an OSD that went down within the window the others count only from
// when its sessions must be new ones, and none of any while the cluster is full: both
// close sessions without a loop.
func (t tally) count(in Input) []faults {
	if len(t.others) > 0 && clusterFull(in, t.window) {
		t.others = nil
	}
	list := t.every(in)
	if down := downOSDs(in, t.window); len(down) > 0 {
		for i := range list {
			if at, was := down[list[i].osd]; was {
				list[i].others = min(list[i].others, t.othersSince(in, list[i].osd, at.Add(settle)))
			}
		}
		list = slices.DeleteFunc(list, func(f faults) bool { return f.crc+f.others == 0 })
	}
	foremost(list, worse)
	return list
}

// othersSince is how many of the others an OSD has had since then.
func (t tally) othersSince(in Input, osd string, since time.Time) (n uint64) {
	d := in.Now.Sub(since).Truncate(time.Second)
	if d <= 0 {
		return 0
	}
	for _, class := range t.others {
		lines := in.Kernel.Of(class) // by peer
		first, _ := slices.BinarySearchFunc(lines, osd, func(s *node.Series, osd string) int { return strings.Compare(s.Peer, osd) })
		for _, line := range lines[first:] {
			if line.Peer != osd {
				break
			}
			n += linesIn(line, in.Now, d)
		}
	}
	return n
}

func worse(a, b *faults) bool {
	if n, m := a.crc+a.others, b.crc+b.others; n != m {
		return n > m
	}
	return byNumber(a.osd, b.osd) < 0
}

// every returns the OSDs that have lost sessions within the windows, by name.
func (t tally) every(in Input) []faults {
	var list []faults
	for _, class := range t.crc {
		list = merged(list, in.lost(class, t.crcWindow), func(f *faults, l *lost) {
			f.crc += l.n
			if l.line.Detail != "" && l.line.Detail != "data" {
				f.damage += l.n
			}
		})
	}
	for _, class := range t.others {
		list = merged(list, in.lost(class, t.window), func(f *faults, l *lost) { f.others += l.n })
	}
	return list
}

// merged adds the lines of one class to a list by name; the lines are by name too.
func merged(list []faults, lines []lost, add func(*faults, *lost)) []faults {
	var more []faults // OSDs that are not in the list
	i := 0
	for l := range lines {
		l := &lines[l]
		for i < len(list) && list[i].osd < l.osd {
			i++
		}
		if i < len(list) && list[i].osd == l.osd {
			list[i].note(l)
			add(&list[i], l)
			continue
		}
		if more == nil && len(list) == 0 {
			more = make([]faults, 0, len(lines))
		}
		last := len(more) - 1
		if last < 0 || more[last].osd != l.osd {
			more, last = append(more, faults{osd: l.osd, line: l.line, last: l.last}), last+1
		}
		more[last].note(l)
		add(&more[last], l)
	}
	switch {
	case len(more) == 0:
		return list
	case len(list) == 0:
		return more
	}
	return slices.SortedFunc(slices.Values(append(list, more...)), func(a, b faults) int { return strings.Compare(a.osd, b.osd) })
}

// note keeps the latest line.
func (f *faults) note(l *lost) {
	if !l.last.Before(f.last) {
		f.line, f.last = l.line, l.last
	}
}

// foremost moves the first five of a list, by before, to its front and in order.
// The rest is only counted and named: sorting it is not worth the time.
func foremost[T any](list []T, before func(a, b *T) bool) {
	const most = 5
	for j := range list {
		k := min(j, most-1)
		if j >= most {
			if !before(&list[j], &list[k]) {
				continue
			}
			list[j], list[k] = list[k], list[j]
		}
		for ; k > 0 && before(&list[k], &list[k-1]); k-- {
			list[k], list[k-1] = list[k-1], list[k]
		}
	}
}

// faultEvidence tells of the first few OSDs.
func faultEvidence(list []faults, t tally) []report.Evidence {
	var out []report.Evidence
	for i, f := range list {
		if i == 5 {
			out = append(out, factAt(node.SourceKmsg, "", "the same of "+someOSDs(list[i:], 8), list[i].line.Last))
			break
		}
		var what []string
		if f.crc > 0 {
			what = append(what, fmt.Sprintf("%s in the last %s", counted(f.crc, "CRC fault"), span(t.crcWindow)))
		}
		if f.others > 0 {
			what = append(what, fmt.Sprintf("%s in the last %s", counted(f.others, cmp.Or(t.noun, "lost session")), span(t.window)))
		}
		out = append(out, factAt(node.SourceKmsg, f.osd, fmt.Sprintf("%s at %s: %s; the latest: %s", f.osd, f.line.Addr, strings.Join(what, ", "), f.line.Text), f.line.Last))
	}
	return out
}

// someOSDs names at most so many of the OSDs, and says how many more there are.
func someOSDs(list []faults, most int) string {
	names := make([]string, min(len(list), most+1))
	for i := range names {
		names[i] = list[i].osd
	}
	if len(list) <= most {
		return someOf(names, most)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(list)-most)
}

// hostPart is an address without its port, as it stands.
func hostPart(addr string) string { return addr[:max(0, strings.LastIndexByte(addr, ':'))] }

// hostOf is the IP of an OSD's address; empty if it is none.
func hostOf(addr string) string {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ""
	}
	return ap.Addr().String()
}
