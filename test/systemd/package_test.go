//go:build lab

package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// packages is the directory of make dist's packages in the guest.
const packages = "root/packages"

// packaging adds the packages and what installs them: dpkg, and the programs that
// maintainer scripts call. The dependencies of nodewatch's packages are marked as
// installed, because their files are there.
func (r root) packaging(bin string) (binaries []string) {
	r.t.Helper()
	for _, name := range []string{"dpkg", "perl-base", "init-system-helpers", "tar"} {
		binaries = append(binaries, r.unpacked(name)...)
	}
	for _, name := range []string{"ldconfig", "diff"} { // dpkg requires that these exist
		path, err := exec.LookPath(name)
		r.must(err)
		r.file("usr/sbin/"+name, path, 0o755)
		binaries = append(binaries, path)
	}
	var status strings.Builder
	for _, name := range []string{"init-system-helpers", "procps", "systemd"} {
		fmt.Fprintf(&status, "Package: %s\nStatus: install ok installed\nArchitecture: amd64\nMaintainer: none <none@example.org>\nVersion: 999\nDescription: noted as installed\n\n", name)
	}
	r.put("var/lib/dpkg/status", 0o644, []byte(status.String()))
	r.put("var/lib/dpkg/available", 0o644, nil)
	r.put("var/lib/dpkg/info/format", 0o644, []byte("1\n"))
	for _, name := range []string{"updates", "triggers"} {
		r.must(os.MkdirAll(filepath.Join(r.dir, "var/lib/dpkg", name), 0o755))
	}
	for _, name := range packed {
		files, err := filepath.Glob(filepath.Join(bin, "dist", name+"_*_amd64.deb"))
		if err != nil || len(files) != 1 {
			r.t.Fatalf("%d packages %s in %s, %v", len(files), name, bin, err)
		}
		r.file(filepath.Join(packages, name+".deb"), files[0], 0o644)
	}
	return binaries
}

// packed lists the packages that are installed in the guest.
var packed = []string{"nodewatch", "nodewatch-status"}

// takes runs a script that may exceed the agent's time limit, like dpkg on a busy machine,
// and returns its output. It must succeed.
func (m *machine) takes(t *testing.T, script string) string {
	t.Helper()
	m.put(t, "/run/script", 0o644, script)
	m.sh(t, "rm -f /run/code; (code=0; sh -eu /run/script >/run/said 2>&1 </dev/null || code=$?; echo $code >/run/code) >/dev/null 2>&1 </dev/null &")
	m.until(t, script, func() bool { _, code := m.run(t, "[ -s /run/code ]"); return code == 0 })
	out := m.sh(t, "cat /run/said")
	if code := m.sh(t, "cat /run/code"); code != "0" {
		t.Fatalf("exit code %s of: %s\n%s", code, script, out)
	}
	return out
}

// installed runs dpkg -i and waits until the service of the package is active, without
// any other action.
func (m *machine) installed(t *testing.T, name string) {
	t.Helper()
	begin := time.Now()
	out := m.takes(t, "cd /"+packages+"; dpkg -i "+name+".deb")
	m.until(t, name+" runs", func() bool { return m.sh(t, "systemctl show -P ActiveState "+name) == "active" })
	fmt.Printf("systemd-test: %s installed and active in %.0f s\n", name, time.Since(begin).Seconds())
	if strings.Contains(out, "warning: /") {
		t.Errorf("dpkg -i warns: %s", out)
	}
	if got := m.sh(t, "systemctl is-enabled "+name+"; systemctl show -P FragmentPath "+name); got != "enabled\n/usr/lib/systemd/system/"+
		name+".service" && got != "enabled\n/lib/systemd/system/"+name+".service" {
		t.Errorf("%s is %s", name, got)
	}
}

// The package replaces the manual installation: only dpkg -i and nodewatch check are
// needed. An upgrade restarts the service, a removal ends it, a purge removes the state.
func testPackage(t *testing.T, m *machine) {
	m.sh(t, `systemctl stop nodewatch nodewatch.socket
rm -rf /etc/systemd/system/nodewatch.* /usr/lib/sysusers.d/nodewatch.conf /usr/local/bin/nodewatch /etc/default/nodewatch /run/nodewatch /var/lib/nodewatch
systemctl daemon-reload`)
	m.installed(t, "nodewatch")
	m.until(t, "it has judged", func() bool { _, status := m.get("/-/ready"); return status == 200 })
	out, code := m.run(t, "nodewatch check")
	if code > 1 || !strings.Contains(out, "Components") {
		t.Errorf("nodewatch check exits with %d\n%s", code, out)
	}
	if exe := m.sh(t, fmt.Sprintf("readlink /proc/%d/exe", m.pid(t))); exe != "/usr/bin/nodewatch" {
		t.Errorf("%s runs", exe)
	}
	m.leaves(t, "nodewatch")
	m.takes(t, "dpkg -i /"+packages+"/nodewatch.deb")
}

