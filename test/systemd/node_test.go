//go:build lab

package systemd

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/test/cephlab"
)

const configuration = "node: node2\nceph:\n  every: 10s\n"

// node makes the guest a hypervisor: a bond that hashes by layer 2, a disk that krbd has mapped over it, a process
// that looks like the QEMU of the disk's guest (a renamed shell, because a script does not count as a guest), and
// nodewatch's user of the cluster according to docs/ceph.md.
func (m *machine) node(t *testing.T) {
	t.Helper()
	m.Image("vm-101-disk-0", 16)
	m.Image("vm-102-disk-0", 16)
	own := m.User("client.nodewatch", cephlab.LeastCaps(t, "../../docs/ceph.md")...)
	krbd := m.User("client.krbd", "mon", "profile rbd", "osd", "profile rbd pool="+cephlab.Pool)
	m.put(t, "/etc/ceph/ceph.conf", 0o644, "[global]\nmon host = v1:"+m.Mon+"\n")
	m.put(t, keyring, 0o640, string(read(t, own)))
	m.put(t, "/etc/default/nodewatch", 0o644, "ARGS=--config.file=/etc/nodewatch/nodewatch.yml\n")
	m.put(t, "/etc/nodewatch/nodewatch.yml", 0o644, configuration)
	m.put(t, "/run/guest", 0o644, "sleep 100000\n")
	m.sh(t, "chown root:nodewatch "+keyring+`
ip link add bond0 type bond mode 802.3ad miimon 100 xmit_hash_policy layer2
ip link add dummy0 type dummy
for n in eth0 dummy0; do ip link set $n down; ip link set $n master bond0; done
ip addr add `+guestIP+`/24 dev bond0
ip link set bond0 up
ip link set lo up
for i in $(seq 300); do ! ping -c1 -W1 `+storageIP+` >/dev/null || break; done
echo '`+m.Mon+` name=krbd,secret=`+secret(t, krbd)+" "+cephlab.Pool+` vm-101-disk-0 -' >/run/mapping
cat /run/mapping >/sys/bus/rbd/add_single_major
cp /usr/bin/dash /usr/local/bin/qemu-system-x86_64
setsid qemu-system-x86_64 /run/guest -name guest=vm101 -uuid 8bd9b9d3-19f0-4b6e-8c8a-3d1f2b9c7a55 -drive file=/dev/rbd0,format=raw,if=virtio </dev/null >/dev/null 2>&1 &`)
}

// keyring is the path of nodewatch's key in the guest.
const keyring = "/etc/ceph/ceph.client.nodewatch.keyring"

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func secret(t *testing.T, keyring string) string {
	t.Helper()
	m := regexp.MustCompile(`key = (\S+)`).FindSubmatch(read(t, keyring))
	if m == nil {
		t.Fatalf("no key in %s", keyring)
	}
	return string(m[1])
}

// until waits for a state of the guest. The guest is emulated, so the limit is much
// longer than anything takes.
func (m *machine) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	limit := time.After(patience)
	for !so() {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-limit:
			t.Fatalf("never came: %s\n%s", what, m.state(t))
		}
	}
}

// state returns systemd's state of the service, for a failed test.
func (m *machine) state(t *testing.T) string {
	out, _ := m.run(t, "systemctl status --no-pager -l nodewatch nodewatch.socket; journalctl --no-pager -o cat -n 40 -u nodewatch; dmesg | tail -n 20")
	return out
}

// property returns one of systemd's properties of the service.
func (m *machine) property(t *testing.T, name string) string {
	t.Helper()
	return m.sh(t, "systemctl show -P "+name+" nodewatch")
}

// start starts the service, and waits until systemd reports it as ready.
func (m *machine) start(t *testing.T) {
	t.Helper()
	m.sh(t, "systemctl start nodewatch")
}

// report returns nodewatch's report; false: it has none yet.
func (m *machine) report(t *testing.T) (r report.Report, ok bool) {
	t.Helper()
	body, status := m.get("/api/v1/report")
	if status != 200 {
		return r, false
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatal(err)
	}
	return r, true
}

// metric returns the value of one sample, as in the text.
func (m *machine) metric(t *testing.T, sample string) string {
	t.Helper()
	body, status := m.get("/metrics")
	if status != 200 {
		return fmt.Sprintf("status %d", status)
	}
	for line := range strings.Lines(body) {
		if value, is := strings.CutPrefix(line, sample+" "); is {
			return strings.TrimSpace(value)
		}
	}
	return "none"
}

// pid returns the daemon's process id.
func (m *machine) pid(t *testing.T) int {
	t.Helper()
	pid, err := strconv.Atoi(m.property(t, "MainPID"))
	if err != nil || pid == 0 {
		t.Fatalf("no main process: %d, %v\n%s", pid, err, m.state(t))
	}
	return pid
}

// status returns /proc/PID/status, by field.
func (m *machine) status(t *testing.T, pid int) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for line := range strings.Lines(m.sh(t, fmt.Sprintf("cat /proc/%d/status", pid))) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// child returns the service's process whose command line begins with command; 0: there is
// none.
func (m *machine) child(t *testing.T, command string) int {
	t.Helper()
	out := m.sh(t, fmt.Sprintf(`for p in $(cat /sys/fs/cgroup/system.slice/nodewatch.service/cgroup.procs); do case "$(tr '\0' ' ' </proc/$p/cmdline)" in %s*) echo $p;; esac; done`, command))
	pid, _ := strconv.Atoi(strings.TrimSpace(out)) // none: 0
	return pid
}

// patience is much longer than anything takes here, even with an emulated guest on a busy machine.
const patience = 10 * time.Minute
