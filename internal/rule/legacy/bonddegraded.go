package legacy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// flapWindow is how long a failed link is remembered.
const flapWindow = 10 * time.Minute

type degradedLimits struct {
	Failures int `json:"failures" doc:"failures of one slave's link within ten minutes that count as a flapping link" min:"1" max:"100"`
}

func bondDegraded() Rule {
	limits := &degradedLimits{Failures: 2}
	return Rule{
		ID:        "bond-degraded",
		Title:     "a bond has lost a slave, or one is not as it should be",
		Component: Network,
		Severity:  "warning; critical when nothing of a bond in use carries traffic; info when that bond is not in use",
		Impact:    "operational while a slave is left; major_outage when a bond that carries krbd's traffic has none, partial_outage when another bond in use has none",
		Needs:     []string{node.SourceBond},
		Hold:      5 * time.Second,  // a link that is back within this is a flap, which is counted
		Keep:      30 * time.Second, // longer than a slave takes to come back into its bundle
		Limits:    limits,
		About: "A slave has no link, its MII status is down, it runs at another speed than the others, at half duplex or at a speed that is not known, its link keeps failing, or the bond has no active aggregator. " +
			"The bond goes on with the slaves that are left, with less bandwidth and nothing to fall back on. Failures of a link are taken from the kernel's own count, so that those between two readings are not missed.",
		Do: []string{
			"Look at the slave: `ethtool ethX`, and `ethtool -m ethX` for its optics.",
			"Look at the switch port, the cable and the kernel log.",
			"Do not change the other slave, its cable or its switch until this one carries traffic again.",
		},
		Check: func(in Input) []report.Finding {
			return overBonds(in, func(b bond.Bond) (report.Finding, bool) { return limits.judge(in, b) })
		},
	}
}

// A complaint is one thing that is wrong with one slave.
type complaint struct{ slave, text string }

func (l *degradedLimits) judge(in Input, b bond.Bond) (report.Finding, bool) {
	list := l.complaints(in, b)
	f := report.Finding{Severity: report.Warning, Impact: report.Operational}
	down := slices.DeleteFunc(slices.Clone(b.Slaves), func(s bond.Slave) bool { return !isDown(s) })
	_, krbds := in.CarriesStorage(b.Name)
	if allDown := len(b.Slaves) > 0 && len(down) == len(b.Slaves); allDown || !b.Up && krbds {
		f.Severity, f.Impact, f.Summary = bondCut(in, b)
	} else if len(list) == 0 {
		return report.Finding{}, false
	} else {
		f.Summary = fmt.Sprintf("%s: %s", bondName(b), complaintText(list))
		if left := b.Carrying(); len(left) > 0 {
			f.Summary += fmt.Sprintf("; %d of %s carry traffic", len(left), counted(len(b.Slaves), "slave"))
			f.Against = append(f.Against, in.fact(bondSource(b), b.Name, "it is up and goes on with "+someOf(slaveNames(left), 4)))
		}
	}
	for _, c := range list[:min(len(list), 8)] {
		f.Evidence = append(f.Evidence, in.fact(bondSource(b), c.slave, c.text))
	}
	f.Evidence = append(f.Evidence, downLines(in, b)...)
	f.Advice = append(f.Advice, lookAtBond(b))
	for _, name := range suspects(b, list, 2) {
		f.Advice = append(f.Advice,
			report.Advice{Do: "See the link of " + name + " and its speed", Command: paste("ethtool %s", name)},
			report.Advice{Do: "See the optics of " + name, Command: paste("ethtool -m %s", name)},
		)
	}
	f.Advice = append(f.Advice, report.Advice{Do: "See what the kernel logged of it", Command: paste("journalctl -k --since -30min -g %s", b.Name)})
	return f, true
}

// bondCut is what it means that nothing of a bond carries traffic.
func bondCut(in Input, b bond.Bond) (report.Severity, report.Impact, string) {
	what := fmt.Sprintf("%s is down: none of its slaves carries traffic", bondName(b))
	if devices, krbds := in.CarriesStorage(b.Name); krbds {
		return report.Critical, report.MajorOutage, fmt.Sprintf("%s; %s cannot reach the cluster", what, counted(devices, "krbd disk"))
	}
	if on := inUse(in, b); on != "" {
		return report.Critical, report.PartialOutage, fmt.Sprintf("%s; %s stands on it", what, on)
	}
	return report.Info, report.Operational, what + "; nothing stands on it"
}

// isDown reports whether a slave has lost its link. While a delay is running
// (GOING_DOWN, GOING_BACK) it has not.
func isDown(s bond.Slave) bool { return !s.Carrier || s.MIIStatus == "DOWN" }

// complaints are what is wrong with the slaves of a bond, in their order.
func (l *degradedLimits) complaints(in Input, b bond.Bond) []complaint {
	var list []complaint
	say := func(s bond.Slave, format string, args ...any) {
		list = append(list, complaint{s.Name, s.Name + " " + fmt.Sprintf(format, args...)})
	}
	fastest := 0
	for _, s := range b.Slaves {
		fastest = max(fastest, s.Speed)
	}
	for _, s := range b.Slaves {
		if n := in.Flap(b.Name, s.Name).Within(in.Now, flapWindow); n >= uint64(l.Failures) {
			say(s, "keeps losing its link: %d times in the last 10 min", n)
		}
		switch {
		case !s.Carrier:
			say(s, "has no link")
		case isDown(s):
			say(s, "is down by the bond's own check (MII status)")
		case s.Duplex == "half":
			say(s, "runs at half duplex")
		case s.Speed > 0 && s.Speed < fastest:
			say(s, "runs at %s, another slave at %s", linkSpeed(s.Speed), linkSpeed(fastest))
		case s.Speed == 0 && (fastest > 0 || knowsItsSpeed(s)):
			say(s, "is up at a speed that is not known")
		}
	}
	if b.Mode == bond.LACP && b.AD == nil && b.Up && len(b.Slaves) > 0 {
		list = append(list, complaint{b.Name, b.Name + " has no active aggregator"})
	}
	return list
}

// knowsItsSpeed reports whether the slave's driver is one of hardware, which has
// a speed whenever it is up. Virtual NICs have none.
func knowsItsSpeed(s bond.Slave) bool {
	return s.Driver != "" && !slices.Contains([]string{"virtio_net", "veth", "dummy", "tun", "hv_netvsc", "xen_netfront", "vif"}, s.Driver)
}

// complaintText joins the first complaints.
func complaintText(list []complaint) string {
	const most = 3
	var texts []string
	for _, c := range list[:min(len(list), most)] {
		texts = append(texts, c.text)
	}
	text := strings.Join(texts, ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// suspects are the slaves that are complained of, each once, at most as many.
func suspects(b bond.Bond, list []complaint, most int) []string {
	var names []string
	for _, c := range list {
		if c.slave != b.Name && len(names) < most && !slices.Contains(names, c.slave) {
			names = append(names, c.slave)
		}
	}
	return names
}

func slaveNames(list []bond.Slave) []string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Name
	}
	return names
}
