package legacy

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// standing is the first stage: the risk that is there all the time.
func (p pattern) standing(in Input) report.Finding {
	e := p.exposure(in)
	f := report.Finding{
		Subject:  p.bond.Name,
		Severity: report.Warning,
		Impact:   report.Operational,
		Summary: fmt.Sprintf("layer2 bond + krbd: %s hashes with %s and carries Ceph traffic; %s. One NIC can fill and stall all of them.",
			p.name(), p.hash(), p.shared()),
		Evidence: []report.Evidence{
			in.fact(node.SourceBond, p.bond.Name, p.why),
		},
		Advice: hashAdvice(p.bond),
	}
	for _, path := range in.Storage {
		for _, carrier := range path.Carriers {
			if carrier == p.bond.Name {
				f.Evidence = append(f.Evidence, in.fact(node.SourceKrbd, path.Link, fmt.Sprintf("krbd's address %s is on %s, which leaves through %s: %s", path.IP, path.Link, p.bond.Name, counted(path.Devices, "krbd disk"))))
			}
		}
	}
	if len(p.users.names) > 0 {
		f.Evidence = append(f.Evidence, in.fact(node.SourceKrbd, "", p.users.list(3)))
	}
	f.Evidence = append(f.Evidence, riskEvidence(in, e)...)
	p.shares(in, &f)
	f.Advice = append(f.Advice, bounceAdvice(in, e)...)
	f.Advice = append(f.Advice, librbdAdviceFor(in, p.users)...)
	return f
}

// shares adds how the slaves share the traffic, as measured over a minute: rx and
// tx apart. Even or little traffic speaks against the risk, as far as it goes.
func (p pattern) shares(in Input, f *report.Finding) {
	var rx, tx, mostRx, mostTx, busiest float64
	text := ""
	for _, l := range p.legs {
		m := node.Mean(l.Seconds)
		rx, tx, mostRx, mostTx = rx+m.Rx, tx+m.Tx, max(mostRx, m.Rx), max(mostTx, m.Tx)
		for _, t := range l.Tens {
			r, s := t.Share()
			busiest = max(busiest, r, s)
		}
		text += fmt.Sprintf(", %s rx %s tx %s", l.Name, bitRate(m.Rx), bitRate(m.Tx))
	}
	if len(p.legs) < 2 || in.anyBlind(node.SourceNIC) || len(p.legs[0].Tens) == 0 {
		return
	}
	fact := in.fact(node.SourceNIC, p.bond.Name, fmt.Sprintf("over the last minute%s", text))
	const little = 50e6 // bit/s: below it a share says nothing
	even := func(most, sum float64) bool { return sum > little && most/sum < 1.3/float64(len(p.legs)) }
	if even(mostRx, rx) && even(mostTx, tx) {
		fact.Fact += ": the slaves share it evenly now, which peers' MAC addresses may give by chance"
		f.Against = append(f.Against, fact)
	} else {
		f.Evidence = append(f.Evidence, fact)
	}
	if busiest < 0.5 {
		f.Against = append(f.Against, in.fact(node.SourceNIC, p.bond.Name, fmt.Sprintf("no slave has been above %s of its line rate one way in the last %s", percent(busiest), span(in.Now.Sub(p.legs[0].Tens[0].At)))))
	}
}

// A filling is a slave that is full, and what shows that krbd feels it.
type filling struct {
	leg   *leg // nil: none is full
	full  full
	signs []report.Evidence
}

// filling looks for a slave that has been full for long enough.
func (l *layer2Limits) filling(in Input, p pattern) filling {
	if in.anyBlind(node.SourceNIC) {
		return filling{}
	}
	for i := range p.legs {
		f, is := fullNow(p.legs[i].NIC, in.Now, l.Full)
		if !is || p.legs[i].At.Sub(f.since) < l.FullFor {
			continue
		}
		signs := append(l.slow(in, p), l.dropping(in, p.legs[i])...)
		return filling{&p.legs[i], f, append(signs, l.losing(in)...)}
	}
	return filling{}
}

// hidden reports whether this stage could be there unseen: the NICs cannot be
// read, or one is full and what would feel it cannot.
func (f filling) hidden(in Input) bool {
	return in.anyBlind(node.SourceNIC) || f.leg != nil && in.anyBlind(node.SourceIO, node.SourceKmsg)
}

