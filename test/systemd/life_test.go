//go:build lab

package systemd

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/cephlab"
)

// The directories belong to the service; the state survives the service, and the
// position in the kernel log survives a restart.
func testDirectories(t *testing.T, m *machine) {
	if got := m.sh(t, "stat -c '%U %a' /run/nodewatch /var/lib/nodewatch"); got != "nodewatch 755\nnodewatch 750" {
		t.Errorf("the directories are %q", got)
	}
	env := m.sh(t, fmt.Sprintf("tr '\\0' '\\n' </proc/%d/environ", m.pid(t)))
	for _, want := range []string{"RUNTIME_DIRECTORY=/run/nodewatch", "STATE_DIRECTORY=/var/lib/nodewatch",
		"CONFIGURATION_DIRECTORY=/etc/nodewatch"} {
		if !strings.Contains("\n"+env+"\n", "\n"+want+"\n") {
			t.Errorf("no %s in the environment", want)
		}
	}
	wished := func() bool { r, ok := m.report(t); return ok && r.Maintenance != nil }
	m.sh(t, "nodewatch maintenance start --for 1h --by root --reason disks")
	m.until(t, "the wish is seen", wished)
	m.sh(t, "systemctl stop nodewatch; [ ! -e /run/nodewatch ]")
	m.start(t)
	m.until(t, "the wish is seen again", wished)
	m.sh(t, "nodewatch maintenance stop")
	m.until(t, "the wish is gone", func() bool { return !wished() })
}

// A bad file changes nothing and is reported.
func testReload(t *testing.T, m *machine) {
	const ok = "nodewatch_config_last_reload_successful"
	pid := m.pid(t)
	m.put(t, "/etc/nodewatch/nodewatch.yml", 0o644, "nodes: node3\n")
	m.sh(t, "systemctl reload nodewatch")
	m.until(t, "the mistake is noted", func() bool { return m.metric(t, ok) == "0" })
	if r, _ := m.report(t); r.Node != "node2" || m.property(t, "ActiveState") != "active" || m.pid(t) != pid {
		t.Errorf("a bad file changed something: node %s\n%s", r.Node, m.state(t))
	}
	if said := m.sh(t, "journalctl --no-pager -o cat -u nodewatch"); !strings.Contains(said, "nodewatch.yml:1: nodes") {
		t.Errorf("the mistake is not in the log: %s", said)
	}
	m.put(t, "/etc/nodewatch/nodewatch.yml", 0o644, configuration)
	m.sh(t, "systemctl reload nodewatch")
	m.until(t, "the good file is taken", func() bool { return m.metric(t, ok) == "1" })
}

// mapAgain maps another disk, which the kernel logs, and unmaps it.
func (m *machine) mapAgain(t *testing.T) {
	t.Helper()
	m.sh(t, `sed s/vm-101-disk-0/vm-102-disk-0/ /run/mapping >/sys/bus/rbd/add_single_major
for d in /sys/bus/rbd/devices/*; do [ "$(cat $d/name)" != vm-102-disk-0 ] || echo ${d##*/} >/sys/bus/rbd/remove_single_major; done`)
}

// again reports whether a process other than the given one serves, and is ready.
func (m *machine) again(t *testing.T, than int) bool {
	t.Helper()
	now := m.property(t, "MainPID") // 0 while there is none
	return now != "0" && now != strconv.Itoa(than) && m.property(t, "ActiveState") == "active"
}

// A killed daemon is restarted, and continues at its position in the kernel log:
// records from before the restart are counted, and none is counted twice.
func testKilled(t *testing.T, m *machine) {
	const maps = `nodewatch_kmsg_events_total{class="rbd-mapped"}`
	m.mapAgain(t)
	m.mapAgain(t)
	m.until(t, "two lines are counted", func() bool { return m.metric(t, maps) == "2" })
	m.until(t, "the position is kept", func() bool { _, code := m.run(t, "[ -s /run/nodewatch/kmsg-position ]"); return code == 0 })
	position := m.sh(t, "cat /run/nodewatch/kmsg-position")
	m.until(t, "the position is the last one", func() bool {
		old := position
		position = m.sh(t, "usleep 1500000; cat /run/nodewatch/kmsg-position")
		return old == position
	})

	pid := m.pid(t)
	m.sh(t, "systemctl kill -s KILL nodewatch")
	m.mapAgain(t)
	m.until(t, "it is away", func() bool { return m.property(t, "SubState") == "auto-restart" })
	if kept := m.sh(t, "cat /run/nodewatch/kmsg-position"); kept != position {
		t.Errorf("the position was %s, and is %s", position, kept)
	}
	m.until(t, "it is back", func() bool { return m.again(t, pid) })
	m.until(t, "the line in between is counted", func() bool { return m.metric(t, maps) != "0" })
	if got := m.metric(t, maps); got != "1" {
		t.Errorf("%s lines counted after the restart, want the one that it missed", got)
	}
}

