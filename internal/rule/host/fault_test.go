package host

import (
	"testing"

	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

func TestHostFault(t *testing.T) {
	for what, c := range map[string]struct {
		line kmsg.Count
		want string
	}{
		"a guest is killed": {kmsg.Count{Class: kmsg.OOM, Detail: "killed",
			Text: "Out of memory: Killed process 4711 (kvm) total-vm:33554432kB, anon-rss:31457280kB"},
			"critical/operational oom: out of memory: the OOM killer has killed a guest (kvm) at 02:00:01"},
		"something else is killed": {kmsg.Count{Class: kmsg.OOM, Detail: "killed",
			Text: "Out of memory: Killed process 812 (node_exporter)"},
			"warning/operational oom: out of memory: the OOM killer has killed node_exporter at 02:00:01"},
		"an allocation failed": {kmsg.Count{Class: kmsg.OOM, Detail: "page allocation",
			Text: "kworker/0:1: page allocation failure: order:4"}, ""},
		"a lockup": {kmsg.Count{Class: kmsg.Lockup, Detail: "soft",
			Text: "watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [CPU 0/KVM:12345]"},
			"warning/operational lockup: CPU lockup: 1 kernel report, the latest at 02:00:01"},
		"a machine check": {kmsg.Count{Class: kmsg.MachineCheck, Text: "mce: [Hardware Error]: CPU 3: Machine Check Exception: 5 Bank 4"},
			"warning/operational machine-check: hardware error (machine check): 1 kernel line, the latest at 02:00:01"},
		"a PCIe fault": {kmsg.Count{Class: kmsg.PCIeFault, Device: "0000:3b:00.0", Detail: "fatal",
			Text: "pcieport 0000:3a:00.0: AER: fatal"},
			"warning/operational machine-check: PCIe fault of 0000:3b:00.0: 1 kernel line, the latest at 02:00:01"},
		"corrected, few": {kmsg.Count{Class: kmsg.MachineCheck, Detail: "CE", Text: "EDAC MC0: 1 CE memory read error"},
			"info/operational memory: corrected memory errors: 1 report, the latest at 02:00:01"},
		"corrected, many": {kmsg.Count{Class: kmsg.MachineCheck, Detail: "CE", N: 500, Text: "EDAC MC0: 1 CE memory read error"},
			"warning/operational memory: many corrected memory errors: 500 in the last 10 min; a memory module is failing"},
		"conntrack": {kmsg.Count{Class: kmsg.NetPressure, Detail: "conntrack", N: 120, Text: "nf_conntrack: table full, dropping packet"},
			"warning/operational network-memory: the connection table (conntrack) is full, and packets are dropped: 120 kernel lines, the latest at 02:00:01"},
	} {
		t.Run(what, func(t *testing.T) {
			sc := nodetest.New(nodetest.Over()).Pass(1)
			c.line.N = max(c.line.N, 1)
			sc.Log(c.line)
			if got := ruletest.OnlyOne(t, ruletest.Check(sc, hostFault())); ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
			if got := ruletest.Check(sc.Pass(31*60), hostFault()); len(got) != 0 {
				t.Errorf("got %q half an hour later", ruletest.Said(&got[0]))
			}
		})
	}
}
