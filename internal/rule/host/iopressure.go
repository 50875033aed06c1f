package host

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type pressureLimits struct {
	Full    float64       `json:"full" doc:"share of the last 10 s in which all runnable tasks waited for I/O (PSI io full)" min:"0.01" max:"1"`
	Some    float64       `json:"some" doc:"share of the last 10 s in which at least one task waited for I/O (PSI io some)" min:"0.01" max:"1"`
	Waiting int           `json:"waiting" doc:"tasks in uninterruptible sleep (state D)" min:"1" max:"100000"`
	Load    float64       `json:"load" doc:"one-minute load average per CPU" min:"0.5" max:"1000"`
	Hung    time.Duration `json:"hung" doc:"how long a hung task counts after the kernel reported it" min:"1m" max:"10m"`
}

func hostIOPressure() rule.Rule {
	l := &pressureLimits{Full: 0.2, Some: 0.6, Waiting: 20, Load: 4, Hung: 5 * time.Minute}
	return rule.Rule{
		ID:            "host-io-pressure",
		Title:         "high I/O pressure on this host",
		Component:     report.ComponentHost,
		Severity:      "warning",
		Impact:        "operational; degraded_performance when threads of guests are among the waiting tasks",
		Needs:         []string{node.SourceHost},
		For:           rule.Always(20 * time.Second), // PSI's shortest average is over 10 s, and the host is read every 5 s
		KeepFiringFor: rule.Always(time.Minute),      // pressure comes in waves, and the averages lag
		Limits:        l,
		About: "Tasks on this host are waiting for I/O: the kernel's pressure counters are high, many tasks are in uninterruptible sleep, the kernel has reported hung tasks, or the load is many times the number of CPUs while at least one task waits for I/O. The rule cannot tell what they are waiting for: krbd, a local disk, NFS. " +
			"Load caused by computation alone does not count. After ten hung tasks the kernel stops reporting them unless configured otherwise; the absence of further reports then means nothing.",
		Do: []string{
			"List the waiting tasks and where in the kernel they wait: `ps -eLo state,pid,comm,wchan:32 | grep ^D`. This does not read command lines, which could hang.",
			"If they wait in rbd or libceph, see krbd-stalled and krbd-retry-storm.",
			"Do not run df, lsblk, blkid or sync: they will hang on stalled storage.",
		},
		Check: func(in rule.Input) []rule.Result {
			if r, is := l.check(in, in.Host.Value); is {
				return []rule.Result{r}
			}
			return nil
		},
	}
}

func (l *pressureLimits) check(in rule.Input, h host.State) (rule.Result, bool) {
	signs := slices.Concat(l.pressed(in, h), l.waits(in, h), l.hungTasks(in), l.loaded(in, h))
	if len(signs) == 0 {
		return rule.Result{}, false
	}
	r := rule.Result{
		Severity: report.Warning,
		Evidence: signs,
		Against:  l.otherwise(in, h),
		Summary:  "High I/O pressure: " + signs[0].Fact,
		Advice: []report.Advice{
			{Do: "List the waiting tasks and where in the kernel they wait", Command: "ps -eLo state,pid,comm,wchan:32 | grep ^D"},
			{Do: "Watch the pressure", Command: "cat /proc/pressure/io"},
			{Do: "Do not run df, lsblk, blkid or sync, and do not restart the VMs' processes: they will hang on stalled storage"},
		},
	}
	if more := len(signs) - 1; more > 0 {
		r.Summary += "; " + signs[1].Fact
	}
	for _, e := range signs {
		if !slices.Contains(r.RestsOn, e.Source) {
			r.RestsOn = append(r.RestsOn, e.Source)
		}
	}
	if n := guestThreads(h.Waiting); n > 0 {
		r.Impact = report.DegradedPerformance
		r.Evidence = append(r.Evidence, in.Fact(node.SourceHost, "",
			fmt.Sprintf("%s of guests among the tasks that wait", human.Count(n, "thread"))))
	}
	return r, true
}

// pressed checks the kernel's pressure counters.
func (l *pressureLimits) pressed(in rule.Input, h host.State) []report.Evidence {
	if h.IO == nil || h.IO.Full10 < 100*l.Full && h.IO.Some10 < 100*l.Some {
		return nil
	}
	return []report.Evidence{in.Fact(node.SourceHost, "", fmt.Sprintf("all tasks stalled %s of the last 10 s, some %s",
		human.Percent(h.IO.Full10/100), human.Percent(h.IO.Some10/100)))}
}