// leaves upgrades the package while its service runs, disables it, upgrades it again,
// removes and purges it.
func (m *machine) leaves(t *testing.T, name string) {
	t.Helper()
	install := "dpkg -i /" + packages + "/" + name + ".deb"
	process := func() string { return m.sh(t, "systemctl show -P MainPID "+name) } // 0: not running
	before := process()
	m.takes(t, install)
	m.until(t, "the upgrade has restarted "+name, func() bool {
		now := process()
		return now != "0" && now != before && m.sh(t, "systemctl show -P ActiveState "+name) == "active"
	})
	m.takes(t, "systemctl disable --now "+name+"; "+install)
	if got, _ := m.run(t, "systemctl is-enabled "+name+" || true; systemctl is-active "+name+" || true"); got != "disabled\ninactive" {
		t.Errorf("after an upgrade of a disabled service: %s", got)
	}
	m.takes(t, "systemctl enable --now "+name+"; dpkg -r "+name)
	if got, _ := m.run(t, "systemctl is-active "+name+" || true; [ -d /var/lib/"+name+" ] && [ -e /etc/default/"+name+
		" ] && [ ! -e /usr/bin/"+name+" ] && echo kept"); got != "inactive\nkept" {
		t.Errorf("after a removal: %s", got)
	}
	m.takes(t, "dpkg -P "+name)
	if left, _ := m.run(t, "ls -d /var/lib/"+name+" /etc/default/"+name+" /usr/lib/systemd/system/"+name+".service /usr/lib/sysctl.d/60-"+
		name+".conf /etc/systemd/system/multi-user.target.wants/"+name+".service 2>/dev/null || true"); left != "" {
		t.Errorf("a purge leaves %s", left)
	}
}

// pings returns the first and the last group that may ping.
func (m *machine) pings(t *testing.T) string {
	t.Helper()
	return m.sh(t, "echo $(cat /proc/sys/net/ipv4/ping_group_range)")
}

// nodewatch-status with SQLite, as its package installs it: it becomes ready, only its own
// user can read its state, it needs no capability, and its package can be upgraded and
// removed like nodewatch's.
func testStatusPackage(t *testing.T, m *machine) {
	const name = "nodewatch-status"
	if before := m.pings(t); before == "0 2147483647" {
		t.Fatalf("before the package everybody may ping: %s", before)
	}
	m.installed(t, name)
	if got := m.pings(t); got != "0 2147483647" {
		t.Errorf("the groups that may ping are %s", got)
	}
	ask := func(url string) string {
		body, status, err := m.ask(url)
		if err != nil || status != 200 {
			t.Errorf("%s: status %d, %v, %s", url, status, err, body)
		}
		return body
	}
	ask("http://127.0.0.1:10092/-/ready")
	if body := ask("http://127.0.0.1:10091/"); !strings.Contains(body, "<h1>") {
		t.Errorf("the public page: %s", body)
	}
	if got := m.sh(t, "stat -c '%U %a' /var/lib/nodewatch-status /var/lib/nodewatch-status/status.db"); got != name+" 700\n"+name+" 600" {
		t.Errorf("the state is %q", got)
	}
	status := m.sh(t, "cat /proc/$(systemctl show -P MainPID "+name+")/status")
	for _, want := range []string{"CapEff:\t" + none, "CapBnd:\t" + none, "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, "\n"+want+"\n") {
			t.Errorf("not %s in\n%s", want, status)
		}
	}
	m.sh(t, "printf 'page: {titel: x}\\n' >>/etc/nodewatch-status/nodewatch-status.yml; systemctl reload "+name)
	m.until(t, "the mistake is noted", func() bool {
		return strings.Contains(ask("http://127.0.0.1:10092/metrics"), "\nnodewatch_status_config_last_reload_successful 0\n")
	})
	begin := time.Now()
	m.sh(t, "systemctl stop "+name)
	fmt.Printf("systemd-test: %s stopped in %.1f s; %s\n", name, time.Since(begin).Seconds(),
		m.sh(t, "systemd-analyze security --no-pager "+name+" | tail -n 1"))
	if got := m.sh(t, "systemctl show -P Result "+name); got != "success" {
		t.Errorf("it ends with %s", got)
	}
	m.takes(t, "sed -i '$d' /etc/nodewatch-status/nodewatch-status.yml; systemctl start "+name)
	m.leaves(t, name)
}
