package ethswitch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bonded returns the LACPDU of the Linux bonding driver on one of its ports.
func bonded(port uint16, state byte, partner info) []byte {
	return lacpdu(guest, info{systemPriority: 65535, system: guest, key: 15, portPriority: 255, port: port, state: state}, partner)
}

// told returns the last LACPDU that was sent on the wire.
func told(t *testing.T, w *wire) (actor, partner info) {
	t.Helper()
	var last []byte
	for {
		select {
		case last = <-w.out:
			continue
		default:
		}
		break
	}
	actor, partner, ok := heard(last)
	if !ok {
		t.Fatalf("no LACPDU in %d bytes", len(last))
	}
	return actor, partner
}

func TestPartnerIsBundledOnceItCollects(t *testing.T) {
	newRig(t, func(r rig) {
		r.advertise(time.Now())
		r.settle()
		if a, p := told(t, r.eth0); a.state != active|short|aggregatable|defaulted || (p != info{}) {
			t.Errorf("a silent partner is not in sync: got %#x of %+v", a.state, p)
		}
		r.eth0.in <- bonded(1, active|aggregatable, info{})
		r.settle()
		a, p := told(t, r.eth0)
		if a.state != active|short|aggregatable|inSync {
			t.Errorf("a partner that speaks is answered at once, in sync: got %#x", a.state)
		}
		if diff := cmp.Diff(info{65535, guest, 15, 255, 1, active | aggregatable}, p, cmp.AllowUnexported(info{})); diff != "" {
			t.Error(diff)
		}
		if r.Bundled() != 0 {
			t.Error("a port whose partner does not collect is bundled")
		}
		r.eth0.in <- bonded(1, active|aggregatable|inSync|collecting|distributing, a)
		r.settle()
		if a, _ := told(t, r.eth0); a.state != active|short|aggregatable|inSync|collecting|distributing || r.Bundled() != 1 {
			t.Errorf("got %#x, %d bundled", a.state, r.Bundled())
		}
		time.Sleep(silence)
		if r.Bundled() != 0 {
			t.Error("a partner that has been silent is still bundled")
		}
	})
}

func TestPortsOfOneSystemDifferByPortAlone(t *testing.T) {
	newRig(t, func(r rig) {
		r.advertise(time.Now())
		r.settle()
		a, _ := told(t, r.eth0)
		b, _ := told(t, r.eth1)
		if a.system != b.system || a.key != b.key || a.port == b.port {
			t.Errorf("got %+v and %+v", a, b)
		}
	})
}

func TestMuteSwitchNeitherSpeaksNorHears(t *testing.T) {
	newRig(t, func(r rig) {
		r.SetMute(true)
		r.advertise(time.Now())
		r.eth0.in <- bonded(1, active|aggregatable|inSync|collecting, info{})
		r.settle()
		if n := len(r.eth0.out); n != 0 || r.Bundled() != 0 {
			t.Errorf("%d LACPDUs sent, %d bundled", n, r.Bundled())
		}
	})
}

func TestLACPDUsAreNotForwarded(t *testing.T) {
	newRig(t, func(r rig) {
		r.eth0.in <- bonded(1, active, info{})
		r.settle()
		if len(r.up.out)+len(r.eth1.out) != 0 {
			t.Error("a LACPDU left on another port")
		}
	})
}