// waits checks for tasks in uninterruptible sleep.
func (l *pressureLimits) waits(in rule.Input, h host.State) []report.Evidence {
	if h.Waiting == nil || h.Waiting.Total < l.Waiting {
		return nil
	}
	return []report.Evidence{in.Fact(node.SourceHost, "", fmt.Sprintf("%d tasks in uninterruptible sleep (%s)", h.Waiting.Total,
		commonest(h.Waiting, 3)))}
}

// hungTasks checks for tasks that the kernel reported as hung, either in its log or,
// because it stops logging after ten, by its counter.
func (l *pressureLimits) hungTasks(in rule.Input) []report.Evidence {
	var logged uint64
	var last time.Time
	var names []string
	for _, s := range in.Kernel.Of(kmsg.HungTask) {
		if n := s.Within(in.Now, l.Hung); n > 0 {
			logged += n
			names = append(names, s.Detail)
			last = facts.Later(last, s.Last)
		}
	}
	slices.Sort(names)
	switch n := in.HungWithin(l.Hung); {
	case n > logged:
		return []report.Evidence{in.Fact(node.SourceHost, "", fmt.Sprintf("%s in the last %s (the kernel's counter)",
			human.Count(n, "hung task"), human.Span(l.Hung)))}
	case logged > 0:
		return []report.Evidence{rule.FactAt(node.SourceKmsg, "", fmt.Sprintf("%s in the last %s (%s)", human.Count(logged, "hung task"),
			human.Span(l.Hung), human.Names(slices.Compact(names), 3)), last)}
	}
	return nil
}

// loaded checks for a high load caused in part by I/O.
func (l *pressureLimits) loaded(in rule.Input, h host.State) []report.Evidence {
	io := h.IO != nil && h.IO.Some10 >= 10 || h.Waiting != nil && float64(h.Waiting.Total) >= h.Load[0]/2
	if h.CPUs <= 0 || h.Load[0] < l.Load*float64(h.CPUs) || !io {
		return nil
	}
	return []report.Evidence{in.Fact(node.SourceHost, "", fmt.Sprintf("load %.0f on %s", h.Load[0], human.Count(h.CPUs, "CPU")))}
}

// otherwise returns evidence of causes other than I/O, and that the problem is milder
// than it appears.
func (l *pressureLimits) otherwise(in rule.Input, h host.State) []report.Evidence {
	var list []report.Evidence
	if h.Memory != nil && h.Memory.Some10 >= 10 {
		list = append(list, in.Fact(node.SourceHost, "",
			fmt.Sprintf("memory pressure: some tasks stalled on memory %s of the last 10 s; with swap, that shows up as I/O",
				human.Percent(h.Memory.Some10/100))))
	}
	if h.Waiting != nil && h.Waiting.Partly {
		list = append(list, in.Fact(node.SourceHost, "", "not every task could be read"))
	}
	if len(in.Kernel.Of(kmsg.HungMuted)) > 0 {
		list = append(list, in.Fact(node.SourceKmsg, "", "the kernel has stopped reporting hung tasks: there may be more"))
	}
	if len(in.IO) > 0 && in.Blind(node.SourceIO) == nil && len(in.Stalls()) == 0 {
		list = append(list, in.Fact(node.SourceIO, "", "krbd disks complete their requests: the tasks are waiting for something else"))
	}
	return list
}

// commonest names the most frequent of the waiting tasks.
func commonest(w *host.Waiting, most int) string {
	names := slices.SortedFunc(maps.Keys(w.ByComm), func(a, b string) int {
		return cmp.Or(cmp.Compare(w.ByComm[b], w.ByComm[a]), cmp.Compare(a, b))
	})
	for i, name := range names[:min(len(names), most)] {
		names[i] = fmt.Sprintf("%d %s", w.ByComm[name], name)
	}
	return human.Names(names, most)
}

// guestThreads counts the waiting tasks that belong to QEMU: its process, its vCPUs,
// and the io_uring workers that do its I/O.
func guestThreads(w *host.Waiting) int {
	if w == nil {
		return 0
	}
	n := 0
	for name, count := range w.ByComm {
		if name == "kvm" || strings.HasPrefix(name, "qemu-") || strings.HasSuffix(name, "/KVM") || strings.HasPrefix(name, "iou-wrk-") {
			n += count
		}
	}
	return n
}
