package metrics

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// lately is for how long after a complaint an OSD is shown.
const lately = 10 * time.Minute

func kernelFamilies() []family {
	return []family{
		{name: "nodewatch_kmsg_records_total", kind: counter,
			help: "Records of the kernel log that were read and come from the kernel itself.",
			read: ofLog(func(l node.Log) uint64 { return l.Records })},
		{name: "nodewatch_kmsg_foreign_records_total", kind: counter,
			help: "Records of the kernel log that a process wrote; they are not believed.",
			read: ofLog(func(l node.Log) uint64 { return l.Foreign })},
		{name: "nodewatch_kmsg_lost_records_total", kind: counter,
			help: "Records of the kernel log that were overwritten before they could be read.",
			read: ofLog(func(l node.Log) uint64 { return l.Lost })},
		{name: "nodewatch_kmsg_suppressed_total", kind: counter,
			help: "Lines that the kernel's rate limits kept out of its log, as far as it says so.",
			read: ofLog(func(l node.Log) uint64 { return l.Suppressed })},
		{name: "nodewatch_kmsg_malformed_total", kind: counter,
			help: "Records of the kernel log that could not be understood.",
			read: ofLog(func(l node.Log) uint64 { return l.Malformed })},
		{name: "nodewatch_kmsg_unsorted_total", kind: counter,
			help: "Lines that are counted in their class, but not by OSD or device, as there were too many of these.",
			read: ofLog(func(l node.Log) uint64 { return l.Unsorted })},
		{name: "nodewatch_kmsg_events_total", kind: counter, labels: []string{"class"},
			help: "Lines of the kernel log since nodewatch started, by what they mean.",
			read: countEvents},
		{name: "nodewatch_libceph_osds", kind: gauge,
			help: "How many OSDs the kernel has complained of within ten minutes.",
			read: func(p *picture, emit emit) {
				if !p.Kernel.Since.IsZero() {
					emit(float64(len(osdsInTrouble(p))))
				}
			}},
		{name: "nodewatch_libceph_events_total", kind: counter, labels: []string{"class", "osd"},
			help: "Lines of the kernel log about one OSD since nodewatch started; of the 50 OSDs that had most of them within ten minutes.",
			read: countOSDEvents},
	}
}

// ofLog reads a counter of the kernel log, if the log has ever been read.
func ofLog(read func(node.Log) uint64) func(*picture, emit) {
	return func(p *picture, emit emit) {
		if !p.Kernel.Since.IsZero() {
			emit(float64(read(p.Kernel)))
		}
	}
}

// countEvents gives every class a sample from the start, so that its first line
// is a rise.
func countEvents(p *picture, emit emit) {
	if p.Kernel.Since.IsZero() {
		return
	}
	n := map[kmsg.Class]uint64{}
	for _, t := range p.Kernel.Classes {
		n[t.Class] = t.N
	}
	for _, c := range classes() {
		emit(float64(n[c]), string(c))
	}
}

// An osdTally is what the kernel says of one OSD.
type osdTally struct {
	osd   string
	fresh uint64                 // lines within ten minutes
	total map[kmsg.Class]float64 // of the classes that had one within ten minutes
}

// osdsInTrouble are the OSDs with a line within ten minutes, those with most first.
func osdsInTrouble(p *picture) []*osdTally {
	byOSD := map[string]*osdTally{}
	for _, s := range p.Kernel.Series {
		osd, is := strings.CutPrefix(s.Peer, "osd")
		if !is || s.Within(p.Now, lately) == 0 {
			continue
		}
		t := byOSD[osd]
		if t == nil {
			t = &osdTally{osd: osd, total: map[kmsg.Class]float64{}}
			byOSD[osd] = t
		}
		t.fresh += s.Within(p.Now, lately)
		t.total[s.Class] += float64(s.Total)
	}
	list := make([]*osdTally, 0, len(byOSD))
	for _, t := range byOSD {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *osdTally) int {
		return cmp.Or(cmp.Compare(b.fresh, a.fresh), cmp.Compare(number(a.osd), number(b.osd)), strings.Compare(a.osd, b.osd))
	})
	return list
}

func countOSDEvents(p *picture, emit emit) {
	list := osdsInTrouble(p)
	for _, t := range list[:min(len(list), maxOSDs)] {
		for _, c := range classes() {
			if n, known := t.total[c]; known {
				emit(n, string(c), t.osd)
			}
		}
	}
}

// number is the number a text spells; -1 if it spells none.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// classes are the classes of lines that are kept.
func classes() []kmsg.Class {
	return []kmsg.Class{
		kmsg.CRC, kmsg.Integrity, kmsg.ClosedOpen, kmsg.Closed, kmsg.SocketError, kmsg.ConnectError, kmsg.ProtocolFault,
		kmsg.WrongPeer, kmsg.AuthFault, kmsg.NoMemory, kmsg.SessionReset, kmsg.SparseRead, kmsg.Timeout,
		kmsg.OSDDown, kmsg.OSDUp, kmsg.OSDWeight, kmsg.Full, kmsg.PoolGone, kmsg.MonLost, kmsg.MonFound, kmsg.MapCorrupt,
		kmsg.ClientMade, kmsg.CephOther, kmsg.RBDResult, kmsg.RBDWatch, kmsg.RBDLock, kmsg.RBDMapped, kmsg.RBDMapFail, kmsg.RBDOther,
		kmsg.BondSlaveDown, kmsg.BondSlaveUp, kmsg.BondNoPartner, kmsg.BondOther, kmsg.NICHang, kmsg.NICReset, kmsg.NICFault,
		kmsg.NICUp, kmsg.NICDown, kmsg.HungTask, kmsg.HungOwner, kmsg.HungMuted, kmsg.Lockup, kmsg.BlockError, kmsg.FSError,
		kmsg.FSReadOnly, kmsg.FSMounted, kmsg.OOM, kmsg.NetPressure, kmsg.MachineCheck, kmsg.Suppressed,
	}
}
