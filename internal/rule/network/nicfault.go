package network

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type faultLimits struct {
	Window time.Duration `json:"window" doc:"how long a fault of a NIC is reported after its latest kernel line" min:"1m" max:"1h"`
}

func nicFault() rule.Rule {
	l := &faultLimits{Window: 30 * time.Minute}
	return rule.Rule{
		ID:            "nic-fault",
		Title:         "a NIC's driver reports hangs, resets or firmware faults",
		Component:     report.ComponentNetwork,
		Severity:      "warning; info for a single reset, which a change of the NIC's settings also causes",
		Impact:        "operational: a reset interrupts one slave for seconds; bond-degraded reports a bond without any slave",
		Needs:         []string{node.SourceKmsg},
		KeepFiringFor: rule.Always(time.Minute),
		Explains:      []string{"bond-degraded", "slave-missing", "link-speed", "nic-errors"},
		Limits:        l,
		About: "The kernel log reports that a transmit queue of the NIC timed out or hung, that its driver reset it, or that its firmware or hardware failed. Its link may stay up although nothing is sent; no other counter shows that. " +
			"A NIC that does this under load will do so in a storm. Each kind of fault is counted per NIC.",
		Do: []string{
			"Read the kernel's lines: `journalctl -k -g ethX`.",
			"Check whether its firmware and driver are current: `ethtool -i ethX`; look for the fault in the driver's changelog.",
			"Take the slave out of the bond if it repeats: `ip link set dev ethX nomaster`. The other slave then carries all traffic.",
		},
		Check: func(in rule.Input) []rule.Result { return l.check(in) },
	}
}

func (l *faultLimits) check(in rule.Input) []rule.Result {
	var list []rule.Result
	for _, lines := range in.LinesBy(l.Window, func(s *node.Series) (string, bool) { return s.Device, s.Device != "" }, kmsg.NICHang,
		kmsg.NICReset, kmsg.NICFault) {
		list = append(list, faultResult(in, lines))
	}
	return list
}

func faultResult(in rule.Input, lines facts.Lines) rule.Result {
	device := lines.Subject
	label, bondName := device, ""
	if n, watched := in.NICNamed(device); watched {
		label, bondName = n.Label, n.Bond
	}
	for _, b := range in.Bonds() { // a NIC that has fallen off the bus is no longer a slave
		if slices.ContainsFunc(in.Spread(b).Missing, func(s node.SeenSlave) bool { return s.Name == device }) {
			bondName = b.Name
		}
	}
	counts := map[kmsg.Class]uint64{}
	var evidence []report.Evidence
	for _, s := range lines.Series {
		counts[s.Class] += s.Total + s.History
		if len(evidence) < 6 {
			evidence = append(evidence, rule.FactAt(node.SourceKmsg, device,
				fmt.Sprintf("%s, %s: %s", s.Class, human.Count(s.Total+s.History, "line"), s.Text), s.Last))
		}
	}
	var kinds []string
	for _, k := range []struct {
		class kmsg.Class
		noun  string
	}{{kmsg.NICHang, "transmit hang"}, {kmsg.NICReset, "reset"}, {kmsg.NICFault, "firmware or hardware fault"}} {
		if n := counts[k.class]; n > 0 {
			kinds = append(kinds, human.Count(n, k.noun))
		}
	}
	r := rule.Result{
		Subject: device, Severity: report.Warning, Explains: []string{device, bondName},
		Summary: fmt.Sprintf("%s is faulty: the kernel reports %s, the latest at %s", label, human.Names(kinds, 3),
			human.Clock(lines.Latest.Last)),
		Evidence: evidence,
		Advice: []report.Advice{
			{Do: "Read the kernel's lines about " + device, Command: rule.ShellCommand("journalctl -k --since -1h -g %s", device)},
			{Do: "Show its driver and firmware versions, and look for the fault in the driver's changelog",
				Command: rule.ShellCommand("ethtool -i %s", device)},
		},
	}
	if counts[kmsg.NICHang]+counts[kmsg.NICFault] == 0 && counts[kmsg.NICReset] == 1 {
		r.Severity = report.Info // a single reset is expected after a change of its settings
	}
	if bondName == "" {
		r.Explains = []string{device}
		return r
	}
	if b, found := in.BondNamed(bondName); found {
		others := slices.DeleteFunc(slaveNames(in.Carries(b)), func(s string) bool { return s == device })
		if len(others) > 0 {
			r.Against = []report.Evidence{in.Fact(facts.BondSource(b), b.Name, "it carries traffic on "+human.Names(others, 4))}
			r.Advice = append(r.Advice, report.Advice{Do: fmt.Sprintf("If it repeats, take %s out of %s; %s then carries all traffic",
				device, b.Name, human.Names(others, 2)), Command: rule.ShellCommand("ip link set dev %s nomaster", device)})
		}
	}
	return r
}
