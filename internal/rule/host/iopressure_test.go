package host

import (
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

func TestHostIOPressure(t *testing.T) {
	for what, c := range map[string]struct {
		host host.State
		want string
	}{
		"calm":                 {host.State{IO: &host.Pressure{Some10: 3}, Load: [3]float64{12}}, ""},
		"no PSI in the kernel": {host.State{Load: [3]float64{12}}, ""},
		"full just below":      {host.State{IO: &host.Pressure{Full10: 19.9, Some10: 59}}, ""},
		"full": {host.State{IO: &host.Pressure{Full10: 20, Some10: 30}},
			"warning/operational: High I/O pressure: all tasks stalled 20 % of the last 10 s, some 30 %"},
		"some": {host.State{IO: &host.Pressure{Full10: 5, Some10: 61}},
			"warning/operational: High I/O pressure: all tasks stalled 5 % of the last 10 s, some 61 %"},
		"few wait": {host.State{Waiting: &host.Waiting{Total: 19, ByComm: map[string]int{"kworker/u8:1": 19}}}, ""},
		"many wait": {host.State{Waiting: &host.Waiting{Total: 25,
			ByComm: map[string]int{"jbd2/rbd0-8": 4, "kworker/u8:1": 20, "z": 1}}},
			"warning/operational: High I/O pressure: 25 tasks in uninterruptible sleep (20 kworker/u8:1, 4 jbd2/rbd0-8 and 1 z)"},
		"guests wait": {host.State{Waiting: &host.Waiting{Total: 22,
			ByComm: map[string]int{"kvm": 2, "CPU 3/KVM": 10, "iou-wrk-1201": 10}}},
			"warning/degraded_performance: High I/O pressure: 22 tasks in uninterruptible sleep (10 CPU 3/KVM, 10 iou-wrk-1201 and 2 kvm)"},
		"vCPUs wait": {host.State{Waiting: &host.Waiting{Total: 20, ByComm: map[string]int{"CPU 0/KVM": 20}}},
			"warning/degraded_performance: High I/O pressure: 20 tasks in uninterruptible sleep (20 CPU 0/KVM)"},
		"QEMU waits": {host.State{Waiting: &host.Waiting{Total: 20, ByComm: map[string]int{"qemu-system-x86": 20}}},
			"warning/degraded_performance: High I/O pressure: 20 tasks in uninterruptible sleep (20 qemu-system-x86)"},
		"QEMU's workers wait": {host.State{Waiting: &host.Waiting{Total: 20, ByComm: map[string]int{"iou-wrk-77": 20}}},
			"warning/degraded_performance: High I/O pressure: 20 tasks in uninterruptible sleep (20 iou-wrk-77)"},
		"load from computing": {host.State{IO: &host.Pressure{Some10: 1}, Load: [3]float64{680}}, ""},
		"load with I/O": {host.State{IO: &host.Pressure{Some10: 12}, Load: [3]float64{680}},
			"warning/operational: High I/O pressure: load 680 on 64 CPUs"},
		"load just below": {host.State{IO: &host.Pressure{Some10: 12}, Load: [3]float64{255}}, ""},
		"load of those that wait": {host.State{Waiting: &host.Waiting{Total: 400, ByComm: map[string]int{"nfsd": 400}},
			Load: [3]float64{410}}, "warning/operational: High I/O pressure: 400 tasks in uninterruptible sleep (400 nfsd); load 410 on 64 CPUs"},
		"the number of CPUs unknown": {host.State{CPUs: -1, IO: &host.Pressure{Some10: 12}, Load: [3]float64{680}}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over()).SeeHost(c.host), hostIOPressure()))
			if ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
		})
	}
}

func TestHostIOPressureHungTasks(t *testing.T) {
	sc := nodetest.New(nodetest.Over()).SeeHost(host.State{})
	sc.Log(kmsg.Count{Class: kmsg.HungTask, Detail: "jbd2/rbd0-8", N: 2,
		Text: "INFO: task jbd2/rbd0-8:139 blocked for more than 122 seconds."})
	got := ruletest.OnlyOne(t, ruletest.Check(sc, hostIOPressure()))
	if want := "warning/operational: High I/O pressure: 2 hung tasks in the last 5 min (jbd2/rbd0-8)"; ruletest.Said(got) != want {
		t.Errorf("got  %q\nwant %q", ruletest.Said(got), want)
	}
	if got := ruletest.Check(sc.Pass(301), hostIOPressure()); len(got) != 0 {
		t.Errorf("got %q five minutes later, want nothing", ruletest.Said(&got[0]))
	}
}

// After ten hung tasks the kernel stops logging, but some kernels continue to count.
func TestHostIOPressureHungTasksByTheKernelsCount(t *testing.T) {
	hung := func(n uint64) host.State { return host.State{BootID: "a", Hung: &n} }
	sc := nodetest.New(nodetest.Over()).SeeHost(hung(70))
	if got := ruletest.Check(sc, hostIOPressure()); len(got) != 0 {
		t.Fatalf("got %q for tasks of before, want nothing", ruletest.Said(&got[0]))
	}
	sc.Pass(5).SeeHost(hung(73))
	sc.Pass(30).SeeHost(hung(73)) // the count does not change, but the tasks are still hung
	got := ruletest.OnlyOne(t, ruletest.Check(sc, hostIOPressure()))
	if want := "warning/operational: High I/O pressure: 3 hung tasks in the last 5 min (the kernel's counter)"; ruletest.Said(got) != want {
		t.Errorf("got  %q\nwant %q", ruletest.Said(got), want)
	}
	sc = nodetest.New(nodetest.Over()).SeeHost(hung(70))
	other := hung(90)
	other.BootID = "b"
	if got := ruletest.Check(sc.SeeHost(other), hostIOPressure()); len(got) != 0 {
		t.Errorf("got %q from the counts of two boots, want nothing", ruletest.Said(&got[0]))
	}
}

func TestHostIOPressureHasEvidenceAgainst(t *testing.T) {
	sc := nodetest.New(nodetest.Over()).SeeHost(host.State{
		IO: &host.Pressure{Full10: 50, Some10: 70}, Memory: &host.Pressure{Some10: 35}, Waiting: &host.Waiting{Total: 3, Partly: true},
	})
	sc.Log(kmsg.Count{Class: kmsg.HungMuted, N: 1, Text: "Future hung task reports are suppressed"})
	sc.See(node.SawIO{Reading: node.Reading[[]rbd.IO]{Value: []rbd.IO{{Device: "rbd0", Reads: 1}}, At: sc.At}})
	got := ruletest.OnlyOne(t, ruletest.Check(sc, hostIOPressure()))
	all := strings.Join(ruletest.FactsOf(got.Against), "\n")
	for _, want := range []string{"some tasks stalled on memory 35 % of the last 10 s", "not every task could be read",
		"stopped reporting hung tasks", "krbd disks complete their requests"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}
