package libvirt

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// After an event about a changed disk or throttle, only that domain's XML is read
// again; any other message causes no reading.
func TestLibvirtEventsHaveTheXMLReadAgain(t *testing.T) {
	one := fakeDomain{name: "vm101", uuid: 1, id: 1, xml: "<domain><name>vm101</name></domain>"}
	two := fakeDomain{name: "vm102", uuid: 2, id: 2, xml: "<domain><name>vm102</name></domain>"}
	f := newVirtFake(one, two)
	l := f.reader()
	defer l.Close()
	read := func() (asked []string) {
		t.Helper()
		f.xmlOf = nil
		if _, err := l.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(f.xmlOf)
	}
	l.turn = 100 // no domain's turn
	if got := read(); len(got) != 2 {
		t.Fatalf("at first: %v", got)
	}
	if n := f.asked[eventRegister]; n != len(events()) {
		t.Errorf("%d kinds of events were asked for", n)
	}
	if got := read(); len(got) != 0 {
		t.Fatalf("nothing has happened, and yet: %v", got)
	}
	for _, procedure := range []uint32{eventDeviceAdded, eventDeviceRemoved, eventDiskChange, eventTunable} {
		l.conn.message(fakeEvent(procedure, two))
		if got := read(); !slices.Equal(got, []string{"vm102"}) {
			t.Errorf("after event %d: %v", procedure, got)
		}
		if got := read(); len(got) != 0 {
			t.Errorf("event %d is still on: %v", procedure, got)
		}
	}
	l.conn.message(fakeEvent(318, two)) // a lifecycle event
	for cut := range len(fakeEvent(eventTunable, one)) - headLen {
		packet := fakeEvent(eventTunable, one)
		l.conn.message(packet[:headLen+min(cut, 4+8+15)])
	}
	if got := read(); len(got) != 0 {
		t.Errorf("after nothing that tells of a domain: %v", got)
	}
}

// A daemon without events is read all the same.
func TestLibvirtWithoutEvents(t *testing.T) {
	f := newVirtFake(fakeDomain{name: "vm101", uuid: 1, id: 1, xml: "<domain><name>vm101</name></domain>"})
	f.on(eventRegister, fakeError(libvirt.ErrNoSupport, "no events here"))
	l := f.reader()
	defer l.Close()
	if got, err := l.Read(t.Context()); err != nil || len(got.Guests) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// However many domains events name, the stored number is limited.
func TestLibvirtEventsAreBounded(t *testing.T) {
	c := &changedDomains{}
	for i := range 2 * changedMax {
		var x fakeXDR
		x.number(1)
		x.text("vm")
		x.b = append(x.b, fmt.Appendf(nil, "%016d", i)...)
		c.note(eventTunable, x.b)
	}
	if n := len(c.uuids); n != changedMax {
		t.Errorf("%d are remembered", n)
	}
}

// A real libvirtd sends an event about a new throttle over its read-only socket: the
// next reading has the throttle.
func TestLibvirtDaemonReportsAThrottle(t *testing.T) {
	name := fmt.Sprint("vmt", time.Now().UnixNano())
	ro := daemonQEMU(t, name)
	l := New([]string{ro}, rbd.DeviceNumber)
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	throttle := func() uint64 {
		t.Helper()
		got, err := l.Read(ctx)
		if err != nil || len(got.Guests) != 1 || len(got.Guests[0].Disks) != 1 || got.Guests[0].Disks[0].Throttle == nil {
			t.Fatalf("got %+v, %v", got, err)
		}
		return got.Guests[0].Disks[0].Throttle.ReadIOPS
	}
	if n := throttle(); n != 77 {
		t.Fatalf("at first %d", n)
	}
	writer := connectWriter(t, ro[:len(ro)-len("-ro")], libvirt.QEMUSystem)
	d, err := writer.DomainLookupByName(name)
	if err != nil {
		t.Fatal(err)
	}
	limit := []libvirt.TypedParam{{Field: "read_iops_sec", Value: *libvirt.NewTypedParamValueUllong(33)}}
	if err := writer.DomainSetBlockIOTune(d, "vda", limit, uint32(libvirt.DomainAffectLive)); err != nil {
		t.Fatal(err)
	}
	l.turn = 10*refreshEvery - int(d.UUID[15])%refreshEvery // its periodic reading is as far away as possible
	turns := 0
	for throttle() != 33 {
		if turns++; turns == refreshEvery-2 {
			t.Fatalf("not seen after %d readings", turns)
		}
	}
	t.Logf("seen at reading %d after the change", turns+1)
}
