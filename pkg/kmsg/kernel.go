package kmsg

import "strings"

// Lines recognized by their beginning (kernel/watchdog.c, kernel/rcu,
// arch/x86/kernel/cpu/mce, mm/oom_kill.c, net/).
var kernelLines = []phrase{
	{"BUG: soft lockup", Lockup, "soft"},
	{"watchdog: BUG: soft lockup", Lockup, "soft"},
	{"NMI watchdog: BUG: soft lockup", Lockup, "soft"},
	{"watchdog: Watchdog detected hard LOCKUP", Lockup, "hard"},
	{"NMI watchdog: Watchdog detected hard LOCKUP", Lockup, "hard"},
	{"Future hung task reports are suppressed", HungMuted, ""},
	{"INFO: Future hung task reports are suppressed", HungMuted, ""},
	{"mce: [Hardware Error]: ", MachineCheck, ""},
	{"[Hardware Error]: ", MachineCheck, ""},
	{"Out of memory: Killed process ", OOM, "killed"},
	{"Out of memory: Kill process ", OOM, "chosen"}, // up to 4.19, before its "Killed process"
	{"Killed process ", OOM, "killed"},
	{"Memory cgroup out of memory: Killed process ", OOM, "killed"},
	{"Memory cgroup out of memory: Kill process ", OOM, "chosen"},
	{"oom_reaper: reaped process ", OOM, "reaped"},
	{"nf_conntrack: nf_conntrack: table full", NetPressure, "conntrack"},
	{"nf_conntrack: table full", NetPressure, "conntrack"},
	{"TCP: out of memory", NetPressure, "tcp memory"},
	{"TCP: too many orphaned sockets", NetPressure, "orphans"},
	{"neighbour: arp_cache: neighbor table overflow!", NetPressure, "neighbours"},
	{"neighbour: ndisc_cache: neighbor table overflow!", NetPressure, "neighbours"},
}

// kernel classifies a line of the core kernel.
func kernel(text string) Line {
	switch text[0] { // the first letters of all cases below
	case 'B', 'w', 'N', 'F', 'I', 'm', '[', '{', 'O', 'K', 'M', 'o', 'n', 'T', 'E', 'r':
	default:
		return Line{}
	}
	if p, ok := lookUp(kernelLines, text); ok {
		return Line{Class: p.class, Detail: p.detail}
	}
	if after, ok := strings.CutPrefix(text, "INFO: task "); ok {
		return hungTask(after)
	}
	switch {
	case stalled(text):
		return Line{Class: Lockup, Detail: "rcu"}
	case strings.HasPrefix(text, "TCP: ") && strings.Contains(text, ": Possible SYN flooding on port "):
		return Line{Class: NetPressure, Detail: "syn flood"}
	case text[0] == '{': // of the firmware's error records: {1}[Hardware Error]
		if _, rest, ok := cutDigits(text[1:], 10); ok && strings.HasPrefix(rest, "}[Hardware Error]: ") {
			return Line{Class: MachineCheck}
		}
	case strings.HasPrefix(text, "EDAC MC"):
		return edac(text[len("EDAC MC"):])
	}
	return Line{}
}

// The words between a hung task's name and how long it has been blocked; the second
// is of 7.x.
var blocked = [...]string{" blocked for more than ", " blocked in I/O wait for more than "}

// hungTask recognizes "COMM:PID blocked for more than N seconds." A comm may contain
// blanks, colons and slashes (CPU 0/KVM). From 6.16 a second line names the likely
// holder of the lock.
func hungTask(s string) Line {
	for _, words := range blocked {
		i := strings.Index(s, words)
		if i < 0 {
			continue
		}
		if comm, ok := taskName(s[:i]); ok && startsSeconds(s[i+len(words):]) {
			return Line{Class: HungTask, Detail: comm}
		}
	}
	if i := strings.Index(s, " blocked on a"); i >= 0 && (strings.Contains(s[i:], "mutex") || strings.Contains(s[i:], "semaphore")) {
		if comm, ok := taskName(strings.TrimSuffix(s[:i], " is")); ok {
			return Line{Class: HungOwner, Detail: comm}
		}
	}
	return Line{}
}

func startsSeconds(s string) bool {
	_, rest, ok := cutDigits(s, 10)
	return ok && strings.HasPrefix(rest, " second")
}

// The longest accepted name of a task: TASK_COMM_LEN is 16, kernel threads may show
// up to 64.
const maxComm = 64

// taskName returns the name of "NAME:PID".
func taskName(s string) (string, bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 1 || i > maxComm {
		return "", false
	}
	_, rest, ok := cutDigits(s[i+1:], 10)
	return s[:i], ok && rest == ""
}

// stalled recognizes RCU's stall warnings (kernel/rcu/tree_stall.h, tree_exp.h):
// "rcu: INFO: rcu_sched self-detected stall on CPU".
func stalled(text string) bool {
	s, ok := strings.CutPrefix(strings.TrimPrefix(text, "rcu: "), "INFO: rcu")
	if !ok {
		return false
	}
	_, says, _ := strings.Cut(s, " ")
	return strings.HasPrefix(says, "self-detected stall") ||
		strings.HasPrefix(says, "detected stalls") || strings.HasPrefix(says, "detected expedited stalls")
}

// edac recognizes "MC0: 1 CE ...", but not the driver's load message.
func edac(s string) Line {
	_, s, ok := cutDigits(s, 4)
	if !ok || !strings.HasPrefix(s, ": ") {
		return Line{}
	}
	_, s, ok = cutDigits(s[2:], 10)
	switch {
	case ok && strings.HasPrefix(s, " CE "):
		return Line{Class: MachineCheck, Detail: "CE"}
	case ok && strings.HasPrefix(s, " UE "):
		return Line{Class: MachineCheck, Detail: "UE"}
	}
	return Line{}
}

// memory recognizes the lines that begin with the name of the process whose
// allocation failed (mm/oom_kill.c, mm/page_alloc.c).
func memory(text string) Line {
	switch {
	case strings.Contains(text, " invoked oom-killer: "):
		return Line{Class: OOM, Detail: "invoked"}
	case strings.Contains(text, ": page allocation failure: order:"):
		return Line{Class: OOM, Detail: "page allocation"}
	}
	return Line{}
}