// With the shipped drop-in the key stays readable only by root, and is still found.
func testCredentials(t *testing.T, m *machine) {
	const drop = "/etc/systemd/system/nodewatch.service.d/credentials.conf"
	m.put(t, "/etc/nodewatch/nodewatch.yml", 0o644, configuration+"  keyring: /run/credentials/nodewatch.service/ceph.keyring\n")
	m.sh(t, "mkdir -p ${d=/etc/systemd/system/nodewatch.service.d}; cp /"+credentials+" "+drop+"; chown root:root "+keyring+"; chmod 600 "+
		keyring+"; systemctl daemon-reload; systemctl restart nodewatch")
	m.until(t, "the cluster is seen", func() bool { return m.metric(t, `nodewatch_cluster_health{status="HEALTH_OK"}`) == "1" })
	m.put(t, "/etc/nodewatch/nodewatch.yml", 0o644, configuration)
	m.sh(t, "rm "+drop+"; chown root:nodewatch "+keyring+"; chmod 640 "+keyring+"; systemctl daemon-reload; systemctl restart nodewatch")
}

// The socket unit listens on the port: a request starts the service and gets a
// response.
func testSocket(t *testing.T, m *machine) {
	m.put(t, "/etc/default/nodewatch", 0o644, "ARGS=--config.file=/etc/nodewatch/nodewatch.yml --web.systemd-socket\n")
	m.sh(t, "systemctl stop nodewatch; systemctl start nodewatch.socket")
	if got := m.property(t, "ActiveState"); got != "inactive" {
		t.Fatalf("the socket alone made it %s", got)
	}
	if body, status := m.get("/-/healthy"); status != 200 {
		t.Errorf("status %d, %s", status, body)
	}
	m.until(t, "the service is ready", func() bool { return m.property(t, "ActiveState") == "active" })
	m.sh(t, "systemctl restart --no-block nodewatch")
	if body, status := m.get("/-/healthy"); status != 200 {
		t.Errorf("in a restart: status %d, %s", status, body)
	}
	m.put(t, "/etc/default/nodewatch", 0o644, "ARGS=--config.file=/etc/nodewatch/nodewatch.yml\n")
	m.sh(t, "systemctl stop nodewatch.socket nodewatch; systemctl start nodewatch")
}

// systemd ends and restarts a daemon that hangs.
func testWatchdog(t *testing.T, m *machine) {
	pid, before := m.pid(t), m.property(t, "NRestarts")
	m.sh(t, fmt.Sprintf("kill -STOP %d", pid))
	begin := time.Now()
	m.until(t, "another daemon", func() bool { return m.again(t, pid) })
	fmt.Printf("systemd-test: back %.0f s after it stood still\n", time.Since(begin).Seconds())
	said := m.sh(t, "journalctl --no-pager -o cat -u nodewatch")
	if !strings.Contains(said, "Watchdog timeout (limit 30s)") || m.property(t, "NRestarts") == before {
		t.Errorf("want a restart by the watchdog\n%s", said)
	}
}

// stopped stops the service and logs how long that took.
func (m *machine) stopped(t *testing.T, what string) {
	t.Helper()
	begin := time.Now()
	m.sh(t, "systemctl stop nodewatch")
	fmt.Printf("systemd-test: stopped in %.1f s %s\n", time.Since(begin).Seconds(), what)
}

// The service ends on request, even if a child does not.
func testStop(t *testing.T, m *machine) {
	m.stopped(t, "in peace")
	m.start(t)
	m.until(t, "the probe", func() bool { return m.child(t, "/usr/local/bin/nodewatch\\ probe") != 0 })
	m.sh(t, fmt.Sprintf("kill -STOP %d", m.child(t, "/usr/local/bin/nodewatch\\ probe")))
	m.stopped(t, "with a probe that does not move")
	if result := m.property(t, "Result"); result != "success" {
		t.Errorf("the result is %s\n%s", result, m.state(t))
	}
	m.start(t)
}

