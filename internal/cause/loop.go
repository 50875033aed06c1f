package cause

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// Thresholds for the order of events and for a single failing OSD.
const (
	before      = 30 * time.Second // saturation counts if it overlaps this period before the first fault
	blip        = 3                // minimum seconds of saturation to count
	longQuiet   = 2 * time.Minute  // saturation for this long without a fault is no trigger
	enoughFault = 10               // minimum number of faults, all with one OSD
	enoughTime  = 10 * time.Second // minimum time that they span
	settling    = 5 * time.Second  // after the start, the time until a NIC's first rate is available
)

// A Loop is a series of repeatedly lost sessions.
type Loop struct {
	First  time.Time // when the run of losses began
	Losses *facts.Losses
	OSDs   []*facts.OSDLosses // OSDs that lost working sessions, most losses first
	Stalls []*facts.Stall     // stalls that belong to the loop
	Before []Evidence         // the order of events when the loop was first reported, kept because readings expire; nil: not reported yet
}

// OfLoop weighs the causes of a session loop.
func OfLoop(f *facts.Facts, l Loop) Analysis {
	all := map[Cause][]Evidence{}
	add := func(c Cause, list ...Evidence) { all[c] = append(all[c], list...) }
	if l.Before == nil {
		l.Before = Before(f, l.First)
	}
	e := exposed(f)
	one := l.onlyOne()
	add(Saturation, l.Before...)
	add(Saturation, l.full(f, e)...)
	if one && l.otherDisksGoOn(f) {
		add(Saturation, evidenceAt(node.SourceKmsg, l.OSDs[0].OSD, l.last(), -4,
			"only sessions to %s are lost, and I/O of other disks continues: a saturated NIC would affect all OSDs", l.OSDs[0].OSD))
	}
	l.buffers(f, e, one, add)
	l.memory(f, add)
	l.sparse(f, add)
	l.spread(f, e, one, add)
	corruptedFrames(f, add)
	l.refusals(add)
	return weigh(all)
}

func evidenceAt(source, subject string, at time.Time, weight int, format string, args ...any) Evidence {
	return Evidence{Source: source, Subject: subject, Fact: fmt.Sprintf(format, args...), At: at, Weight: weight}
}

// Before returns what the storage NICs did before the first fault, as evidence for or
// against saturation. It is called once, when the fault is first observed.
func Before(f *facts.Facts, first time.Time) []Evidence {
	nics, _ := f.StorageNICs()
	list := []Evidence{}
	most, known := 0.0, len(nics) > 0
	for _, n := range nics {
		h := n.Before(first, before)
		known, most = known && h.Known, max(most, h.Peak)
		switch {
		case h.Full >= blip:
			since := h.FullAt
			if l, full := n.Fuller(); full && l.Since.Before(since) {
				since = l.Since
			}
			list = append(list, evidenceAt(node.SourceNIC, n.Name, since, 4,
				"%s was saturated (%s, at least %s of %s) since %s, %s before the first session fault at %s",
				n.Label, h.Direction, human.Percent(node.FullShare), human.LinkSpeed(n.Speed), human.Clock(since),
				human.Span(first.Sub(since)), human.Clock(first)))
			if first.Sub(since) > longQuiet {
				list = append(list, evidenceAt(node.SourceNIC, n.Name, since, -1, "%s had been saturated for %s without a session fault",
					n.Label, human.Span(first.Sub(since))))
			}
			list = append(list, dropsBefore(f, n, h, first, 0)...)
		default:
			list = append(list, dropsBefore(f, n, h, first, 2)...)
		}
	}
	// One saturated NIC has the same weight as two.
	saturated := false
	for i := range list {
		if list[i].Weight > 0 {
			if saturated {
				list[i].Weight = 0
			}
			saturated = true
		}
	}
	switch {
	case saturated:
	case known:
		list = append(list, evidenceAt(node.SourceNIC, "", first, -3,
			"the storage NICs were calm before the first session fault at %s: at most %s of line rate in the %s before", human.Clock(first),
			human.Percent(most), human.Span(before)))
	default:
		list = append(list, evidenceAt(node.SourceNIC, "", first, 0,
			"order unknown: the storage NICs were not monitored before the first session fault at %s", human.Clock(first)))
	}
	return list
}

