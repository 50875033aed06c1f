package main

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
)

// A sourceEntry describes one source for users.
type sourceEntry struct {
	name     string
	every    time.Duration // read interval
	late     time.Duration // a longer read counts as stalled
	reads    string
	needs    string
	remedies map[node.ErrorKind]string // how to enable it, by kind of error
}

// sourceEntries lists all sources, in the order they are shown.
func sourceEntries() []sourceEntry {
	return []sourceEntry{
		{node.SourceBond, 30 * time.Second, 5 * time.Second,
			"bonds, slaves, hash policy, LACP, VLANs, bridges: rtnetlink, also at once on link events", "nothing", nil},
		{node.SourceNIC, time.Second, 3 * time.Second, "64-bit counters of slaves and NICs: rtnetlink", "nothing", nil},
		{node.SourceDrops, 10 * time.Second, 5 * time.Second, "the drivers' buffer drop counters: ethtool -S", "nothing", nil},
		{node.SourceLimits, 10 * time.Second, 5 * time.Second, "rate limits (tc) on the links that carry krbd's traffic: rtnetlink",
			"nothing", nil},
		{node.SourceOVS, 30 * time.Second, 3 * time.Second, "Open vSwitch bonds: OVSDB", "read access to db.sock",
			map[node.ErrorKind]string{
				node.Denied: "give nodewatch's user access to Open vSwitch's db.sock, or set ovs.off: true",
			}},
		{node.SourceKrbd, 5 * time.Second, 3 * time.Second, "krbd devices: sysfs; their map options: debugfs client_options, by the probe",
			"CAP_DAC_READ_SEARCH and a mounted debugfs for the options", map[node.ErrorKind]string{
				node.Denied: "give nodewatch CAP_DAC_READ_SEARCH, as systemd/nodewatch.service does",
			}},
		{node.SourceIO, time.Second, 2 * time.Second, "completed and in-flight I/O of krbd devices: block layer stat, inflight",
			"nothing", nil},
		{node.SourceOSDC, 5 * time.Second, 3 * time.Second, "pending requests of krbd: debugfs osdc, by the probe",
			"CAP_DAC_READ_SEARCH and a mounted debugfs", map[node.ErrorKind]string{
				node.Denied: "give nodewatch CAP_DAC_READ_SEARCH, as systemd/nodewatch.service does",
				node.Absent: "mount debugfs: mount -t debugfs none /sys/kernel/debug",
				node.Failed: "a probe that hangs is replaced at most once in ten minutes; reads of /sys/kernel/debug may be stalled",
			}},
		{node.SourceLibvirt, 10 * time.Second, 8 * time.Second, "domains, their state and disks: libvirt's read-only socket",
			"access to the read-only socket", map[node.ErrorKind]string{
				node.Denied: "allow nodewatch's user to connect to libvirt's read-only socket (polkit: org.libvirt.unix.monitor)",
			}},
		{node.SourceQEMU, 30 * time.Second, 5 * time.Second,
			"virtual machines' processes and containers: /proc; their command lines and open files by the probe",
			"CAP_SYS_PTRACE for open files", nil},
		{node.SourceKmsg, time.Second, 3 * time.Second, "the kernel log: /dev/kmsg", "CAP_SYSLOG where kernel.dmesg_restrict is 1",
			map[node.ErrorKind]string{
				node.Denied: "give nodewatch CAP_SYSLOG, as systemd/nodewatch.service does, or run it as root; printk.devkmsg=off on the kernel command line also denies it",
				node.Absent: "there is no /dev/kmsg: nodewatch must run on the host, not in a container",
			}},
		{node.SourceHost, 5 * time.Second, 3 * time.Second, "kernel release, load, pressure, waiting tasks, softnet: /proc",
			"nothing", nil},
		{node.SourceCeph, time.Minute, 30 * time.Second, "health, OSDs, blocklist, watchers, scrubs: nodewatch-ceph, a child process",
			"a keyring and the nodewatch-ceph binary; see docs/ceph.md", map[node.ErrorKind]string{
				node.Absent: "provide a keyring and the nodewatch-ceph binary as in docs/ceph.md, or set ceph.off: true",
				node.Denied: "allow nodewatch's user to read the keyring, and give its key the caps listed in docs/ceph.md",
			}},
		{node.SourceOverrides, 2 * time.Second, 2 * time.Second,
			"maintenance and acknowledged findings: overrides.json in the state directory", "nothing", nil},
		{node.SourceLauncher, 5 * time.Second, 4 * time.Second,
			"state of the launcher, which starts the probe, nodewatch-ceph and exec reporters", "nothing", map[node.ErrorKind]string{
				node.Stalled: "the launcher hangs, most likely in an exec: run `cat /proc/PID/stack` as root, where PID is the process \"nodewatch launcher\", to see where; once it answers again, nodewatch continues without a restart",
				node.Failed:  "restart nodewatch once the cause is known: `systemctl restart nodewatch`; `journalctl -k` shows whether the OOM killer killed the launcher",
			}},
		{node.SourceState, 24 * time.Hour, 5 * time.Second,
			"latency baselines and the last incident, saved by an earlier run: judge.json in the state directory", "nothing", nil},
		{node.SourceStateDirectory, 10 * time.Second, 5 * time.Second,
			"state of the state directory (writable, not used by another daemon): statfs, a lock", "a writable directory",
			map[node.ErrorKind]string{
				node.Failed:  "free space in the state directory, mount it writable, or set another with state_directory; restart nodewatch if another daemon used it",
				node.Stalled: "the disk of the state directory does not respond: no state is saved until it does",
				node.Absent:  "create /var/lib/nodewatch, as systemd/nodewatch.service does, for overrides and the state of reporters",
			}},
		{node.SourceReporters, 2 * time.Second, 2 * time.Second, "delivery status of the reporters", "configured reporters", nil},
	}
}

// listed returns the entry of one source.
func listed(name string) sourceEntry {
	for _, l := range sourceEntries() {
		if l.name == name {
			return l
		}
	}
	return sourceEntry{name: name}
}

// remedy returns how to enable the source for a kind of error.
func (l sourceEntry) remedy(k node.ErrorKind) string { return l.remedies[k] }
