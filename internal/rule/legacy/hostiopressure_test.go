package legacy

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// hostSeen has the host read.
func (sc *scene) hostSeen(h host.State) *scene {
	if h.CPUs == 0 {
		h.CPUs = 64
	}
	sc.see(node.SawHost{Reading: node.Reading[host.State]{Value: h, At: sc.at}})
	return sc
}

func TestHostIOPressure(t *testing.T) {
	for what, c := range map[string]struct {
		host host.State
		want string
	}{
		"calm":                       {host.State{IO: &host.Pressure{Some10: 3}, Load: [3]float64{12}}, ""},
		"no PSI in the kernel":       {host.State{Load: [3]float64{12}}, ""},
		"full just below":            {host.State{IO: &host.Pressure{Full10: 19.9, Some10: 59}}, ""},
		"full":                       {host.State{IO: &host.Pressure{Full10: 20, Some10: 30}}, "warning/operational: this host waits for I/O: I/O pressure over 10 s: all tasks wait 20 % of the time, some 30 %"},
		"some":                       {host.State{IO: &host.Pressure{Full10: 5, Some10: 61}}, "warning/operational: this host waits for I/O: I/O pressure over 10 s: all tasks wait 5 % of the time, some 61 %"},
		"few wait":                   {host.State{Waiting: &host.Waiting{Total: 19, ByComm: map[string]int{"kworker/u8:1": 19}}}, ""},
		"many wait":                  {host.State{Waiting: &host.Waiting{Total: 25, ByComm: map[string]int{"jbd2/rbd0-8": 4, "kworker/u8:1": 20, "z": 1}}}, "warning/operational: this host waits for I/O: 25 tasks in uninterruptible sleep (20 kworker/u8:1, 4 jbd2/rbd0-8 and 1 z)"},
		"guests wait":                {host.State{Waiting: &host.Waiting{Total: 22, ByComm: map[string]int{"kvm": 2, "CPU 3/KVM": 10, "iou-wrk-1201": 10}}}, "warning/degraded_performance: this host waits for I/O: 22 tasks in uninterruptible sleep (10 CPU 3/KVM, 10 iou-wrk-1201 and 2 kvm)"},
		"vCPUs wait":                 {host.State{Waiting: &host.Waiting{Total: 20, ByComm: map[string]int{"CPU 0/KVM": 20}}}, "warning/degraded_performance: this host waits for I/O: 20 tasks in uninterruptible sleep (20 CPU 0/KVM)"},
		"QEMU waits":                 {host.State{Waiting: &host.Waiting{Total: 20, ByComm: map[string]int{"qemu-system-x86": 20}}}, "warning/degraded_performance: this host waits for I/O: 20 tasks in uninterruptible sleep (20 qemu-system-x86)"},
		"QEMU's workers wait":        {host.State{Waiting: &host.Waiting{Total: 20, ByComm: map[string]int{"iou-wrk-77": 20}}}, "warning/degraded_performance: this host waits for I/O: 20 tasks in uninterruptible sleep (20 iou-wrk-77)"},
		"load from computing":        {host.State{IO: &host.Pressure{Some10: 1}, Load: [3]float64{680}}, ""},
		"load with I/O":              {host.State{IO: &host.Pressure{Some10: 12}, Load: [3]float64{680}}, "warning/operational: this host waits for I/O: load 680 on 64 CPUs"},
		"load just below":            {host.State{IO: &host.Pressure{Some10: 12}, Load: [3]float64{255}}, ""},
		"load of those that wait":    {host.State{Waiting: &host.Waiting{Total: 400, ByComm: map[string]int{"nfsd": 400}}, Load: [3]float64{410}}, "warning/operational: this host waits for I/O: 400 tasks in uninterruptible sleep (400 nfsd); load 410 on 64 CPUs"},
		"the number of CPUs unknown": {host.State{CPUs: -1, IO: &host.Pressure{Some10: 12}, Load: [3]float64{680}}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			got := onlyOne(t, newScene(over()).hostSeen(c.host).check(hostIOPressure()))
			if said(got) != c.want {
				t.Errorf("got  %q\nwant %q", said(got), c.want)
			}
		})
	}
}

func TestHostIOPressureHungTasks(t *testing.T) {
	sc := newScene(over()).hostSeen(host.State{})
	sc.logged(kmsg.Count{Class: kmsg.HungTask, Detail: "jbd2/rbd0-8", N: 2, Text: "INFO: task jbd2/rbd0-8:139 blocked for more than 122 seconds."})
	got := onlyOne(t, sc.check(hostIOPressure()))
	if want := "warning/operational: this host waits for I/O: 2 hung tasks in the last 5 min (jbd2/rbd0-8)"; said(got) != want {
		t.Errorf("got  %q\nwant %q", said(got), want)
	}
	if got := sc.pass(301).check(hostIOPressure()); len(got) != 0 {
		t.Errorf("got %q five minutes later, want nothing", said(&got[0]))
	}
}

// After ten hung tasks the kernel logs no more, but some kernels count on.
func TestHostIOPressureHungTasksByTheKernelsCount(t *testing.T) {
	hung := func(n uint64) host.State { return host.State{BootID: "a", Hung: &n} }
	sc := newScene(over()).hostSeen(hung(70))
	if got := sc.check(hostIOPressure()); len(got) != 0 {
		t.Fatalf("got %q for tasks of before, want nothing", said(&got[0]))
	}
	sc.pass(5).hostSeen(hung(73))
	sc.pass(30).hostSeen(hung(73)) // the count rests, the tasks still hang
	got := onlyOne(t, sc.check(hostIOPressure()))
	if want := "warning/operational: this host waits for I/O: 3 hung tasks in the last 5 min, by the kernel's count"; said(got) != want {
		t.Errorf("got  %q\nwant %q", said(got), want)
	}
	sc = newScene(over()).hostSeen(hung(70))
	other := hung(90)
	other.BootID = "b"
	if got := sc.hostSeen(other).check(hostIOPressure()); len(got) != 0 {
		t.Errorf("got %q from the counts of two boots, want nothing", said(&got[0]))
	}
}

func TestHostIOPressureSaysWhatSpeaksAgainst(t *testing.T) {
	sc := newScene(over()).hostSeen(host.State{
		IO: &host.Pressure{Full10: 50, Some10: 70}, Memory: &host.Pressure{Some10: 35}, Waiting: &host.Waiting{Total: 3, Partly: true},
	})
	sc.logged(kmsg.Count{Class: kmsg.HungMuted, N: 1, Text: "Future hung task reports are suppressed"})
	sc.see(node.SawIO{Reading: node.Reading[[]rbd.IO]{Value: []rbd.IO{{Device: "rbd0", Reads: 1}}, At: sc.at}})
	got := onlyOne(t, sc.check(hostIOPressure()))
	all := strings.Join(factsOf(got.Against), "\n")
	for _, want := range []string{"some tasks wait for memory 35 % of the time", "not every task could be looked at", "reports no further hung tasks", "krbd's disks complete their requests"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

func TestHostIOPressureBlind(t *testing.T) {
	sc := newScene(over()).hostSeen(host.State{IO: &host.Pressure{Full10: 90}})
	sc.blind(node.SourceHost)
	if got := sc.check(hostIOPressure()); len(got) != 0 {
		t.Errorf("got %q from a host that cannot be read, want nothing", said(&got[0]))
	}
	if r := hostIOPressure(); r.Hold < 10*time.Second {
		t.Errorf("got hold %s: PSI's average is over 10 s", r.Hold)
	}
}
