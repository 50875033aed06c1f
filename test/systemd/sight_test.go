//go:build lab

package systemd

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/test/cephlab"
)

func (m *machine) sigstopMonitor(t *testing.T) {
	t.Helper()
	m.For(t).Signal(cephlab.Monitor, syscall.SIGSTOP)
}

func (m *machine) sigcontMonitor(t *testing.T) {
	t.Helper()
	m.For(t).Signal(cephlab.Monitor, syscall.SIGCONT)
}

// The hardening blocks no source: everything on this machine is read, and the rest is
// absent, not denied.
func testSight(t *testing.T, m *machine) {
	if out, _ := m.run(t, "setpriv --reuid nodewatch --regid nodewatch --clear-groups head -c1 /dev/kmsg || true; setpriv --reuid nodewatch --regid nodewatch --clear-groups ls /sys/kernel/debug || true"); strings.Count(out, "ermi") != 2 {
		t.Fatalf("on this machine anybody reads the kernel log or debugfs, so that nothing is proved: %s", out)
	}
	want := map[string]string{"libvirt": "absent", "ovs": "absent"}
	for _, name := range []string{"bond", "nic", "nic-drops", "nic-limits", "krbd", "krbd-io", "osdc", "qemu", "kmsg", "host", "ceph",
		"overrides", "launcher", "state", "state-directory"} {
		want[name] = "ok"
	}
	got := map[string]string{}
	t.Cleanup(func() {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Logf("the sources (-want +got):\n%s", diff)
		}
	})
	m.until(t, "all sources are as they should be", func() bool {
		r, _ := m.report(t)
		for _, s := range r.Sources {
			got[s.Name] = s.State
		}
		return cmp.Equal(want, got)
	})
	for sample, value := range map[string]string{
		`nodewatch_cluster_health{status="HEALTH_OK"}`: "1",
		"nodewatch_cluster_osds_up":                    "1",
	} {
		if got := m.metric(t, sample); got != value {
			t.Errorf("%s is %s, want %s", sample, got, value)
		}
	}
	var page string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the page:\n%s", page)
		}
	})
	for _, text := range []string{"vm101", "rbd0", "vm-101-disk-0", "bond0", "layer2"} {
		m.until(t, "the page names "+text, func() bool {
			page, _ = m.get("/")
			return strings.Contains(page, text)
		})
	}
	fmt.Println("systemd-test:", m.sh(t, "systemd-analyze security --no-pager nodewatch | tail -n 1"))
}

// worst returns the worst finding, once there is one that needs attention.
func (m *machine) worst(t *testing.T) (worst report.Finding) {
	t.Helper()
	m.until(t, "a finding", func() bool {
		r, _ := m.report(t)
		if len(r.Findings) > 0 {
			worst = r.Findings[0]
		}
		return worst.Severity == report.Warning
	})
	return worst
}

// systemctl status shows the worst finding.
func testStatus(t *testing.T, m *machine) {
	m.until(t, "the worst finding is the status", func() bool {
		status := m.sh(t, "systemctl status --no-pager -l nodewatch")
		return strings.Contains(status, "\n     Status: \"") && strings.Contains(status, m.worst(t).Summary)
	})
	fmt.Println("systemd-test: Status:", m.property(t, "StatusText"))
}

// Every user gets the full verdict.
func testCheck(t *testing.T, m *machine) {
	m.until(t, "a check by nobody says the worst finding", func() bool {
		out, code := m.run(t, "setpriv --reuid 65534 --regid 65534 --clear-groups nodewatch check --output nagios")
		return code == 1 && strings.HasPrefix(out, "NODEWATCH WARNING - ") && strings.Contains(out, m.worst(t).Summary)
	})
}
