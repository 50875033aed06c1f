package network

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type dropLimits struct {
	Rate   float64       `json:"rate" doc:"average frames per second dropped within the window because receive buffers were exhausted" min:"1" max:"1000000"`
	Window time.Duration `json:"window" doc:"averaging window; a third of its seconds must have drops" min:"5s" max:"60s"`
	Part   float64       `json:"part" doc:"share of dropped frames at which slow krbd disks are attributed to this NIC" min:"0.0001" max:"1"`
}

func nicDrops() rule.Rule {
	l := &dropLimits{Rate: 10, Window: 30 * time.Second, Part: 0.001}
	return rule.Rule{
		ID:            "nic-drops",
		Title:         "a NIC drops frames because its receive buffers are exhausted",
		Component:     report.ComponentNetwork,
		Severity:      "warning",
		Impact:        "operational; degraded_performance when krbd's traffic loses 0.1 % of its frames or more on the NIC and krbd disks are slow",
		Needs:         []string{node.SourceNIC},
		KeepFiringFor: rule.Always(time.Minute), // drops come in bursts
		Limits:        l,
		About: "The NIC had no buffer for arriving frames in many consecutive seconds: this host or this link is overloaded. Only counters with this meaning are used: rx_missed_errors, rx_fifo_errors and rx_over_errors, and driver counters of ethtool -S. " +
			"rx_dropped is ignored because it also counts unwanted frames; the guests' tap devices are ignored because they drop frames when a guest is slow. No counter on this host shows frames dropped by the switch.",
		Do: []string{
			"Check whether the NIC is saturated (nic-saturated) or its bond unbalanced (bond-imbalance): either is the cause.",
			"Show the current and maximum ring sizes: `ethtool -g ethX`. Enlarging them (`ethtool -G ethX rx 4096`) resets the NIC: its link goes down briefly.",
			"If the link is not saturated, the CPUs do not keep up with the interrupts: look at `/proc/softirqs` and at how the NIC's queues are distributed.",
		},
		Check: func(in rule.Input) []rule.Result { return overNICs(in, l.check) },
	}
}

// sustained returns the average number of frames per second that the NIC dropped over
// the window, and when the drops began; 0 if too few seconds of the window had drops.
func (l *dropLimits) sustained(in rule.Input, n *facts.NIC) (rate float64, since time.Time) {
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

// byDriver returns the number of frames per second that the NIC dropped according to
// its driver's counters, which are read less often, and when the drops began; 0
// unless the drops have lasted for the whole window.
func (l *dropLimits) byDriver(in rule.Input, n *facts.NIC) (rate float64, since time.Time) {
	if in.Blind(node.SourceDrops) != nil || n.DropSince.IsZero() || n.DropsAt.Sub(n.DropSince) < l.Window {
		return 0, time.Time{}
	}
	return n.DropRate, n.DropSince
}

func (l *dropLimits) check(in rule.Input, n *facts.NIC) (rule.Result, bool) {
	rate, since := l.sustained(in, n)
	driver, driverSince := l.byDriver(in, n)
	r := rule.Result{Subject: n.Name, Severity: report.Warning, RestsOn: []string{node.SourceNIC}}
	if rate > 0 {
		r.Evidence = append(r.Evidence, rule.FactAt(node.SourceNIC, n.Name,
			fmt.Sprintf("%s missed (missed, fifo, over), on average over %s", human.Rate(rate, "frame"), human.Span(l.Window)), n.At))
	}
	if driver > 0 {
		r.Evidence = append(r.Evidence, rule.FactAt(node.SourceDrops, n.Name,
			fmt.Sprintf("%s by the driver's counters (%s: %s)", human.Rate(driver, "frame"), n.Drops.Driver,
				human.Names(dropCounters(n.Drops), 3)), n.DropsAt))
	}
	if driver > rate {
		rate, since = driver, driverSince
		r.RestsOn = []string{node.SourceDrops}
	}
	if rate < l.Rate {
		return rule.Result{}, false
	}
	r.Since = since
	r.Summary = fmt.Sprintf("%s is dropping %s (RX buffers exhausted)", n.Label, human.Rate(rate, "frame"))
	lost := dropShare(n)
	if lost > 0 {
		r.Summary += fmt.Sprintf(", %s of received frames", human.Percent(lost))
	}
	if n.Devices > 0 {
		r.Summary += fmt.Sprintf("; %s use this NIC", human.Count(n.Devices, "krbd disk"))
		if lost >= l.Part {
			r.Hits.Slow = slowDisks(in)
			r.Ended, r.Remains = noneSlow(r.Hits.Slow), report.Warning
			r.Blind = in.Blind(node.SourceIO) != nil && hadImpact(in, n.Name)
		}
	}
	r.Evidence = append(r.Evidence, rule.FactAt(node.SourceNIC, n.Name, loadText(n), n.At))
	if !n.Rx.Full && n.Rx.Share > 0 {
		r.Against = append(r.Against, rule.FactAt(node.SourceNIC, n.Name,
			"its link is not saturated on receive: bursts, or CPUs that do not keep up", n.At))
	}
	r.Advice = []report.Advice{
		{Do: "Show its current and maximum ring sizes", Command: rule.ShellCommand("ethtool -g %s", n.Name)},
		{Do: "Show all counters of its driver", Command: rule.ShellCommand("ethtool -S %s | grep -iE 'drop|discard|miss|buffer'", n.Name)},
		{Do: "Enlarge its receive ring. This resets the NIC: its link goes down briefly",
			Command: rule.ShellCommand("ethtool -G %s rx 4096", n.Name)},
	}
	return r, true
}

// dropShare returns the share of arriving frames that the NIC drops now, from the
// latest reading of both counters; 0: unknown.
func dropShare(n *facts.NIC) float64 {
	drops := max(n.Rates.Overload, n.DropRate)
	if !n.Known || n.Rates.RxPackets <= 0 {
		return 0
	}
	return drops / (drops + n.Rates.RxPackets)
}

// slowDisks returns the krbd devices that are slow now.
func slowDisks(in rule.Input) []string {
	var devices []string
	for _, d := range in.SlowDisks(facts.DefaultSlow) {
		devices = append(devices, d.Device)
	}
	return devices
}

// noneSlow proves that customers no longer notice drops: none of the devices is slow.
func noneSlow(devices []string) func(*facts.Facts) bool {
	return func(f *facts.Facts) bool {
		return f.Blind(node.SourceIO) == nil && !slices.ContainsFunc(f.SlowDisks(facts.DefaultSlow),
			func(d *facts.Latency) bool { return slices.Contains(devices, d.Device) })
	}
}

// hadImpact reports whether the raised finding about the NIC has an impact: while krbd's
// I/O cannot be read, it is unknown whether it still has.
func hadImpact(in rule.Input, nic string) bool {
	was, raised := in.Was(nic)
	return raised && was.Finding.Impact != report.Operational
}

// dropCounters returns the names of the driver's drop counters that are above zero,
// sorted.
func dropCounters(d bond.Drops) []string {
	var names []string
	for name, n := range d.Counts {
		if n > 0 && !bond.Pause(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// loadText describes the current load of the NIC.
func loadText(n *facts.NIC) string {
	text := fmt.Sprintf("rx %s, tx %s", human.BitRate(n.Rates.RxBits), human.BitRate(n.Rates.TxBits))
	if n.Speed > 0 {
		text += " of " + human.LinkSpeed(n.Speed)
	}
	return text
}
