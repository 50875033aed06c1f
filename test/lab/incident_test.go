//go:build lab

package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// The RL1 Node 2 incident: a layer2 bond under krbd fills one NIC, and a CRC loop
// begins. Neither a throttle nor the right policy ends it; it ends when the damage
// stops. The tape that nodewatch records replays with the same result outside of the
// guest.
func TestIncident(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer2)
	l.limit(ethswitch.Rate{Bits: speed * 1e6, Buffer: 512 << 10})
	l.nodewatch("--tape=/tmp/incident.jsonl.zst")
	devices := l.mapImages(len(images), msgr1)
	l.until(12*time.Second, "the standing risk is told", func(r Report) bool { return r.raised("layer2-bond-krbd", "warning") })

	before := l.Switch.Counters()
	l.load(devices)
	r := l.until(30*time.Second, "the full NIC is told", func(r Report) bool { return r.raised("nic-saturated", "warning") })
	full := r.finding("nic-saturated").Subject
	l.sharesMatch(before, full)
	if r := l.now(); !r.clear("krbd-retry-storm", "libceph-crc", "krbd-stalled") {
		t.Errorf("a full NIC is no storm: %s", r)
	}

	l.damage(ethswitch.Damage{Every: 1, Least: 1000})
	stormy := func(r Report) bool {
		f := r.finding("layer2-bond-krbd")
		return r.goesOn("krbd-retry-storm", "critical") && f != nil && f.Severity == "critical" && f.Impact == "major_outage"
	}
	l.until(10*time.Second, "the storm is told", stormy)
	if out, code, err := l.Guest.Run(l.ctx, "nodewatch", "check", "--output", "json"); err != nil || code != 2 ||
		!strings.Contains(out, `"krbd-retry-storm"`) {
		t.Errorf("check: exit code %d, %v: %s", code, err, out)
	}
	l.sample("storm")
	l.sh("tc qdisc add dev bond0 root tbf rate 50mbit burst 64k latency 100ms")
	l.holds(3*time.Second, "a throttle does not end it", stormy)
	l.sh("tc qdisc del dev bond0 root")

	l.Switch.SetHash(ethswitch.Layer34)
	l.policy(ethswitch.Layer34)
	l.holds(8*time.Second, "the storm continues until I/O completes",
		func(r Report) bool { return r.goesOn("krbd-retry-storm", "critical") })
	l.damage(ethswitch.Damage{})
	l.unload()
	l.until(90*time.Second, "all is well", func(r Report) bool {
		return r.clear("krbd-retry-storm", "krbd-stalled", "layer2-bond-krbd", "nic-saturated", "bond-lacp")
	})
	l.replays(l.now().Transitions)
}

// limit limits both NICs until the end of the scenario.
func (l *Lab) limit(r ethswitch.Rate) {
	for _, n := range nics {
		l.Switch.SetRate(n, r)
	}
	if r.Bits != 0 {
		l.t.Cleanup(func() { l.limit(ethswitch.Rate{}) })
	}
}

// load reads the disks repeatedly until unload.
func (l *Lab) load(devices []string) {
	l.t.Helper()
	l.t.Cleanup(l.unload)
	l.sh("touch /run/load")
	for _, d := range devices {
		l.sh("(while [ -e /run/load ]; do dd if=/dev/%s of=/dev/null bs=1M iflag=direct; done) >/dev/null 2>&1 </dev/null &", d)
	}
}

// unload ends the load and waits for its last read.
func (l *Lab) unload() {
	l.t.Helper()
	l.sh("rm -f /run/load; for i in $(seq 200); do pidof dd >/dev/null || exit 0; usleep 100000; done; echo reads do not end; exit 1")
}

// sharesMatch compares the share of each slave that nodewatch reports with the
// switch's counters.
func (l *Lab) sharesMatch(before map[string]ethswitch.Counters, full string) {
	l.t.Helper()
	after := l.Switch.Counters()
	var sent, sum float64
	for _, n := range nics {
		bytes := float64(after[n].SentBytes - before[n].SentBytes)
		sum += bytes
		if strings.Contains(full, n) {
			sent = bytes
		}
	}
	if sent < 0.9*sum {
		l.t.Errorf("nodewatch says %s is full, the switch sent %.0f of %.0f bytes to it", full, sent, sum)
	}
	for _, n := range nics {
		share, ok := l.metric("nodewatch_bond_slave_share_ratio", `nic="`+n+`"`, `direction="receive"`)
		if want := strings.Contains(full, n); !ok || want != (share > 0.9) || !want && share > 0.1 {
			l.t.Errorf("%s has a share of %.3f, %v; %s is the full one", n, share, ok, full)
		}
	}
}

// replays ends nodewatch, and replays its tape outside of the guest: the changes must
// equal the live ones.
func (l *Lab) replays(live []Transition) {
	l.t.Helper()
	l.end()
	tape := filepath.Join(l.dir, "incident.jsonl.zst")
	if err := os.WriteFile(tape, []byte(l.sh("base64 /tmp/incident.jsonl.zst")), 0o600); err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.children.Output(l.ctx, "sh", "-euc", "base64 -d incident.jsonl.zst >t && mv t incident.jsonl.zst"); err != nil {
		l.t.Fatal(err)
	}
	player, err := l.children.Start("replay", filepath.Join(l.bin, "nodewatch"), "replay", "--serve=127.0.0.1:10091", "--speed=0", tape)
	if err != nil {
		l.t.Fatal(err)
	}
	defer player.Kill()
	var r Report
	err = wait(l.ctx, 30*time.Second, func() (bool, error) {
		body, err := l.children.Output(l.ctx, "busybox", "wget", "-qO-", "http://127.0.0.1:10091/api/v1/report")
		if err == nil {
			err = json.Unmarshal(body, &r)
		}
		return err == nil && len(r.Transitions) >= len(live), err
	})
	if err != nil {
		l.t.Fatalf("the tape tells %d changes, nodewatch told %d: %v", len(r.Transitions), len(live), err)
	}
	for i, want := range live {
		if got := r.Transitions[i]; got != want {
			l.t.Errorf("change %d: the tape says %+v, nodewatch said %+v", i, got, want)
		}
	}
	if len(live) < 6 {
		l.t.Errorf("only %d changes in the whole incident", len(live))
	}
}
