package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type saturatedLimits struct {
	Share float64       `json:"share" doc:"part of its line rate, one way, from which a NIC counts as full" min:"0.5" max:"0.98"`
	For   time.Duration `json:"for" doc:"how long without a break it must be full" min:"2s" max:"50s"`
}

func nicSaturated() Rule {
	limits := &saturatedLimits{Share: fullShare, For: 5 * time.Second}
	return Rule{
		ID:        "nic-saturated",
		Title:     "a NIC is full",
		Component: Network,
		Severity:  "warning",
		Impact:    "operational: a full NIC is use, not damage. What customers feel of it is told by nic-drops, layer2-bond-krbd and krbd-stalled",
		Needs:     []string{node.SourceNIC},
		Keep:      30 * time.Second, // a stream near the threshold goes above and below it
		Limits:    limits,
		About: "A slave of a bond, or a NIC without one, carries 90 % or more of its line rate one way, in each of the last five seconds. Receiving and sending are judged apart. " +
			"Counters leave out what Ethernet adds to each frame: at an MTU of 1500 a full link shows about 98 %. A NIC whose speed is not known cannot be judged. " +
			"A backup or a migration does this on a healthy node; together with trouble of krbd on a layer2 bond it is layer2-bond-krbd.",
		Do: []string{
			"Find what carries it: `ss -Htin state established`, and the guests' own traffic on their taps.",
			"See whether the other slaves of the bond are idle: then it is bond-imbalance, and a matter of hashing.",
			"Limit the backup or the migration at its source, rather than the NIC: a throttle on the NIC hits corosync and Ceph as well.",
		},
		Check: func(in Input) []report.Finding {
			var found []report.Finding
			for i := range in.NICs {
				if f, is := limits.judge(in, in.NICs[i]); is && in.Blind(node.SourceNIC) == nil {
					found = append(found, f)
				}
			}
			return found
		},
	}
}

// A run is one direction of a NIC that has been full without a break.
type run struct {
	way   string
	since time.Time
	flow  node.Flow // of the latest reading
	long  bool      // for long enough
}

// runOf follows one direction back from the latest reading to the last in which
// it was not full, or was not read.
func (l *saturatedLimits) runOf(n node.NIC, way string) run {
	const gap = 3 * time.Second // between readings: more is a break
	r := run{way: way}
	last := n.At
	for i := len(n.Seconds) - 1; i >= 0; i-- {
		f := n.Seconds[i]
		rx, tx := f.Share()
		if way == "rx" && rx < l.Share || way == "tx" && tx < l.Share || last.Sub(f.At) > gap {
			break
		}
		if i == len(n.Seconds)-1 {
			r.flow = f
		}
		last, r.since = f.At, f.At.Add(-time.Second)
	}
	r.long = !r.since.IsZero() && n.At.Sub(r.since) >= l.For
	return r
}

func (l *saturatedLimits) judge(in Input, n node.NIC) (report.Finding, bool) {
	if in.Now.Sub(n.At) > 5*time.Second {
		return report.Finding{}, false
	}
	rx, tx := l.runOf(n, "rx"), l.runOf(n, "tx")
	if was, raised := in.Was(n.Name); raised {
		rx.extend(n, was.Since)
		tx.extend(n, was.Since)
	}
	if !rx.long && !tx.long {
		return report.Finding{}, false
	}
	link, devices := carries(in, n.Name)
	f := report.Finding{
		Subject:  n.Name,
		Severity: report.Warning,
		Impact:   report.Operational,
		Summary:  nicOf(n.Name, link) + " is full:",
		Since:    in.Now,
		Advice: []report.Advice{
			{Do: "See which connections carry it", Command: "ss -Htin state established"},
			{Do: "See what the NIC counts", Command: paste("ip -s -s link show dev %s", n.Name)},
		},
	}
	for _, r := range []run{rx, tx} {
		if r.long {
			f.Summary += fmt.Sprintf(" %s, for %s;", r, span(n.At.Sub(r.since)))
			f.Evidence = append(f.Evidence, factAt(node.SourceNIC, n.Name, fmt.Sprintf("%s since %s", r, clock(r.since)), n.At))
			f.Since = earlier(f.Since, r.since)
		}
	}
	f.Summary += " " + besides(in, n, &f)
	if devices > 0 {
		f.Evidence = append(f.Evidence, in.fact(node.SourceKrbd, link, fmt.Sprintf("it carries the traffic of %s", counted(devices, "krbd disk"))))
	}
	if n.Rates.Overload == 0 && n.DropRate == 0 {
		f.Against = append(f.Against, factAt(node.SourceNIC, n.Name, "it drops nothing for lack of buffers: full, but not overrun", n.At))
	}
	return f, true
}

// extend lets a run that reaches as far back as readings are kept begin with the
// finding it is the reason for.
func (r *run) extend(n node.NIC, since time.Time) {
	if r.long && !r.since.After(n.Seconds[0].At) {
		r.since = earlier(r.since, since)
	}
}

// String is one line for people: "rx 9.4 Gbit/s, 94 % of 10G".
func (r run) String() string {
	rx, tx := r.flow.Share()
	bits, share := r.flow.Rx, rx
	if r.way == "tx" {
		bits, share = r.flow.Tx, tx
	}
	return fmt.Sprintf("%s %s, %s of %s", r.way, bitRate(bits), percent(share), linkSpeed(r.flow.Speed))
}

// besides tells what the other slaves of the same bond carry, in words and as evidence.
func besides(in Input, n node.NIC, f *report.Finding) string {
	b, slave := slaveOf(in, n.Name)
	if !slave {
		return "it is in no bond"
	}
	var most float64
	others := 0
	for _, s := range b.Slaves {
		o, watched := in.NIC(s.Name)
		if !watched || s.Name == n.Name || len(o.Seconds) == 0 || o.Speed <= 0 {
			continue
		}
		others++
		rx, tx := o.Seconds[len(o.Seconds)-1].Share()
		most = max(most, rx, tx)
		f.Evidence = append(f.Evidence, factAt(node.SourceNIC, s.Name, fmt.Sprintf("beside it: rx %s, tx %s of its line rate", percent(rx), percent(tx)), o.At))
	}
	switch others {
	case 0:
		return "no other slave of " + b.Name + " can be compared"
	case 1:
		return fmt.Sprintf("the other slave of %s is at %s", b.Name, percent(most))
	}
	return fmt.Sprintf("the other slaves of %s are at %s at most", b.Name, percent(most))
}

// earlier is the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
