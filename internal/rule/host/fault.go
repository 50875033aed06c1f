package host

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type faultLimits struct {
	Window    time.Duration `json:"window" doc:"how long a fault is reported after its latest kernel line" min:"1m" max:"1h"`
	Corrected int           `json:"corrected" doc:"corrected memory errors within ten minutes that make a warning" min:"1" max:"1000000"`
}

func hostFault() rule.Rule {
	l := &faultLimits{Window: 30 * time.Minute, Corrected: 100}
	return rule.Rule{
		ID:        "host-fault",
		Title:     "the kernel reports a fault of this host: a killed guest, a locked-up CPU, bad memory, an exhausted network table",
		Component: report.ComponentHost,
		Severity:  "warning; critical when the OOM killer has killed a guest; info for a few corrected memory errors",
		Impact:    "operational: the kernel log does not show which guests are affected",
		Needs:     []string{node.SourceKmsg},
		Limits:    l,
		About: "Kernel log lines that the on-call engineer of a hypervisor must know about, by subject. oom: the OOM killer killed a process; if that was QEMU, a guest is down. lockup: a CPU did not schedule for more than 20 seconds, or RCU stalled. machine-check: the hardware reported an error that was not corrected, or a device failed on the PCIe bus; memory: corrected memory errors. " +
			"network-memory: the connection table, the neighbour table or TCP's memory is full, and packets are dropped. They are reported for half an hour after the latest line.",
		Do: []string{
			"Read the kernel's lines: `journalctl -k --since -1h`.",
			"oom: find the guest that is down (`virsh list --all`), start it again, and reduce this node's memory overcommit.",
			"lockup and machine-check: migrate the guests away and check the hardware (`ras-mc-ctl --errors`, the BMC's event log).",
			"network-memory: compare `sysctl net.netfilter.nf_conntrack_max` with `nf_conntrack_count`; find who opens the connections.",
		},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			for _, check := range []func(rule.Input) (rule.Result, bool){l.killed, l.lockup, l.machineCheck, l.corrected, l.networkMemory} {
				if r, is := check(in); is {
					list = append(list, r)
				}
			}
			return list
		},
	}
}

// texts returns the first four lines as evidence.
func texts(lines facts.Lines) []report.Evidence {
	var list []report.Evidence
	for _, s := range lines.Series[:min(len(lines.Series), 4)] {
		list = append(list, rule.FactAt(node.SourceKmsg, s.Device, s.Text, s.Last))
	}
	return list
}

// killedProcess matches the process that the OOM killer names in its log line.
var killedProcess = regexp.MustCompile(`Killed process (\d+) \(([^)]*)\)`)

func (l *faultLimits) killed(in rule.Input) (rule.Result, bool) {
	s, is := in.LinesOf(l.Window, kmsg.OOM, "killed", "chosen")
	if !is {
		if s, is = in.LinesOf(l.Window, kmsg.OOM, "invoked", "reaped"); !is {
			return rule.Result{}, false
		}
	}
	name := ""
	if m := killedProcess.FindStringSubmatch(s.Latest.Text); m != nil {
		name = m[2]
	}
	r := rule.Result{
		Subject: "oom", Severity: report.Warning, Evidence: texts(s),
		Summary: fmt.Sprintf("out of memory: the OOM killer has killed %s at %s", orProcess(name), human.Clock(s.Latest.Last)),
		Advice: []report.Advice{
			{Do: "Show which guests are not running", Command: "virsh list --all"},
			{Do: "Show what uses the memory", Command: "ps -eo rss,pid,comm --sort=-rss | head -20"},
		},
	}
	if name == "kvm" || strings.HasPrefix(name, "qemu") {
		r.Severity = report.Critical
		r.Summary = fmt.Sprintf("out of memory: the OOM killer has killed a guest (%s) at %s", name, human.Clock(s.Latest.Last))
		r.Advice = append([]report.Advice{{Do: "Find the guest that was killed and start it on a node with free memory",
			Command: "journalctl -k --since -1h -g 'oom|Killed process'"}}, r.Advice...)
	}
	return r, true
}

func orProcess(name string) string {
	if name == "" {
		return "a process"
	}
	return name
}

