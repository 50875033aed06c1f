//go:build lab

package lab

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// A Lab is the world in the hands of one scenario.
type Lab struct {
	*World
	t   *testing.T
	ctx context.Context
}

// scenario begins one: the world is as after boot, and is again at its end.
func scenario(t *testing.T) *Lab {
	begin := time.Now()
	l := &Lab{World: world, t: t, ctx: context.Background()} // clean-up takes longer than t.Context
	t.Cleanup(func() {
		word, count := "ok  ", &passed
		if t.Failed() {
			word, count = "FAIL", &failed
		}
		count.Add(1)
		fmt.Printf("lab: %s %-20s %5.1f s\n", word, strings.TrimPrefix(t.Name(), "Test"), time.Since(begin).Seconds())
	})
	return l
}

// sh runs a script in the guest.
func (l *Lab) sh(format string, args ...any) string {
	l.t.Helper()
	out, err := l.Guest.Sh(l.ctx, fmt.Sprintf(format, args...))
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

// afterwards runs a script in the guest at the end.
func (l *Lab) afterwards(format string, args ...any) {
	l.t.Cleanup(func() {
		if _, err := l.Guest.Sh(l.ctx, fmt.Sprintf(format, args...)); err != nil {
			l.t.Errorf("clean-up: %v", err)
		}
	})
}

// bond makes bond0 of both NICs, which the switch bundles, and waits until the
// storage network answers. The switch hashes as the bond does.
func (l *Lab) bond(mode string, hash ethswitch.Hash) {
	l.t.Helper()
	channel := map[string]ethswitch.Channel{"802.3ad": ethswitch.LACP, "balance-xor": ethswitch.Static, "active-backup": ethswitch.None}[mode]
	l.Switch.SetChannel(channel, hash)
	options := "mode " + mode + " miimon 100"
	if mode != "active-backup" {
		options += " xmit_hash_policy " + string(hash)
	}
	if mode == "802.3ad" {
		options += " lacp_rate fast"
	}
	l.afterwards("ip link del bond0 2>/dev/null || true; for n in %s; do ip link set $n down; done", strings.Join(nics, " "))
	l.sh(`ip link add bond0 type bond %s
for n in %s; do ip link set $n down; ip link set $n master bond0; done
ip addr add %s/24 dev bond0
ip link set bond0 up`, options, strings.Join(nics, " "), guestIP)
	err := wait(l.ctx, 20*time.Second, func() (bool, error) {
		if mode == "802.3ad" && l.Switch.Bundled() < len(nics) {
			return false, nil
		}
		_, code, err := l.Guest.Run(l.ctx, "ping", "-c1", "-W1", storageIP)
		return code == 0 && err == nil, err
	})
	if err != nil {
		l.t.Fatalf("the bond does not come up: %v\n%s", err, l.sh("cat /proc/net/bonding/bond0; ip -s link"))
	}
}

// The ways krbd speaks to Ceph.
const (
	msgr1 = "legacy"
	msgr2 = "crc"
)

// mapImages maps the first n images by krbd, in one of these ways, and returns the
// devices. With ",noshare" after it each device has a client of its own.
func (l *Lab) mapImages(n int, mode string) (devices []string) {
	l.t.Helper()
	l.afterwards(`for d in /sys/bus/rbd/devices/*; do [ -e $d ] && echo "${d##*/} force" >/sys/bus/rbd/remove_single_major; done; true`)
	for _, image := range images[:n] {
		port, options := 6789, "name=admin,secret="+l.Cluster.Key
		if strings.HasPrefix(mode, msgr2) {
			port, options = 3300, options+",ms_mode=crc"
		}
		if strings.HasSuffix(mode, ",noshare") {
			options += ",noshare"
		}
		l.sh("echo '%s:%d %s rbd %s -' >/sys/bus/rbd/add_single_major", storageIP, port, options, image)
		id := l.sh(`for d in /sys/bus/rbd/devices/*; do [ "$(cat $d/name)" = %s ] && echo "${d##*/}"; done; true`, image)
		devices = append(devices, "rbd"+id)
	}
	return devices
}

// nodewatch starts the daemon in the guest and waits for its first report.
func (l *Lab) nodewatch(flags ...string) {
	l.t.Helper()
	l.t.Cleanup(func() {
		if l.t.Failed() {
			if r, err := l.report(); err == nil {
				l.t.Logf("the report at the end %s", r)
			}
			out, _, err := l.Guest.Run(l.ctx, "sh", "-c", "tail -n 30 /tmp/nodewatch.log; dmesg | tail -n 30")
			if err != nil {
				out += err.Error()
			}
			l.t.Logf("the logs at the end\n%s", out)
		}
		l.end()
	})
	l.sh("nodewatch run %s >/tmp/nodewatch.log 2>&1 </dev/null & echo $! >/run/nodewatch.pid", strings.Join(flags, " "))
	l.until(20*time.Second, "nodewatch starts", func(Report) bool { return true })
}

// end ends nodewatch, if it runs, as systemd would.
func (l *Lab) end() {
	l.t.Helper()
	_, err := l.Guest.Sh(l.ctx, `[ -e /run/nodewatch.pid ] || exit 0
p=$(cat /run/nodewatch.pid); rm /run/nodewatch.pid
kill -CONT $p; kill $p
for i in $(seq 50); do [ -e /proc/$p ] || exit 0; usleep 100000; done
echo it does not end; kill -9 $p; exit 1`)
	if err != nil {
		l.t.Errorf("nodewatch: %v", err)
	}
}

// kernelCount counts the lines of the kernel's log that contain the text.
func (l *Lab) kernelCount(text string) (n int) {
	l.t.Helper()
	if _, err := fmt.Sscan(l.sh("dmesg | grep -cF '%s' || true", text), &n); err != nil {
		l.t.Fatal(err)
	}
	return n
}