// dropsBefore returns the frames that a NIC dropped before the first fault, as
// evidence with the given weight. Drops of a saturated NIC add no weight to the
// saturation.
func dropsBefore(f *facts.Facts, n *facts.NIC, h facts.History, first time.Time, weight int) []Evidence {
	if h.DropAt.IsZero() || h.Dropped < 100 {
		return nil
	}
	since := h.DropAt
	if d, dropping := f.Dropping(n); dropping && d.Since.Before(since) {
		since = d.Since
	}
	return []Evidence{evidenceAt(node.SourceNIC, n.Name, since, weight,
		"%s dropped frames (receive buffers exhausted) from %s, before the first session fault at %s", n.Label, human.Clock(since),
		human.Clock(first))}
}

// full returns evidence of NICs that are saturated now. A NIC that filled up after the
// first fault is filled by resent requests. A NIC that was full from the first reading
// on, in a loop that is older than this run of the daemon, is a likely cause if no
// guest may change pages in flight, and a possible one otherwise, because the order of
// events is unknown.
func (l Loop) full(f *facts.Facts, e facts.Exposure) []Evidence {
	if len(l.Before) == 0 {
		return nil // the order of events does not matter here
	}
	unordered := !slices.ContainsFunc(l.Before, func(e Evidence) bool { return e.Weight != 0 })
	weight := 2
	if len(e.Windows) == 0 && e.Complete(f) {
		weight = 3
	}
	var list []Evidence
	nics, _ := f.StorageNICs()
	for _, n := range nics {
		load, full := n.Fuller()
		switch {
		case !full:
		case unordered && load.Since.Sub(f.Started) <= settling && n.At.Sub(load.Since) >= blip*time.Second:
			list = append(list, evidenceAt(node.SourceNIC, n.Name, load.Since, weight,
				"%s has been saturated (%s) since it was first read at %s", n.Label, load.Way, human.Clock(load.Since)))
			weight = 0 // one saturated NIC has the same weight as two
		case load.Since.After(l.First):
			list = append(list, evidenceAt(node.SourceNIC, n.Name, load.Since, 0,
				"%s has been saturated (%s) since %s, %s after the first session fault: resent requests fill it", n.Label, load.Way,
				human.Clock(load.Since), human.Span(load.Since.Sub(l.First))))
		}
	}
	return list
}

// exposed returns which guests may change pages in flight.
func exposed(f *facts.Facts) facts.Exposure { return f.Exposure() }

func (l Loop) sum(of func(*facts.OSDLosses) uint64) uint64 {
	n := uint64(0)
	for i := range l.OSDs {
		n += of(l.OSDs[i])
	}
	return n
}

func (l Loop) last() time.Time {
	var last time.Time
	for i := range l.OSDs {
		last = facts.Later(last, l.OSDs[i].Last())
	}
	return last
}

// onlyOne reports whether enough sessions were lost, for long enough, all with one OSD.
func (l Loop) onlyOne() bool {
	return len(l.OSDs) == 1 && l.OSDs[0].All() >= enoughFault && l.last().Sub(l.First) >= enoughTime
}

// otherDisksGoOn reports whether most disks with I/O are not stalled.
func (l Loop) otherDisksGoOn(f *facts.Facts) bool {
	busy := 0
	for i := range f.IO {
		if f.IO[i].Last.InFlight() > 0 || f.IO[i].IOPS > 0 {
			busy++
		}
	}
	return busy > 2*len(l.Stalls)+2
}