func (l *faultLimits) lockup(in rule.Input) (rule.Result, bool) {
	s, is := in.LinesOf(l.Window, kmsg.Lockup)
	if !is {
		return rule.Result{}, false
	}
	return rule.Result{
		Subject: "lockup", Severity: report.Warning, Evidence: texts(s),
		Summary: fmt.Sprintf("CPU lockup: %s, the latest at %s", human.Count(s.N, "kernel report"), human.Clock(s.Latest.Last)),
		Advice: []report.Advice{
			{Do: "Read the kernel's stack traces", Command: "journalctl -k --since -1h -g 'lockup|rcu|stuck'"},
			{Do: "If it repeats, migrate the guests away and restart the node"},
		},
	}, true
}

func (l *faultLimits) machineCheck(in rule.Input) (rule.Result, bool) {
	s, is := in.LinesOf(l.Window, kmsg.MachineCheck, "", "UE")
	what := "hardware error (machine check)"
	if !is {
		if s, is = in.LinesOf(l.Window, kmsg.PCIeFault, "fatal", "uncorrected", "link down", "recovery failed", "dma"); !is {
			return rule.Result{}, false
		}
		what = "PCIe fault of " + s.Latest.Device
	}
	return rule.Result{
		Subject: "machine-check", Severity: report.Warning, Evidence: texts(s),
		Summary: fmt.Sprintf("%s: %s, the latest at %s", what, human.Count(s.N, "kernel line"), human.Clock(s.Latest.Last)),
		Advice: []report.Advice{
			{Do: "Read the kernel's lines", Command: "journalctl -k --since -1h -g 'Hardware Error|EDAC|AER|pcieport'"},
			{Do: "Find the failing part in the BMC's event log", Command: "ipmitool sel elist last 20"},
			{Do: "If it repeats, migrate the guests away before the node fails"},
		},
	}, true
}

// corrected returns a finding on corrected memory errors, which are harmless unless
// there are many.
func (l *faultLimits) corrected(in rule.Input) (rule.Result, bool) {
	s, is := in.LinesOf(l.Window, kmsg.MachineCheck, "CE")
	if !is {
		return rule.Result{}, false
	}
	n := uint64(0)
	for _, line := range in.Kernel.Of(kmsg.MachineCheck) {
		if line.Detail == "CE" {
			n += line.Within(in.Now, 10*time.Minute)
		}
	}
	r := rule.Result{
		Subject: "memory", Severity: report.Info, Evidence: texts(s),
		Summary: fmt.Sprintf("corrected memory errors: %s, the latest at %s", human.Count(s.N, "report"), human.Clock(s.Latest.Last)),
		Advice:  []report.Advice{{Do: "Find the memory module that reports them", Command: "ras-mc-ctl --error-count"}},
	}
	if n >= uint64(l.Corrected) {
		r.Severity = report.Warning
		r.Summary = fmt.Sprintf("many corrected memory errors: %s in the last 10 min; a memory module is failing", human.Number(n))
	}
	return r, true
}

// tables names the full table, by the detail of its kernel line.
var tables = map[string]string{
	"conntrack": "the connection table (conntrack) is full", "tcp memory": "TCP's memory is exhausted",
	"orphans":    "there are too many orphaned TCP sockets",
	"neighbours": "the neighbour table is full", "syn flood": "a listening port receives more SYNs than it can handle",
}

func (l *faultLimits) networkMemory(in rule.Input) (rule.Result, bool) {
	s, is := in.LinesOf(l.Window, kmsg.NetPressure)
	if !is {
		return rule.Result{}, false
	}
	what := tables[s.Latest.Detail]
	if what == "" {
		what = "a table of the network stack is full"
	}
	r := rule.Result{
		Subject: "network-memory", Severity: report.Warning, Evidence: texts(s),
		Summary: fmt.Sprintf("%s, and packets are dropped: %s, the latest at %s", what, human.Count(s.N, "kernel line"),
			human.Clock(s.Latest.Last)),
		Advice: []report.Advice{
			{Do: "Compare the number of connections with the limit",
				Command: "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"},
			{Do: "Show the sockets by protocol and state", Command: "ss -s"},
		},
	}
	if s.Latest.Detail == "syn flood" { // only that port's service is affected
		r.Severity = report.Info
		r.Summary = fmt.Sprintf("%s: %s, the latest at %s", what, human.Count(s.N, "kernel line"), human.Clock(s.Latest.Last))
	}
	return r, true
}
