package main

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
)

// A sourceEntry describes one source for people.
type sourceEntry struct {
	name     string
	every    time.Duration // how often it is read
	late     time.Duration // a read that takes longer is stalled
	reads    string
	needs    string
	remedies map[node.ErrorKind]string // how to enable it
}

// sourceEntries lists all sources, in the order they are shown.
func sourceEntries() []sourceEntry {
	return []sourceEntry{
		{node.SourceBond, 30 * time.Second, 5 * time.Second, "bonds, slaves, hash policy, LACP, VLANs, bridges: rtnetlink, and at once on their own link events", "nothing", nil},
		{node.SourceNIC, time.Second, 3 * time.Second, "64-bit counters of slaves and NICs: rtnetlink", "nothing", nil},
		{node.SourceDrops, 10 * time.Second, 5 * time.Second, "the drivers' buffer drop counters: ethtool -S", "nothing", nil},
		{node.SourceLimits, 10 * time.Second, 5 * time.Second, "rate limits (tc) on the links that carry krbd's traffic: rtnetlink", "nothing", nil},
		{node.SourceOVS, 30 * time.Second, 3 * time.Second, "Open vSwitch bonds: OVSDB", "read access to db.sock", map[node.ErrorKind]string{
			node.Denied: "let nodewatch's user read Open vSwitch's db.sock, or set ovs.off: true",
		}},
		{node.SourceKrbd, 5 * time.Second, 3 * time.Second, "krbd devices: sysfs; their map options: debugfs client_options, by the probe", "CAP_DAC_READ_SEARCH and a mounted debugfs for the options", map[node.ErrorKind]string{
			node.Denied: "give nodewatch CAP_DAC_READ_SEARCH, as systemd/nodewatch.service does",
		}},
		{node.SourceIO, time.Second, 2 * time.Second, "completed and waiting I/O of krbd devices: block layer stat, inflight", "nothing", nil},
		{node.SourceOSDC, 5 * time.Second, 3 * time.Second, "requests that krbd waits for: debugfs osdc, by the probe", "CAP_DAC_READ_SEARCH and a mounted debugfs", map[node.ErrorKind]string{
			node.Denied: "give nodewatch CAP_DAC_READ_SEARCH, as systemd/nodewatch.service does",
			node.Absent: "mount debugfs: mount -t debugfs none /sys/kernel/debug",
			node.Failed: "a probe that is stuck is replaced at most once in ten minutes; /sys/kernel/debug itself may be stuck",
		}},
		{node.SourceLibvirt, 10 * time.Second, 8 * time.Second, "domains, their state and disks: libvirt's read-only socket", "access to the read-only socket", map[node.ErrorKind]string{
			node.Denied: "let nodewatch's user connect to libvirt's read-only socket (polkit: org.libvirt.unix.monitor)",
		}},
		{node.SourceQEMU, 30 * time.Second, 5 * time.Second, "virtual machines' processes and containers: /proc; their command lines and open files by the probe", "CAP_SYS_PTRACE for open files", nil},
		{node.SourceKmsg, time.Second, 3 * time.Second, "the kernel log: /dev/kmsg", "CAP_SYSLOG where kernel.dmesg_restrict is 1", map[node.ErrorKind]string{
			node.Denied: "give nodewatch CAP_SYSLOG, as systemd/nodewatch.service does, or run it as root; printk.devkmsg=off on the kernel command line also denies it",
			node.Absent: "there is no /dev/kmsg: nodewatch must run on the host, not in a container",
		}},
		{node.SourceHost, 5 * time.Second, 3 * time.Second, "kernel release, load, pressure, waiting tasks, softnet: /proc", "nothing", nil},
		{node.SourceCeph, time.Minute, 30 * time.Second, "health, OSDs, blocklist, watchers, scrubs: nodewatch-ceph, a child", "a keyring and the nodewatch-ceph binary; see docs/ceph.md", map[node.ErrorKind]string{
			node.Absent: "give it a keyring and the nodewatch-ceph binary as docs/ceph.md says, or set ceph.off: true",
			node.Denied: "let nodewatch's user read the keyring, with the caps that docs/ceph.md names",
		}},
		{node.SourceOverrides, 2 * time.Second, 2 * time.Second, "maintenance and accepted findings: overrides.json in the state directory", "nothing", nil},
		{node.SourceLauncher, 5 * time.Second, 4 * time.Second, "whether the launcher answers: it starts the probe, nodewatch-ceph and exec reporters", "nothing", map[node.ErrorKind]string{
			node.Stalled: "the launcher hangs, most likely in an exec: see what holds it with `cat /proc/PID/stack`, as root, where PID is the process \"nodewatch launcher\"; when it answers again, all continues without a restart",
			node.Failed:  "restart nodewatch once the cause is known: `systemctl restart nodewatch`; `journalctl -k` says whether the kernel ended the launcher for lack of memory",
		}},
		{node.SourceState, 24 * time.Hour, 5 * time.Second, "usual latencies and the last incident, as an earlier run kept them: judge.json in the state directory", "nothing", nil},
		{node.SourceStateDirectory, 10 * time.Second, 5 * time.Second, "whether the state directory can be written, and is used by no other daemon: statfs, a lock", "a writable directory", map[node.ErrorKind]string{
			node.Failed:  "make room in the state directory, mount it writable, or name another with state_directory; then restart nodewatch if another daemon had it",
			node.Stalled: "the disk of the state directory does not answer: nothing is kept until it does",
			node.Absent:  "create /var/lib/nodewatch, as systemd/nodewatch.service does, to keep overrides and what reporters must not forget",
		}},
		{node.SourceReporters, 2 * time.Second, 2 * time.Second, "delivery status of the reporters", "configured reporters", nil},
	}
}

// listed returns the listing of one source.
func listed(name string) sourceEntry {
	for _, l := range sourceEntries() {
		if l.name == name {
			return l
		}
	}
	return sourceEntry{name: name}
}

// remedy returns how to enable the source, by the way it is blind.
func (l sourceEntry) remedy(k node.ErrorKind) string { return l.remedies[k] }
