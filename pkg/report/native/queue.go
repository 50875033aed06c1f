package native

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// mostWaiting is the maximum number of transitions that wait for an acknowledgement.
const mostWaiting = 1000

// A waiting is a transition that has not been acknowledged.
type waiting struct {
	Transition
	serial uint64
}

// A queue contains the transitions that have not been acknowledged, oldest first. It
// is bounded: the oldest are dropped and counted.
type queue struct {
	run     time.Time // run whose transitions have been added
	seen    uint64    // number of the latest added transition
	list    []waiting
	serial  uint64 // serial of the latest transition added in this process
	dropped uint64

	state uint64 // increases with each change of the stored state
	saved uint64 // the version that is on disk
	disk  uint64 // serials up to this one are on disk
}

// A record is the queue in its stored form.
type record struct {
	Run         time.Time    `json:"started_at"`
	Seen        uint64       `json:"seen"`
	Seq         uint64       `json:"seq"`
	Transitions []Transition `json:"transitions"`
}

// restore fills a new queue from a record.
func (q *queue) restore(k record) {
	q.run, q.seen = k.Run, k.Seen
	for _, x := range k.Transitions {
		if x.ID == "" || !reportable(x.Transition) {
			q.dropped++
			continue
		}
		t := trimmer{}
		x.ID, x.Run, x.Transition = t.text(x.ID, maxLine), utc(x.Run), t.transition(x.Transition)
		q.push(x)
	}
	q.disk = q.serial
}

// reportable reports whether backends can interpret a transition.
func reportable(t report.Transition) bool {
	level := func(s report.Severity) bool { return s == report.Clear || s.Rank() > 0 }
	return t.N > 0 && t.N < mostSeq && t.Rule != "" && t.Component != "" && level(t.From) && level(t.To) &&
		slices.Contains(report.Impacts(), t.Impact) &&
		(t.ImpactFrom == "" || slices.Contains(report.Impacts(), t.ImpactFrom)) &&
		slices.Contains([]report.Visibility{"", report.Seen, report.Blind}, t.State)
}

// take adds the report's new transitions. A gap before them is counted as lost.
func (q *queue) take(r report.Report) {
	if len(r.Transitions) == 0 && r.Latest == 0 {
		return
	}
	if !r.Started.Equal(q.run) {
		q.run, q.seen = r.Started, 0
		q.state++
	}
	oldest, latest := r.TransitionRange()
	if latest <= q.seen {
		return
	}
	if oldest > q.seen+1 {
		q.dropped += oldest - q.seen - 1
	}
	for _, t := range r.Transitions {
		switch {
		case t.N <= q.seen:
		case !reportable(t):
			q.dropped++
		default:
			own := trimmer{}
			q.push(Transition{ID: key(r.Started, t.N), Run: utc(r.Started), Transition: own.transition(t)})
		}
	}
	q.seen = latest
	q.state++
}

// key returns a transition's id. It includes neither the kernel's boot id, which is
// unknown at first, nor any configured value, so it never changes.
func key(run time.Time, n uint64) string {
	return fmt.Sprintf("%s/%d", utc(run).Format("20060102T150405.000000000Z"), n)
}

func (q *queue) push(x Transition) {
	q.serial++
	q.list = append(q.list, waiting{Transition: x, serial: q.serial})
	if over := len(q.list) - mostWaiting; over > 0 {
		q.list = slices.Delete(q.list, 0, over)
		q.dropped += uint64(over)
	}
}

// first returns up to n of the oldest, and the serial of the last of these.
func (q *queue) first(n int) (list []Transition, last uint64) {
	list = []Transition{}
	for _, w := range q.list[:min(n, len(q.list))] {
		list, last = append(list, w.Transition), w.serial
	}
	return list, last
}

// acknowledge removes the n transitions up to the serial. Those dropped while in
// transit are no longer counted as lost.
func (q *queue) acknowledge(n int, last uint64) {
	if n == 0 {
		return
	}
	before := len(q.list)
	q.list = slices.DeleteFunc(q.list, func(w waiting) bool { return w.serial <= last })
	q.dropped -= uint64(n - (before - len(q.list)))
	q.state++
}

// record returns the stored form of the queue, with the marks to set once it is on
// disk.
func (q *queue) record(seq uint64) (k record, state, disk uint64) {
	list, _ := q.first(len(q.list))
	return record{Run: q.run, Seen: q.seen, Seq: seq, Transitions: list}, q.state, q.serial
}

// unsaved returns the number of transitions that are not on disk.
func (q *queue) unsaved() int {
	n := 0
	for _, w := range q.list {
		if w.serial > q.disk {
			n++
		}
	}
	return n
}
