//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// A healthy node without krbd reports nothing for a minute.
func TestHealthy(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	l.holds(time.Minute, "nothing above info", func(r Report) bool { return r.quiet() && r.Status == "operational" })
	l.sample("healthy")
	for source, want := range map[string]string{"bond": "ok", "nic": "ok", "kmsg": "ok", "host": "ok"} {
		if got := l.now().source(source); got != want {
			t.Errorf("source %s is %q, want %q", source, got, want)
		}
	}
	if n, ok := l.metric("nodewatch_bond_carrying_slaves", `bond="bond0"`); !ok || n != 2 {
		t.Errorf("got %v carrying slaves, %v", n, ok)
	}
	if n, ok := l.metric("nodewatch_bond_lacp_partner", `bond="bond0"`); !ok || n != 1 {
		t.Errorf("got partner %v, %v", n, ok)
	}
	for _, nic := range nics {
		if n, ok := l.metric("nodewatch_nic_speed_bytes", `nic="`+nic+`"`); !ok || n != speed*1e6/8 {
			t.Errorf("%s: got %v bytes/s, %v", nic, n, ok)
		}
	}
}
