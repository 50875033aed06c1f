package legacy

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type dropLimits struct {
	Rate   float64       `json:"rate" doc:"frames a second dropped for lack of buffers, on average over the window" min:"1" max:"1000000"`
	Window time.Duration `json:"window" doc:"time over which drops are averaged; they must fall into a third of its seconds" min:"5s" max:"60s"`
	Part   float64       `json:"part" doc:"part of the received frames that is dropped from which customers feel it, on a NIC that carries krbd's traffic" min:"0.0001" max:"1"`
}

func nicDrops() Rule {
	limits := &dropLimits{Rate: 10, Window: 30 * time.Second, Part: 0.001}
	return Rule{
		ID:        "nic-drops",
		Title:     "a NIC drops frames for lack of buffers",
		Component: Network,
		Severity:  "warning",
		Impact:    "operational; degraded_performance when a NIC that carries krbd's traffic loses 0.1 % of its frames or more: TCP sends them again, and disks become slow",
		Needs:     []string{node.SourceNIC},
		Keep:      time.Minute, // drops come in bursts
		Limits:    limits,
		About: "The NIC had no buffer for frames that arrived, second after second: this host or this link is overrun. Only counters that mean that are taken: rx_missed_errors, rx_fifo_errors and rx_over_errors, and the driver's own of ethtool -S. " +
			"rx_dropped is left out, as it counts unwanted frames too, and so are the taps of guests, which drop when a guest is slow. Frames dropped by the switch show nowhere on this host.",
		Do: []string{
			"See how large the rings are and can be: `ethtool -g ethX`. To enlarge them (`ethtool -G ethX rx 4096`) resets the NIC: its link is gone for a moment.",
			"See whether the NIC is full (nic-saturated) or its bond out of balance (bond-imbalance).",
			"If neither: the CPUs do not keep up with the interrupts. Look at `/proc/softirqs` and at the spread of the NIC's queues.",
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

// sustained is how many frames a second the NIC dropped on average over the
// window, and since when; 0 if they came in too few of its seconds.
func (l *dropLimits) sustained(in Input, n node.NIC) (rate float64, since time.Time) {
	flows, covered := n.Lately(in.Now, l.Window)
	with := 0
	for _, f := range flows {
		if f.Overload > 0 {
			with++
			if since.IsZero() {
				since = f.At.Add(-time.Second)
			}
		}
	}
	if !covered || 3*with < len(flows) {
		return 0, time.Time{}
	}
	return node.Mean(flows).Overload, since
}

// byDriver is how many frames a second the NIC dropped by its driver's count,
// which is read less often, and since when; 0 unless that has lasted for the window.
func (l *dropLimits) byDriver(in Input, n node.NIC) (rate float64, since time.Time) {
	if in.Blind(node.SourceDrops) != nil || n.DropSince.IsZero() || n.DropsAt.Sub(n.DropSince) < l.Window {
		return 0, time.Time{}
	}
	return n.DropRate, n.DropSince
}

func (l *dropLimits) judge(in Input, n node.NIC) (report.Finding, bool) {
	own, ownSince := l.sustained(in, n)
	driver, driverSince := l.byDriver(in, n)
	rate, since := own, ownSince
	if driver > own {
		rate, since = driver, driverSince
	}
	if rate < l.Rate {
		return report.Finding{}, false
	}
	link, devices := carries(in, n.Name)
	lost := 0.0 // not known
	if n.Known && n.Rates.RxPackets > 0 {
		lost = rate / (rate + n.Rates.RxPackets)
	}
	f := report.Finding{
		Subject:  n.Name,
		Severity: report.Warning,
		Impact:   report.Operational,
		Since:    since,
		Summary:  fmt.Sprintf("%s drops %.0f frames a second for lack of buffers", nicOf(n.Name, link), rate),
	}
	if lost > 0 {
		f.Summary += fmt.Sprintf(", %.2g %% of what arrives", 100*lost)
	}
	if devices > 0 && lost >= l.Part {
		f.Impact = report.DegradedPerformance
		f.Summary += fmt.Sprintf("; %s are behind it", counted(devices, "krbd disk"))
	}
	if own > 0 {
		f.Evidence = append(f.Evidence, factAt(node.SourceNIC, n.Name, fmt.Sprintf("%.0f frames a second missed (missed, fifo, over), on average over %s", own, span(l.Window)), n.At))
	}
	if driver > 0 {
		f.Evidence = append(f.Evidence, factAt(node.SourceDrops, n.Name, fmt.Sprintf("%.0f frames a second by %s's own count (%s)", driver, n.Drops.Driver, someOf(countersOf(n.Drops), 3)), n.DropsAt))
	}
	f.Evidence = append(f.Evidence, factAt(node.SourceNIC, n.Name, loadOf(n), n.At))
	if rx := part(n.Rates.RxBits, float64(n.Speed)*1e6); rx > 0 && rx < fullShare {
		f.Against = append(f.Against, factAt(node.SourceNIC, n.Name, "its link is not full on average: bursts, or CPUs that do not keep up", n.At))
	}
	f.Advice = []report.Advice{
		{Do: "See how large its rings are and can be", Command: paste("ethtool -g %s", n.Name)},
		{Do: "See all that its driver counts", Command: paste("ethtool -S %s | grep -iE 'drop|discard|miss|buffer'", n.Name)},
		{Do: "Enlarge its ring. This resets the NIC: its link is gone for a moment", Command: paste("ethtool -G %s rx 4096", n.Name)},
	}
	return f, true
}

// nicOf introduces a NIC: "eth1 of bond0", or "eth1".
func nicOf(name, link string) string {
	if link == name {
		return name
	}
	return name + " of " + link
}

// countersOf are the names of the driver's drop counters that are above zero, sorted.
func countersOf(d bond.Drops) []string {
	var names []string
	for name, n := range d.Counts {
		if n > 0 && !bond.Pause(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// loadOf is what the NIC carries now.
func loadOf(n node.NIC) string {
	text := fmt.Sprintf("rx %s, tx %s", bitRate(n.Rates.RxBits), bitRate(n.Rates.TxBits))
	if n.Speed > 0 {
		text += " of " + linkSpeed(n.Speed)
	}
	return text
}
