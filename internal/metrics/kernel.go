package metrics

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// lately is how long after its latest log line an OSD is shown.
const lately = 10 * time.Minute

func kernelFamilies() []family {
	return []family{
		{name: "nodewatch_kmsg_records_total", kind: counter,
			help: "Number of kernel log records that were read and were written by the kernel itself.",
			read: ofLog(func(l node.Log) uint64 { return l.Records })},
		{name: "nodewatch_kmsg_foreign_records_total", kind: counter,
			help: "Number of kernel log records that a process wrote; they are ignored.",
			read: ofLog(func(l node.Log) uint64 { return l.Foreign })},
		{name: "nodewatch_kmsg_lost_records_total", kind: counter,
			help: "Number of kernel log records that were overwritten before they could be read.",
			read: ofLog(func(l node.Log) uint64 { return l.Lost })},
		{name: "nodewatch_kmsg_suppressed_total", kind: counter,
			help: "Number of lines that the kernel's rate limits suppressed, as far as the kernel logs it.",
			read: ofLog(func(l node.Log) uint64 { return l.Suppressed })},
		{name: "nodewatch_kmsg_malformed_total", kind: counter,
			help: "Number of kernel log records that could not be parsed.",
			read: ofLog(func(l node.Log) uint64 { return l.Malformed })},
		{name: "nodewatch_kmsg_unsorted_total", kind: counter,
			help: "Number of lines that are counted in their class but not by OSD or device, because there were too many OSDs and devices.",
			read: ofLog(func(l node.Log) uint64 { return l.Overflowed })},
		{name: "nodewatch_kmsg_events_total", kind: counter, labels: []string{"class"},
			help: "Number of kernel log lines since nodewatch started, by class.",
			read: countEvents},
		{name: "nodewatch_libceph_osds", kind: gauge,
			help: "Number of OSDs with kernel log errors in the last 10 minutes.",
			read: func(p *picture, emit emit) {
				if !p.Kernel.Since.IsZero() {
					emit(float64(len(p.osds)))
				}
			}},
		{name: "nodewatch_libceph_events_total", kind: counter, labels: []string{"class", "osd"},
			help: "Number of kernel log lines about one OSD since nodewatch started; only of the 50 OSDs with the most lines in the last 10 minutes.",
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

// countEvents exports a sample for every class from the start, so that its first line
// is an increase.
func countEvents(p *picture, emit emit) {
	if p.Kernel.Since.IsZero() {
		return
	}
	n := map[kmsg.Class]uint64{}
	for _, t := range p.Kernel.Classes {
		n[t.Class] = t.N
	}
	for _, c := range kmsg.Classes() {
		emit(float64(n[c]), string(c))
	}
}

// An osdCount is the number of log lines about one OSD within ten minutes.
type osdCount struct {
	osd    string
	number int
	fresh  uint64
}

// osdsInTrouble returns the OSDs with a line within ten minutes, those with most
// lines first.
func osdsInTrouble(v *judge.View) []osdCount {
	place, within := map[string]int{}, v.Kernel.Window(v.Now, lately)
	var list []osdCount
	for _, s := range v.Kernel.Series {
		osd, is := strings.CutPrefix(s.Peer, "osd")
		fresh, _ := within.Of(s)
		if !is || fresh == 0 {
			continue
		}
		i, known := place[osd]
		if !known {
			i = len(list)
			place[osd] = i
			list = append(list, osdCount{osd: osd, number: number(osd)})
		}
		list[i].fresh += fresh
	}
	slices.SortFunc(list, func(a, b osdCount) int {
		return cmp.Or(cmp.Compare(b.fresh, a.fresh), cmp.Compare(a.number, b.number), strings.Compare(a.osd, b.osd))
	})
	return list
}

// countOSDEvents exports, for the OSDs with most log lines, the classes that had a
// line within ten minutes.
func countOSDEvents(p *picture, emit emit) {
	type key struct {
		class kmsg.Class
		osd   string
	}
	listed := map[string]bool{}
	for _, o := range p.osds[:min(len(p.osds), maxOSDs)] {
		listed[o.osd] = true
	}
	sum, order, within := map[key]uint64{}, []key{}, p.Kernel.Window(p.Now, lately)
	for _, s := range p.Kernel.Series {
		osd, is := strings.CutPrefix(s.Peer, "osd")
		if fresh, _ := within.Of(s); !is || !listed[osd] || fresh == 0 {
			continue
		}
		k := key{s.Class, osd}
		if _, known := sum[k]; !known {
			order = append(order, k)
		}
		sum[k] += s.Total
	}
	for _, k := range order {
		emit(float64(sum[k]), string(k.class), k.osd)
	}
}

// number parses a text as a number; -1 if it is not one.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}
