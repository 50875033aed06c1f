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

// A Lab is the world as used by one scenario.
type Lab struct {
	*World
	t       *testing.T
	ctx     context.Context
	broken  string // failure of the environment; empty: none
	unwhole bool   // the scenario changes links, so that no other scenario may use its bond
	figures []string
}

// scenario starts a scenario: the world is as after boot, and is so again at its end.
func scenario(t *testing.T) *Lab {
	name := strings.TrimPrefix(t.Name(), "Test")
	if reason := noTime(name, time.Since(begin)); reason != "" {
		fmt.Printf("lab: left out %s: %s\n", name, reason)
		count.leftOut++
		t.Skip(reason)
	}
	w, err := stage.World()
	began := time.Now()
	l := &Lab{World: w, t: t, ctx: context.Background()} // clean-up takes longer than t.Context
	t.Cleanup(func() { l.ended(name, time.Since(began)) })
	if err != nil {
		l.environment("%v", err)
	}
	return l
}

// ended prints the scenario's line and counts it. If it failed, its world is not used
// again.
func (l *Lab) ended(name string, took time.Duration) {
	if l.t.Failed() {
		stage.Spoil(name + " has failed in it")
		if l.World != nil {
			l.t.Logf("the cluster at the end\n%s", l.Cluster.State(l.ctx))
		}
	}
	word := "ok  "
	switch {
	case !l.t.Failed():
		count.passed++
		spent(name, took)
	case l.broken != "":
		word, l.figures = "FAIL", append(l.figures, "environment: "+l.broken)
		count.environment++
	default:
		word = "FAIL"
		count.failed++
	}
	fmt.Printf("lab: %s %-20s %5.1f s  %s\n", word, name, took.Seconds(), strings.Join(l.figures, "; "))
}

// figure records a measured time and its limit; it is printed in the scenario's line.
func (l *Lab) figure(what string, took, most time.Duration) {
	l.t.Helper()
	l.figures = append(l.figures, fmt.Sprintf("%s %.1f s (of %.0f)", what, took.Seconds(), most.Seconds()))
	if took > most {
		l.t.Errorf("%s after %s, it may take %s", what, took, most)
	}
}

// environment ends the scenario because of a failure that nodewatch did not cause.
// Earlier failures of nodewatch still count.
func (l *Lab) environment(format string, args ...any) {
	l.t.Helper()
	if !l.t.Failed() {
		l.broken = firstLine(fmt.Sprintf(format, args...))
	}
	l.t.Fatalf("environment: "+format, args...)
}

// script runs a script in the guest, which must succeed. It also returns when the
// script began, by the guest's clock.
func (l *Lab) script(format string, args ...any) (out string, began time.Time) {
	l.t.Helper()
	text := fmt.Sprintf(format, args...)
	a, err := l.Guest.Exec(l.ctx, "sh", "-euc", text)
	if err != nil {
		l.environment("%v", err)
	}
	if a.Code != 0 {
		l.t.Fatalf("exit code %d of: %s\n%s%s", a.Code, text, a.Out, a.Err)
	}
	return strings.TrimSpace(string(a.Out) + string(a.Err)), a.Began
}

// sh runs a script in the guest.
func (l *Lab) sh(format string, args ...any) string {
	l.t.Helper()
	out, _ := l.script(format, args...)
	return out
}

// afterwards runs a script in the guest at the end of the scenario, unless it has
// failed: then the guest is discarded. A failure of the script is not nodewatch's:
// its part of the scenario is over by then.
func (l *Lab) afterwards(format string, args ...any) {
	l.t.Cleanup(func() {
		failed := l.t.Failed()
		if failed && !kept() {
			return
		}
		if _, err := l.Guest.Sh(l.ctx, fmt.Sprintf(format, args...)); err != nil {
			l.t.Errorf("clean-up: %v", err)
			if !failed {
				l.broken = "clean-up: " + firstLine(err.Error())
			}
		}
	})
}

func firstLine(s string) string { return strings.SplitN(s, "\n", 2)[0] }

// bond creates bond0 of both NICs, which the switch bundles, and waits until the
// storage network responds. The switch uses the same hash as the bond. An unchanged
// bond of the same mode from the previous scenario is reused.
func (l *Lab) bond(mode string, hash ethswitch.Hash) {
	l.t.Helper()
	l.t.Cleanup(func() {
		l.bonded = mode
		if !l.t.Failed() && l.unwhole {
			l.unbond()
		}
	})
	if l.bonded == mode && mode == "802.3ad" && l.Switch.Bundled() == len(nics) {
		l.Switch.SetHash(hash)
		l.policy(hash)
		return
	}
	l.unbond()
	channel := map[string]ethswitch.Channel{"802.3ad": ethswitch.LACP, "balance-xor": ethswitch.Static,
		"active-backup": ethswitch.None}[mode]
	l.Switch.SetChannel(channel, hash)
	options := "mode " + mode + " miimon 100"
	if mode != "active-backup" {
		options += " xmit_hash_policy " + string(hash)
	}
	if mode == "802.3ad" {
		options += " lacp_rate fast"
	}
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
		l.environment("the bond does not come up: %v\n%s", err, l.sh("cat /proc/net/bonding/bond0; ip -s link"))
	}
}