// A child that sleeps in the kernel cannot be killed; the service is restarted
// nevertheless, and its port is free.
func testStuckChild(t *testing.T, m *machine) {
	m.For(t).Signal(cephlab.OSD, syscall.SIGSTOP)
	defer m.For(t).Signal(cephlab.OSD, syscall.SIGCONT)
	m.sh(t, `dd if=/dev/rbd0 of=/dev/null bs=64k count=1 iflag=direct >/dev/null 2>&1 </dev/null & echo $! >/run/stuck
echo $(cat /run/stuck) >/sys/fs/cgroup/system.slice/nodewatch.service/cgroup.procs`)
	m.until(t, "a child sleeps in the kernel", func() bool { return m.sh(t, "cut -d' ' -f3 /proc/$(cat /run/stuck)/stat") == "D" })
	begin, old := time.Now(), m.pid(t)
	m.sh(t, "systemctl restart nodewatch")
	fmt.Printf("systemd-test: restarted in %.1f s with a child in the kernel\n", time.Since(begin).Seconds())
	if _, status := m.get("/-/ready"); status != 200 || m.pid(t) == old || m.sh(t, "cut -d' ' -f3 /proc/$(cat /run/stuck)/stat") != "D" {
		t.Errorf("not restarted beside the child: status %d\n%s", status, m.state(t))
	}
}

// reports makes nodewatch run a program at every interval, until undo is called.
func (m *machine) reports(t *testing.T, program, deadline string) (undo func()) {
	t.Helper()
	const drop = "/etc/systemd/system/nodewatch.service.d/devices.conf"
	m.put(t, "/usr/local/bin/report", 0o755, program)
	m.put(t, "/etc/nodewatch/nodewatch.yml", 0o644, configuration+"reporters:\n  - {name: program, every: 10s, deadline: "+deadline+
		", exec: {program: /usr/local/bin/report, mode: state}}\n")
	m.sh(t, "mkdir -p ${d=/etc/systemd/system/nodewatch.service.d}; printf '[Service]\\nDeviceAllow=/dev/rbd0 r\\n' >"+drop+
		"; chmod 644 /dev/rbd0; systemctl daemon-reload; systemctl restart nodewatch")
	return func() {
		m.put(t, "/etc/nodewatch/nodewatch.yml", 0o644, configuration)
		m.sh(t, "rm -f "+drop+"; chmod 660 /dev/rbd0; systemctl daemon-reload; systemctl restart nodewatch")
	}
}

// A program that the launcher started and that sleeps in the kernel is left behind
// and counted; the page responds, and the service can be stopped and started
// meanwhile.
func testStuckProgram(t *testing.T, m *machine) {
	m.For(t).Signal(cephlab.OSD, syscall.SIGSTOP)
	thawed := false
	thaw := func() {
		if !thawed {
			thawed = true
			m.For(t).Signal(cephlab.OSD, syscall.SIGCONT)
		}
	}
	defer thaw()
	undo := m.reports(t, "#!/bin/sh\nexec dd if=/dev/rbd0 of=/dev/null bs=64k count=1 skip=7 iflag=direct\n", "5s")
	m.until(t, "a program is left behind", func() bool { return m.metric(t, "nodewatch_launcher_children_left_behind") == "1" })
	if body, status := m.get("/-/healthy"); status != 200 {
		t.Errorf("status %d, %s", status, body)
	}
	if up := m.metric(t, "nodewatch_launcher_up"); up != "1" {
		t.Errorf("the launcher is %s", up)
	}
	begin, old := time.Now(), m.pid(t)
	m.sh(t, "systemctl restart nodewatch")
	fmt.Printf("systemd-test: restarted in %.1f s with a program of the launcher's in the kernel\n", time.Since(begin).Seconds())
	if _, status := m.get("/-/ready"); status != 200 || m.pid(t) == old {
		t.Errorf("not restarted beside the program: status %d\n%s", status, m.state(t))
	}
	thaw()
	undo()
}

// A program that forks without limit stops neither the service nor the probe.
func testForkBomb(t *testing.T, m *machine) {
	undo := m.reports(t, "#!/bin/sh\n(for i in $(seq 300); do sleep 1000 & done)\nexec sleep 1000\n", "1m")
	defer undo()
	most := 0
	m.until(t, "it has started all that it can", func() bool {
		n := 0
		_, _ = fmt.Sscan(m.sh(t, "cat /sys/fs/cgroup/system.slice/nodewatch.service/pids.current"), &n)
		most = max(most, n)
		return most > 200
	})
	if body, status := m.get("/-/healthy"); status != 200 {
		t.Errorf("status %d, %s", status, body)
	}
	if most > 300 || m.property(t, "ActiveState") != "active" {
		t.Errorf("%d tasks\n%s", most, m.state(t))
	}
	fmt.Printf("systemd-test: %d tasks at most\n", most)
}