// buffers weighs whether guests may change pages while they are received or sent.
func (l Loop) buffers(f *facts.Facts, e facts.Exposure, one bool, add func(Cause, ...Evidence)) {
	crc := l.sum(func(o *facts.OSDLosses) uint64 { return o.Of(kmsg.ReasonCRC) })
	tags := l.sum(func(o *facts.OSDLosses) uint64 { return o.Of(kmsg.ReasonAuthTag) })
	damaged := l.sum(func(o *facts.OSDLosses) uint64 { return o.Damaged })
	closed := l.sum(func(o *facts.OSDLosses) uint64 { return o.Of(kmsg.ReasonClosed) })
	windows := fmt.Sprintf("%s of %s (%s) mapped without rxbounce: Windows may change a page while it is received, which breaks the checksum",
		human.Count(len(e.Windows), "krbd disk"), human.Count(len(e.WindowsOf.Names), "Windows guest"), human.Names(e.WindowsOf.Names, 3))
	at := f.Mapped.At
	switch {
	case crc == 0 && closed > 0:
		if len(e.Windows) > 0 {
			add(UnstableBuffers, evidenceAt(node.SourceKrbd, "", at, 1,
				"OSDs close the sessions and no checksum fails on this host: a page may change while it is sent, which the OSDs log as \"bad crc in data\""))
		} else {
			add(UnstableBuffers, evidenceAt(node.SourceKmsg, "", l.last(), 0,
				"OSDs close the sessions and no checksum fails on this host: the OSD logs give the reason (\"bad crc in data\": a page changed while it was sent)"))
		}
	case crc == 0:
		if tags > 0 {
			add(UnstableBuffers, evidenceAt(node.SourceKmsg, "", l.last(), -2,
				"authentication tags fail: the kernel verifies them in its own pages, not in a guest's"))
		}
	case damaged*2 > crc:
		add(UnstableBuffers, evidenceAt(node.SourceKmsg, "", l.last(), -4,
			"%s of %s are header checksum errors: headers are never in a guest's pages", human.Number(damaged),
			human.Count(crc, "CRC fault")))
	case len(e.Windows) > 0:
		add(UnstableBuffers, evidenceAt(node.SourceKrbd, "rxbounce", at, 3, "%s", windows))
		if score(l.Before) < 0 {
			add(UnstableBuffers, evidenceAt(node.SourceKmsg, "", l.First, 1, "the CRC faults began while the storage NICs were calm"))
		}
		if one && len(l.Stalls) <= 1 {
			add(UnstableBuffers, evidenceAt(node.SourceKmsg, l.OSDs[0].OSD, l.last(), 1,
				"all faults are on sessions to %s: a guest that repeats one read always reads from the same OSD", l.OSDs[0].OSD))
		}
	case e.Complete(f):
		add(UnstableBuffers, evidenceAt(node.SourceKrbd, "", at, -3, "no Windows guest uses a krbd disk without rxbounce"))
	default:
		add(UnstableBuffers, evidenceAt(node.SourceKrbd, "", at, -1, "no Windows guest is known to use a krbd disk without rxbounce"))
	}
}

func score(list []Evidence) int { return Candidate{Evidence: list}.Score() }

// memory weighs whether this host's memory is faulty or exhausted.
func (l Loop) memory(f *facts.Facts, add func(Cause, ...Evidence)) {
	lines, last := uint64(0), (*node.Series)(nil)
	for _, s := range f.Kernel.Of(kmsg.MachineCheck) {
		if f.Now.Sub(s.Last) > time.Hour {
			continue
		}
		lines += s.Total + s.History
		if last == nil || s.Last.After(last.Last) {
			last = s
		}
	}
	if last != nil && l.sum((*facts.OSDLosses).Broken) > 0 {
		add(BadMemory, evidenceAt(node.SourceKmsg, "", last.Last, 4,
			"%s of memory errors or machine checks of this host in the kernel log, latest: %s", human.Count(lines, "line"), last.Text))
	}
	if n := l.sum(func(o *facts.OSDLosses) uint64 { return o.Of(kmsg.ReasonMemory) }); n > 0 {
		add(NoMemory, evidenceAt(node.SourceKmsg, "", l.last(), 5, "%s lost because this host had no memory to receive messages",
			human.Count(n, "session")))
	}
}

// sparse weighs whether the log shows the loop of the sparse-read bug.
func (l Loop) sparse(f *facts.Facts, add func(Cause, ...Evidence)) {
	n := l.sum(func(o *facts.OSDLosses) uint64 { return o.Of(kmsg.ReasonSparseRead) })
	switch {
	case n == 0:
		add(SparseRead, evidenceAt(node.SourceKmsg, "", l.last(), -3, "no line of the sparse-read loop in the kernel log (CVE-2026-23136)"))
	case 2*n >= l.sum((*facts.OSDLosses).Broken):
		add(SparseRead, evidenceAt(node.SourceKmsg, "", l.last(), 7,
			"%s lost in %s to a sparse-read reply that the kernel could not parse (CVE-2026-23136)", human.Count(n, "session"),
			human.Span(l.Losses.Window)))
	}
}