// unbond removes bond0, if there is one.
func (l *Lab) unbond() {
	l.t.Helper()
	l.bonded = ""
	l.sh("ip link del bond0 2>/dev/null || true; for n in %s; do ip link set $n down; done", strings.Join(nics, " "))
}

// The protocols that krbd can use with Ceph.
const (
	msgr1 = "legacy"
	msgr2 = "crc"
)

// mapImages maps the first n images with krbd, in one of these modes, and returns the
// devices. With ",noshare" appended, each device has its own client.
func (l *Lab) mapImages(n int, mode string) (devices []string) {
	l.t.Helper()
	for i := range n {
		devices = append(devices, l.mapImage(i, mode))
	}
	return devices
}

// release returns the version of the guest's kernel.
func (l *Lab) release() (k release) {
	l.t.Helper()
	if _, err := fmt.Sscanf(l.Kernel.Version, "%d.%d", &k.major, &k.minor); err != nil {
		l.t.Fatalf("version %q: %v", l.Kernel.Version, err)
	}
	return k
}

// speaksMsgr2 reports whether the guest's kernel supports the second version of the
// protocol.
func (l *Lab) speaksMsgr2() bool { return !l.release().before(5, 11) }

// mapImage maps one of the images. A kernel without msgr2 uses msgr1 instead, with a
// separate client, as with the other version.
func (l *Lab) mapImage(i int, mode string) (device string) {
	l.t.Helper()
	if strings.HasPrefix(mode, msgr2) && !l.speaksMsgr2() {
		mode = msgr1 + ",noshare"
	}
	l.afterwards(`for d in /sys/bus/rbd/devices/*; do [ -e $d ] && echo "${d##*/} force" >/sys/bus/rbd/remove_single_major; done; true`)
	port, options := 6789, "name=admin,secret="+l.Cluster.Key
	if strings.HasPrefix(mode, msgr2) {
		port, options = 3300, options+",ms_mode=crc"
	}
	if strings.HasSuffix(mode, ",noshare") {
		options += ",noshare"
	}
	l.sh("echo '%s:%d %s rbd %s -' >/sys/bus/rbd/add_single_major", storageIP, port, options, images[i])
	return "rbd" + l.sh(`for d in /sys/bus/rbd/devices/*; do [ "$(cat $d/name)" = %s ] && echo "${d##*/}"; done; true`, images[i])
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

// configured starts the daemon with a configuration that saves time.
func (l *Lab) configured(yaml string) {
	l.t.Helper()
	l.put("/run/nodewatch.yaml", yaml)
	l.nodewatch("--config.file /run/nodewatch.yaml")
}

// end ends nodewatch like systemd, if it runs.
func (l *Lab) end() {
	l.t.Helper()
	_, err := l.Guest.Sh(l.ctx, `[ -e /run/nodewatch.pid ] || exit 0
p=$(cat /run/nodewatch.pid); rm /run/nodewatch.pid
kill -CONT $p; kill $p
for i in $(seq 50); do [ -e /proc/$p ] || exit 0; usleep 100000; done
echo it does not end; kill -9 $p; exit 1`)
	if err != nil {
		l.broken = ""
		l.t.Errorf("nodewatch: %v", err)
	}
}

// kernelTimes returns when the kernel logged the lines that contain the text, by the
// guest's clock, to a few hundredths of a second, and never later than the real time.
func (l *Lab) kernelTimes(text string) (times []time.Time) {
	l.t.Helper()
	out, began := l.script(`cut -d' ' -f1 /proc/uptime; dmesg | grep -F '%s' | sed 's/^\[ *\([0-9.]*\)\].*/\1/' || true`, text)
	var up float64
	for i, field := range strings.Fields(out) {
		var at float64
		if _, err := fmt.Sscan(field, &at); err != nil {
			l.t.Fatalf("%q of the kernel's log: %v", field, err)
		}
		if i == 0 {
			up = at
			continue
		}
		times = append(times, began.Add(-time.Duration((up-at)*float64(time.Second))))
	}
	return times
}

// firstSince returns the earliest of the kernel's times that is not before t,
// allowing for the error of kernelTimes.
func (l *Lab) firstSince(times []time.Time, t time.Time) (first time.Time) {
	l.t.Helper()
	for _, at := range times {
		if !at.Before(t.Add(-300*time.Millisecond)) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if first.IsZero() {
		l.t.Fatalf("the kernel has logged nothing since %s", t)
	}
	return first
}

// kernelCount counts the lines of the kernel's log that contain the text.
func (l *Lab) kernelCount(text string) (n int) {
	l.t.Helper()
	if _, err := fmt.Sscan(l.sh("dmesg | grep -cF '%s' || true", text), &n); err != nil {
		l.t.Fatal(err)
	}
	return n
}
