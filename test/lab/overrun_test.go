//go:build lab

package lab

import (
	"fmt"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// The kernel logs more than its ring holds while nodewatch is stopped: what was
// overwritten is counted to the last record, and told.
func TestLogOverrun(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	device := l.mapImages(1, msgr1)[0]
	lost := func() float64 { n, _ := l.metric("nodewatch_kmsg_lost_records_total"); return n }
	seen, last := l.accounted(), l.lastRecord()
	l.sh("kill -STOP $(cat /run/nodewatch.pid)")
	l.debug(true)
	l.sh("dd if=/dev/%s of=/dev/null bs=1M count=4 iflag=direct", device)
	l.debug(false)
	l.sh("kill -CONT $(cat /run/nodewatch.pid)")
	l.until(20*time.Second, "the loss is told", func(r Report) bool { return lost() > 0 && r.finding("kmsg-lost") != nil })
	end := l.lastRecord()
	l.until(20*time.Second, fmt.Sprintf("all of %v records are accounted for", end-last), func(Report) bool { return l.accounted()-seen == end-last })
	t.Logf("%v records, %v of them lost", end-last, lost())
	if n := l.now(); !calm(n) {
		t.Errorf("lost records are nothing critical: %s", n)
	}
}

// accounted is how many records of the kernel's log nodewatch has read or knows to be lost.
func (l *Lab) accounted() (sum float64) {
	l.t.Helper()
	for _, name := range []string{"records", "foreign_records", "lost_records", "malformed"} {
		n, _ := l.metric("nodewatch_kmsg_" + name + "_total")
		sum += n
	}
	return sum
}

// lastRecord is the number of the latest record of the kernel's log.
func (l *Lab) lastRecord() (n float64) {
	l.t.Helper()
	if _, err := fmt.Sscan(l.sh("(timeout 2 cat /dev/kmsg || true) | grep -v '^ ' | tail -n 1 | cut -d, -f 2"), &n); err != nil {
		l.t.Fatal(err)
	}
	return n
}

// debug switches libceph's debug messages on or off, which flood the log.
func (l *Lab) debug(on bool) {
	l.t.Helper()
	if on {
		l.t.Cleanup(func() { l.debug(false) })
	}
	l.sh("echo 'module libceph %cp' >/sys/kernel/debug/dynamic_debug/control", map[bool]rune{true: '+', false: '-'}[on])
}
