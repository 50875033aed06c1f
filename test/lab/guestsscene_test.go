//go:build lab

package lab

import (
	"html"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// libvirtd starts libvirt in the guest, and stores the cluster's key in it.
func (l *Lab) libvirtd() {
	l.t.Helper()
	image, err := GuestsDisk(l.bin)
	if err == nil {
		err = l.Guest.PlugGuestsDisk(l.ctx, image)
	}
	l.t.Cleanup(func() {
		if err := l.Guest.PullGuestsDisk(l.ctx); err != nil {
			l.t.Errorf("clean-up: %v", err)
		}
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.afterwards("%s", endGuests)
	l.afterwards("%s", stopLibvirtd)
	l.t.Cleanup(func() {
		if l.t.Failed() {
			out, _, err := l.Guest.Run(l.ctx, "sh", "-c", "tail -n 9 /tmp/libvirtd.log /tmp/vm*.log "+guestsRoot+
				"/var/log/libvirt/qemu/*.log; ps | grep -o 'qemu-system.* -name [^ ]*'; free -m")
			if err != nil {
				out += err.Error()
			}
			l.t.Logf("libvirt and QEMU at the end\n%s", out)
		}
	})
	l.sh("%s", startLibvirtd)
	l.put("/run/secret.xml", secretXML)
	l.sh("%s\n%s", virsh("secret-define /run/secret.xml"), virsh("secret-set-value "+cephSecret+" --base64 "+l.Cluster.Key))
}

func (l *Lab) put(path, text string) {
	l.t.Helper()
	if err := l.Guest.Put(l.ctx, path, 0o600, []byte(text)); err != nil {
		l.t.Fatal(err)
	}
}

// domain starts a domain; if paused, it waits before its first instruction.
func (l *Lab) domain(name, clock, disk string, paused bool) {
	l.t.Helper()
	l.put("/run/"+name+".xml", domainXML(name, clock, disk))
	command := "create /run/" + name + ".xml"
	if paused {
		command += " --paused"
	}
	l.slowly(virsh(command))
}

// slowly runs a script in the guest that may exceed the agent's time limit: on a busy
// machine, QEMU within QEMU starts slowly.
func (l *Lab) slowly(script string) {
	l.t.Helper()
	l.put("/run/slowly", script)
	l.sh("rm -f /run/slowly.code; (sh /run/slowly >/run/slowly.log 2>&1; echo $? >/run/slowly.new; mv /run/slowly.new /run/slowly.code) >/dev/null 2>&1 </dev/null &")
	var out string
	err := wait(l.ctx, 2*time.Minute, func() (done bool, err error) {
		out, err = l.Guest.Sh(l.ctx, "[ ! -e /run/slowly.code ] || cat /run/slowly.code /run/slowly.log")
		return out != "", err
	})
	if err != nil || !strings.HasPrefix(out, "0") {
		l.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// qemu starts a paused QEMU without libvirt on a krbd device, by a path that does not
// identify the device.
func (l *Lab) qemu(name, device string) {
	l.t.Helper()
	id := strings.TrimPrefix(device, "rbd")
	l.afterwards("rm -f /dev/disk-of-%s", name)
	l.sh(`mknod /dev/disk-of-%[1]s b $(cat /sys/bus/rbd/devices/%[2]s/major) $(cat /sys/bus/rbd/devices/%[2]s/minor)
chroot %[3]s /usr/bin/qemu-system-x86_64 -name %[1]s -S -accel tcg -m 16 -display none -nodefaults -pidfile /run/libvirt/qemu/%[1]s.pid \
	-drive file=/dev/disk-of-%[1]s,format=raw,if=virtio,cache=none >/tmp/%[1]s.log 2>&1 </dev/null &
for i in $(seq 100); do [ -e /run/libvirt/qemu/%[1]s.pid ] && exit 0; usleep 100000; done
cat /tmp/%[1]s.log; exit 1`, name, id, guestsRoot)
}

// unprivileged starts nodewatch as its systemd unit does: as an unprivileged user
// with four capabilities.
func (l *Lab) unprivileged() {
	l.t.Helper()
	const caps = "-all,+syslog,+dac_read_search,+sys_ptrace,+ipc_lock"
	l.sh(`%[1]s/lib64/ld-linux-x86-64.so.2 --library-path %[1]s/lib/x86_64-linux-gnu %[1]s/usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups \
	--inh-caps %[2]s --ambient-caps %[2]s --bounding-set %[2]s --no-new-privs nodewatch run >/tmp/nodewatch.log 2>&1 </dev/null &
echo $! >/run/nodewatch.pid`, guestsRoot, caps)
	l.until(20*time.Second, "nodewatch starts without privileges", func(Report) bool { return true })
	if uid := l.sh("grep ^Uid: /proc/$(cat /run/nodewatch.pid)/status"); !strings.Contains(uid, "65534") {
		l.t.Errorf("nodewatch runs as %s", uid)
	}
}

// bootImage creates an image to which its VM writes when it boots. It outlives
// libvirtd.
func (l *Lab) bootImage(name string) {
	l.t.Helper()
	l.t.Cleanup(func() {
		if err := l.Cluster.RemoveImage(l.ctx, name); err != nil {
			l.t.Errorf("clean-up: %v", err)
		}
	})
	if err := l.Cluster.BootImage(l.ctx, name); err != nil {
		l.t.Fatal(err)
	}
}

var writeRequests = regexp.MustCompile(`wr_req (\d{1,9})\b`)

// writes waits until a domain writes to its disk.
func (l *Lab) writes(name string) {
	l.t.Helper()
	err := wait(l.ctx, 30*time.Second, func() (bool, error) {
		out, err := l.Guest.Sh(l.ctx, virsh("domblkstat "+name+" vda"))
		n := 0
		if m := writeRequests.FindStringSubmatch(out); m != nil {
			n, _ = strconv.Atoi(m[1])
		}
		return n > 10, err
	})
	if err != nil {
		l.t.Fatalf("%s does not write: %v", name, err)
	}
}

// watcher returns the address of the client that has an image open.
func (l *Lab) watcher(image string) string {
	l.t.Helper()
	out, err := l.Cluster.Watchers(l.ctx, image)
	m := regexp.MustCompile(`watcher=(\S+)`).FindStringSubmatch(out)
	if err != nil || m == nil {
		l.t.Fatalf("who has %s open: %q, %v", image, out, err)
	}
	return m[1]
}

// blocklist blocklists a client until the end of the scenario.
func (l *Lab) blocklist(client string) {
	l.t.Helper()
	if _, err := l.Cluster.Ceph(l.ctx, "osd", "blocklist", "add", client, "3600"); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if _, err := l.Cluster.Ceph(l.ctx, "osd", "blocklist", "rm", client); err != nil {
			l.t.Errorf("clean-up: %v", err)
		}
	})
}

// page returns the HTML page.
func (l *Lab) page() string {
	l.t.Helper()
	return html.UnescapeString(string(l.fetch("/")))
}

var (
	tableRow = regexp.MustCompile(`(?s)<tr>.*?</tr>`)
	htmlTag  = regexp.MustCompile(`<[^>]*>`)
)

// row checks that the image's row in the page's table of disks contains all texts.
func (l *Lab) row(image string, says ...string) {
	l.t.Helper()
	for _, row := range tableRow.FindAllString(l.page(), -1) {
		text := htmlTag.ReplaceAllString(row, " ")
		if !strings.Contains(text, "rbd/"+image) {
			continue
		}
		for _, s := range says {
			if !strings.Contains(text, s) {
				l.t.Errorf("want %q in: %s", s, text)
			}
		}
		return
	}
	l.t.Errorf("%s is not on the page", image)
}

// keepsSecret checks that nodewatch's output does not contain the cluster's key.
func (l *Lab) keepsSecret(texts ...string) {
	l.t.Helper()
	for _, text := range texts {
		if text == "" || strings.Contains(text, strings.TrimRight(l.Cluster.Key, "=")) {
			l.t.Error("nodewatch tells the key of the cluster, or nothing")
		}
	}
}