// slow tells whether the latency of enough of the bond's disks is raised.
func (l *layer2Limits) slow(in Input, p pattern) []report.Evidence {
	if in.anyBlind(node.SourceIO) {
		return nil
	}
	busy, slow, worst := 0, []string(nil), node.DiskIO{}
	for i := range p.devices {
		d, known := in.DiskIO(p.devices[i].Device)
		if !known || d.Last.InFlight() == 0 && d.IOPS == 0 {
			continue
		}
		busy++
		if d.Stuck() < 2*time.Second && (d.Latency < float64(l.Latency.Milliseconds()) || d.Latency < l.LatencyFactor*d.Usual) {
			continue
		}
		slow = append(slow, d.Device)
		if d.Latency > worst.Latency || worst.Device == "" {
			worst = d
		}
	}
	if len(slow) < min(2, len(p.devices)) || float64(len(slow)) < l.SlowShare*float64(busy) {
		return nil
	}
	return []report.Evidence{factAt(node.SourceIO, "", fmt.Sprintf("%d of %d busy krbd disks are slow; %s takes %.0f ms a request, usually %.0f ms, and %d are in flight",
		len(slow), busy, diskName(in, worst.Device), worst.Latency, worst.Usual, worst.Last.InFlight()), worst.At)}
}

// dropping tells whether the slave keeps dropping frames for lack of buffers, by
// its own counters or its driver's.
func (l *layer2Limits) dropping(in Input, n leg) []report.Evidence {
	since := in.Now
	for i := len(n.Seconds) - 1; i >= 0 && n.Seconds[i].Overload > 0; i-- {
		since = n.Seconds[i].At.Add(-time.Second)
	}
	source := node.SourceNIC
	if !n.DropSince.IsZero() && n.DropSince.Before(since) && !in.anyBlind(node.SourceDrops) {
		since, source = n.DropSince, node.SourceDrops
	}
	if in.Now.Sub(since) < l.Drops {
		return nil
	}
	return []report.Evidence{factAt(source, n.Name, fmt.Sprintf("%s drops frames for lack of buffers since %s, %.0f a second now", n.label, clock(since), max(n.Rates.Overload, n.DropRate)), n.At)}
}

// losing tells whether sessions with OSDs are lost: one CRC fault, or several
// others of one OSD that is not down.
func (l *layer2Limits) losing(in Input) []report.Evidence {
	t := tally{crc: []kmsg.Class{kmsg.CRC}, crcWindow: time.Minute, others: []kmsg.Class{kmsg.ClosedOpen, kmsg.SocketError}, window: time.Minute}
	return faultEvidence(slices.DeleteFunc(t.count(in), func(f faults) bool { return f.crc == 0 && f.others < uint64(l.Faults) }), t)
}

// building is the second stage: a slave is full and krbd feels it.
func (p pattern) building(in Input, f report.Finding, fill filling) report.Finding {
	carries := fmt.Sprintf("%s %s, %s of its line rate", fill.full.way, bitRate(fill.full.bits), percent(fill.full.share))
	f.Severity, f.Impact = report.Critical, report.DegradedPerformance
	f.Summary = fmt.Sprintf("layer2 bond + krbd: a storm is building: %s of %s is full (%s, for %s) and krbd feels it; %s",
		fill.leg.Name, p.name(), carries, span(in.Now.Sub(fill.full.since)), p.shared())
	full := factAt(node.SourceNIC, fill.leg.Name, fmt.Sprintf("%s is full since %s: %s", fill.leg.label, clock(fill.full.since), carries), fill.leg.At)
	f.Evidence = append(append([]report.Evidence{full}, fill.signs...), f.Evidence...)
	f.Advice = append(throttleAdvice(in), f.Advice...)
	return f
}

// storm is the third stage.
func (p pattern) storm(in Input, f report.Finding, s storm) report.Finding {
	f.Severity, f.Impact = report.Critical, report.MajorOutage
	f.Summary = fmt.Sprintf("layer2 bond + krbd: retry storm behind %s, which hashes with %s: %s; %s",
		p.name(), p.hash(), s.still(in, len(p.devices)), s.losing())
	f.Evidence = append(s.evidence(in), f.Evidence...)
	f.Advice = append(throttleAdvice(in), f.Advice...)
	return f
}
