//go:build lab

package systemd

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestUnits boots once. Each part finds the service ready, and must leave it ready.
func TestUnits(t *testing.T) {
	if reason := missing(); reason != "" {
		fmt.Println("systemd-test: skipped:", reason)
		t.Skip(reason)
	}
	begin := time.Now()
	m := boot(t)
	fmt.Printf("systemd-test: %s, up in %.0f s\n", m.sh(t, "uname -r; systemctl --version | head -n 1"), time.Since(begin).Seconds())
	m.node(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *machine)
	}{
		{"ready", testReady},
		{"user and capabilities", testPrivileges},
		{"memory", testMemory},
		{"sight", testSight},
		{"status", testStatus},
		{"check", testCheck},
		{"directories", testDirectories},
		{"reload", testReload},
		{"killed", testKilled},
		{"credentials", testCredentials},
		{"socket", testSocket},
		{"watchdog", testWatchdog},
		{"stop", testStop},
		{"stuck child", testStuckChild},
		{"stuck program", testStuckProgram},
		{"fork bomb", testForkBomb},
		{"package", testPackage},
		{"package of nodewatch-status", testStatusPackage},
	} {
		begin := time.Now()
		ok := t.Run(part.name, func(t *testing.T) { part.run(t, m) })
		word := map[bool]string{true: "ok  ", false: "FAIL"}[ok]
		fmt.Printf("systemd-test: %s %-28s %5.1f s\n", word, part.name, time.Since(begin).Seconds())
		if !ok {
			t.Logf("after %s:\n%s", part.name, m.state(t))
		}
	}
}

// Only the daemon's READY=1 makes the service active, and it is sent with the first
// verdict.
func testReady(t *testing.T, m *machine) {
	m.put(t, "/run/systemd/system/nodewatch.service.d/deaf.conf", 0o644, "[Service]\nUnsetEnvironment=NOTIFY_SOCKET\n")
	m.sh(t, "systemctl daemon-reload; systemctl start --no-block nodewatch")
	m.until(t, "a first verdict", func() bool { _, status := m.get("/-/ready"); return status == 200 })
	if got := m.property(t, "ActiveState"); got != "activating" {
		t.Errorf("%s without READY=1", got)
	}
	m.sh(t, "systemctl stop nodewatch; rm /run/systemd/system/nodewatch.service.d/deaf.conf; systemctl daemon-reload")

	begin := time.Now()
	m.start(t)
	fmt.Printf("systemd-test: ready %.1f s after the start\n", time.Since(begin).Seconds())
	if body, status := m.get("/-/ready"); status != 200 || m.property(t, "ActiveState") != "active" {
		t.Errorf("ready before there is a verdict: %d %s", status, body)
	}
}

// The capabilities of nodewatch.service as the kernel's bit masks.
const (
	probes = "0000000000080004" // the probe's: CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE
	own    = "0000000400004000" // the daemon's: CAP_IPC_LOCK, CAP_SYSLOG
	all    = "0000000400084004"
	none   = "0000000000000000"
)

func testPrivileges(t *testing.T, m *machine) {
	uid := strings.Fields(m.sh(t, "id -u nodewatch; id -g nodewatch"))
	m.until(t, "the probe", func() bool { return m.child(t, "/usr/local/bin/nodewatch\\ probe") != 0 })
	m.sigstopMonitor(t) // so that nodewatch-ceph keeps running for a while
	defer m.sigcontMonitor(t)
	asking := 0
	m.until(t, "nodewatch-ceph", func() bool {
		asking = m.child(t, "/usr/local/bin/nodewatch-ceph")
		return asking != 0
	})
	processes := map[string]map[string]string{"nodewatch-ceph": m.status(t, asking)}
	processes["daemon"] = m.status(t, m.pid(t))
	processes["probe"] = m.status(t, m.child(t, "/usr/local/bin/nodewatch\\ probe"))
	processes["launcher"] = m.status(t, m.child(t, "/usr/local/bin/nodewatch\\ launcher\\ with-spare"))
	processes["spare"] = m.status(t, m.child(t, "/usr/local/bin/nodewatch\\ launcher\\ spare"))
	has := map[string]string{"daemon": own, "launcher": probes, "spare": probes, "probe": probes, "nodewatch-ceph": none}
	for pid, want := range map[int]string{asking: "500 0 384", m.child(t, "/usr/local/bin/nodewatch\\ probe"): "500 0 384",
		m.pid(t): "-900 -10 "} {
		got := m.sh(t, fmt.Sprintf("cd /proc/%d; echo $(cat oom_score_adj) $(cut -d' ' -f19 stat) $(sed -n 's/^Max processes *\\([0-9]*\\) .*/\\1/p' limits)", pid))
		if !strings.HasPrefix(got, want) {
			t.Errorf("process %d: OOM score, niceness and tasks are %s, want %s", pid, got, want)
		}
	}
	for name, status := range processes {
		for field, want := range map[string]string{
			"CapEff": has[name], "CapPrm": has[name], "CapBnd": all,
			"CapAmb": map[string]string{"probe": probes}[name], "NoNewPrivs": "1", "Seccomp": "2",
			"Uid": strings.Repeat(uid[0]+"\t", 4), "Gid": strings.Repeat(uid[1]+"\t", 4), "Groups": uid[1],
		} {
			if want == "" {
				want = none
			}
			if got := status[field]; got != strings.TrimSpace(want) {
				t.Errorf("%s: %s is %s, want %s", name, field, got, want)
			}
		}
	}
}

// All memory of the daemon is locked, within its limit.
func testMemory(t *testing.T, m *machine) {
	pid := m.pid(t)
	status := m.status(t, pid)
	var locked, resident, size int
	for field, value := range map[string]*int{"VmLck": &locked, "VmRSS": &resident, "VmSize": &size} {
		if _, err := fmt.Sscan(status[field], value); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Printf("systemd-test: %d kB locked of %d kB, %d kB resident\n", locked, size, resident)
	if locked < resident {
		t.Errorf("%d kB are locked, but %d kB resident", locked, resident)
	}
	if swapped := status["VmSwap"]; swapped != "0 kB" {
		t.Errorf("%s are swapped out", swapped)
	}
	if score := m.sh(t, fmt.Sprintf("cat /proc/%d/oom_score_adj", pid)); score != "-900" {
		t.Errorf("oom_score_adj is %s", score)
	}
	if said := m.sh(t, "journalctl --no-pager -o cat -u nodewatch"); strings.Contains(said, "memory is not locked") ||
		strings.Contains(said, "children keep") {
		t.Errorf("it complains: %s", said)
	}
}
