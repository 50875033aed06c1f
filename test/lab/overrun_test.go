//go:build lab

package lab

import (
	"fmt"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// The kernel logs more than its ring can hold while nodewatch is stopped: overwritten
// records are counted exactly, and reported.
func TestLogOverrun(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	device := l.mapImages(1, msgr1)[0]
	lost := func() float64 { n, _ := l.metric("nodewatch_kmsg_lost_records_total"); return n }
	l.holds(4*time.Second, "the log is read to its end", func(r Report) bool { return r.clear("kmsg-lost") })
	seen, last := l.accounted(), l.lastRecord()
	l.sh("kill -STOP $(cat /run/nodewatch.pid)")
	l.debug(true)
	err := wait(l.ctx, time.Minute, func() (bool, error) {
		l.sh("for i in 1 2 3 4; do dd if=/dev/%s of=/dev/null bs=1M iflag=direct; done", device)
		return l.lastRecord()-last > ring, nil
	})
	if err != nil {
		t.Fatalf("only %v records were logged: %v", l.lastRecord()-last, err)
	}
	l.debug(false)
	l.sh("kill -CONT $(cat /run/nodewatch.pid)")
	l.sample("overrun")
	l.until(20*time.Second, "the loss is told", func(r Report) bool { return lost() > 0 && r.finding("kmsg-lost") != nil })
	var got, want float64
	err = wait(l.ctx, 15*time.Second, func() (bool, error) {
		got, want = l.accounted()-seen, l.lastRecord()-last
		return got == want, nil
	})
	if err != nil {
		t.Errorf("the kernel logged %v records, nodewatch read or lost %v, %v of them lost", want, got, lost())
	}
	if n := l.now(); !calm(n) {
		t.Errorf("lost records are nothing critical: %s", n)
	}
}

// ring exceeds the number of records in the guest's ring of 1 MiB: one for each 32
// bytes (PRB_AVGBITS, kernel/printk/printk.c).
const ring = 40000

// accounted returns the number of kernel log records that nodewatch has read or counted as
// lost.
func (l *Lab) accounted() (sum float64) {
	l.t.Helper()
	for _, name := range []string{"records", "foreign_records", "lost_records", "malformed"} {
		n, _ := l.metric("nodewatch_kmsg_" + name + "_total")
		sum += n
	}
	return sum
}

// lastRecord returns the sequence number of the latest record in the kernel's log.
func (l *Lab) lastRecord() (n float64) {
	l.t.Helper()
	if _, err := fmt.Sscan(l.sh("agent kmsg | grep -v '^ ' | tail -n 1 | cut -d, -f 2"), &n); err != nil {
		l.t.Fatal(err)
	}
	return n
}

// debug switches libceph's debug messages, which flood the log, on or off.
func (l *Lab) debug(on bool) {
	l.t.Helper()
	if on {
		l.t.Cleanup(func() { l.debug(false) })
	}
	l.sh("echo 'module libceph %cp' >/sys/kernel/debug/dynamic_debug/control", map[bool]rune{true: '+', false: '-'}[on])
}