// spread weighs how the losses are distributed: losses with one OSD, or one OSD host,
// point to it or its path; losses with many point to this host, which they share.
func (l Loop) spread(f *facts.Facts, e facts.Exposure, one bool, add func(Cause, ...Evidence)) {
	if len(l.OSDs) == 0 {
		return
	}
	hosts := map[string]bool{}
	last := ""
	for _, o := range l.OSDs {
		if host := o.Host(); host != last { // neighbours in the list often have the same host
			hosts[host], last = true, host
		}
	}
	delete(hosts, "")
	c := f.Cluster()
	worst := l.OSDs[0]
	osds := human.NamesOf(l.OSDs, someNames, func(o *facts.OSDLosses) string { return o.OSD })
	switch {
	case len(l.OSDs) > 1 && len(hosts) != 1:
		add(OneOSD, evidenceAt(node.SourceKmsg, "", l.last(), -4, "sessions to %s on %s are lost (%s): all have only this host in common",
			human.Count(len(l.OSDs), "OSD"), human.Count(len(hosts), "host"), osds))
	case len(l.OSDs) > 1:
		add(OneOSD, evidenceAt(node.SourceKmsg, "", l.last(), -4, "sessions to %s are lost: %s", human.Count(len(l.OSDs), "OSD"), osds))
		if known := f.OSDHosts(); known > 1 {
			add(OneHost, evidenceAt(node.SourceKmsg, "", l.last(), 3,
				"all lost sessions are to OSDs of one host, %s (%s); none of the %s lost one", worst.Host(), osds,
				human.Count(known-1, "other host")))
		}
	case !one:
	default:
		if e, blames := l.stalledElsewhere(f); blames {
			add(OneOSD, e)
		}
		weight := 3
		if len(e.Windows) > 0 && worst.Of(kmsg.ReasonCRC) > 0 && len(l.Stalls) <= 1 {
			weight = 0 // one guest's repeated read looks the same
		}
		switch {
		case len(c.OSDs) > 1:
			add(OneOSD, evidenceAt(node.SourceKmsg, worst.OSD, l.last(), weight,
				"all faults are on sessions to %s at %s; none on those to the %s", worst.OSD, worst.Addr(),
				human.Count(len(c.OSDs)-1, "other OSD")))
		case l.otherDisksGoOn(f):
			add(OneOSD, evidenceAt(node.SourceKmsg, worst.OSD, l.last(), weight,
				"all faults are on sessions to %s at %s, and I/O of other krbd disks continues", worst.OSD, worst.Addr()))
		}
		if len(l.Stalls) > 1 && weight == 3 {
			add(OneOSD, evidenceAt(node.SourceIO, worst.OSD, l.last(), 1, "%s stall together", human.Count(len(l.Stalls), "krbd disk")))
		}
	}
}

// stalledElsewhere returns evidence that stalled requests are waiting for an OSD
// other than the one that loses its sessions; false if there is none.
func (l Loop) stalledElsewhere(f *facts.Facts) (Evidence, bool) {
	for i := range l.Stalls {
		for _, w := range l.Stalls[i].Waits {
			if osd := facts.OSDName(w.Request.OSD); osd != l.OSDs[0].OSD {
				return evidenceAt(node.SourceOSDC, osd, f.Pending.At, -2, "a stalled request is waiting for %s, not for %s", osd,
					l.OSDs[0].OSD), true
			}
		}
	}
	return Evidence{}, false
}

// corruptedFrames weighs whether the NICs receive corrupted frames.
func corruptedFrames(f *facts.Facts, add func(Cause, ...Evidence)) {
	nics, _ := f.StorageNICs()
	known, damaged := false, false
	for _, n := range nics {
		known = known || len(n.Tens) > 0
		if times, most, at := n.Corrupted(f.Now); times > 1 { // an occasional bad frame does not count
			weight := 4
			if damaged {
				weight = 0
			}
			damaged = true
			add(Wire, evidenceAt(node.SourceNIC, n.Name, at, weight, "rx_crc_errors of %s are rising, by up to %s", n.Label,
				human.Rate(max(most, 1), "frame")))
		}
	}
	if known && !damaged {
		add(Wire, evidenceAt(node.SourceNIC, "", f.Now, -3, "rx_crc_errors of the storage NICs are flat: no corrupted frames received"))
	}
}

// CorruptedNICs returns the storage NICs that receive corrupted frames.
func CorruptedNICs(f *facts.Facts) []*facts.NIC {
	nics, _ := f.StorageNICs()
	return slices.DeleteFunc(slices.Clone(nics), func(n *facts.NIC) bool {
		times, _, _ := n.Corrupted(f.Now)
		return times < 2
	})
}

// refusals weighs whether the cluster refuses this client.
func (l Loop) refusals(add func(Cause, ...Evidence)) {
	refused, all, reasons := uint64(0), uint64(0), []string(nil)
	for i := range l.Losses.OSDs {
		o := l.Losses.OSDs[i]
		if n := o.Refused(); n > 0 {
			refused += n
			if len(reasons) == 0 {
				reasons = append(reasons, o.Text())
			}
		}
		all += o.All()
	}
	if refused > 0 && 2*refused >= all {
		add(Refused, evidenceAt(node.SourceKmsg, "", l.last(), 5, "%s refused in %s, latest: %s", human.Count(refused, "session"),
			human.Span(l.Losses.Window), strings.Join(reasons, "")))
	}
}
