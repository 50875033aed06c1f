package bond

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// namespace moves the test's thread, which ends with the test, into its own network
// and mount namespaces. It returns a handle on the network namespace and the tree at
// its /sys. Veths named nic* represent NICs there: few test machines can create
// anything more like a NIC.
func namespace(t *testing.T) (*netlink.Handle, *Reader) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can make a network namespace")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		t.Skipf("skipped: no namespaces here: %v", err)
	}
	sys := t.TempDir()
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("sysfs", sys, "sysfs", unix.MS_RDONLY, ""),
	); err != nil {
		t.Skipf("skipped: no sysfs of a namespace here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(sys, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	r, err := NewReader(os.DirFS(sys))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	r.isNIC = standIn
	return h, r
}

func standIn(l link) bool { return l.kind == "veth" && len(l.name) > 3 && l.name[:3] == "nic" }

func add(t *testing.T, h *netlink.Handle, l netlink.Link) netlink.Link {
	t.Helper()
	err := h.LinkAdd(l)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("skipped: this kernel has no %s", l.Type())
	}
	must(t, err)
	got, err := h.LinkByName(l.Attrs().Name)
	must(t, err)
	return got
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func attrsOf(name string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name = name
	return a
}

func addNIC(t *testing.T, h *netlink.Handle, name string) netlink.Link {
	t.Helper()
	return add(t, h, &netlink.Veth{LinkAttrs: attrsOf(name), PeerName: "far-" + name})
}

func TestKernelRead(t *testing.T) {
	h, r := namespace(t)
	nic, spare := addNIC(t, h, "nic0"), addNIC(t, h, "nic1")
	far, err := h.LinkByName("far-nic0")
	must(t, err)
	bridge := add(t, h, &netlink.Bridge{LinkAttrs: attrsOf("br0")})
	must(t, h.LinkSetMaster(nic, bridge))
	for _, l := range []netlink.Link{nic, far, bridge} {
		must(t, h.LinkSetUp(l))
	}
	prefix, err := netlink.ParseAddr("192.0.2.10/24")
	must(t, err)
	must(t, h.AddrAdd(bridge, prefix))
	other, err := netlink.ParseAddr("203.0.113.1/24")
	must(t, err)
	must(t, h.AddrAdd(far, other))

	got, err := r.Read(t.Context())
	must(t, err)
	want := Links{
		NICs: []NIC{
			{Name: "nic0", Index: nic.Attrs().Index, MAC: nic.Attrs().HardwareAddr.String(), MTU: 1500, Up: true, Speed: 10000,
				Duplex: "full"},
			{Name: "nic1", Index: spare.Attrs().Index, MAC: spare.Attrs().HardwareAddr.String(), MTU: 1500},
		},
		Uppers:    []Upper{{Name: "br0", Index: bridge.Attrs().Index, Kind: "bridge", Lowers: []int{nic.Attrs().Index}}},
		Addresses: []Address{{IP: "192.0.2.10", Bits: 24, Index: bridge.Attrs().Index}},
	}
	notLocal := cmpopts.IgnoreSliceElements(func(a Address) bool { return a.Bits == 64 })
	notVeth := cmpopts.IgnoreFields(NIC{}, "Speed", "Duplex") // these of a veth depend on the kernel
	if diff := cmp.Diff(want, got, notLocal, notVeth); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if holder, carriers := got.Carriers("192.0.2.10", nil); holder != "br0" || len(carriers) != 1 || carriers[0] != "nic0" {
		t.Errorf("192.0.2.10 is on %s, carried by %v, want br0 and nic0", holder, carriers)
	}
}

// TestKernelCounters reads the same numbers as netlink, also after a rename and until
// the link is removed.
func TestKernelCounters(t *testing.T) {
	h, r := namespace(t)
	nic := addNIC(t, h, "nic0")
	far, err := h.LinkByName("far-nic0")
	must(t, err)
	must(t, h.LinkSetUp(nic)) // this also sends its multicast memberships
	must(t, h.LinkSetUp(far))
	_, err = r.Read(t.Context())
	must(t, err)
	index := nic.Attrs().Index
	read := func() []Counters {
		t.Helper()
		got, err := r.Counters(t.Context(), []int{index})
		must(t, err)
		return got
	}
	for _, name := range []string{"nic0", "nic9"} {
		must(t, h.LinkSetDown(nic)) // so that no counter moves
		must(t, h.LinkSetName(nic, name))
		l, err := h.LinkByIndex(index)
		must(t, err)
		got, want := read(), l.Attrs().Statistics
		if len(got) != 1 || got[0].TxBytes != want.TxBytes || got[0].TxPackets != want.TxPackets || got[0].RxBytes != want.RxBytes ||
			got[0].TxDropped != want.TxDropped {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	must(t, h.LinkDel(nic))
	if got := read(); len(got) != 0 || len(r.meters) != 0 {
		t.Errorf("deleted: got %+v and %d meters, want none", got, len(r.meters))
	}
}

// TestKernelEvents makes changes within the calls of changed. Each must be the next
// reported change: guest changes in between must not be reported.
func TestKernelEvents(t *testing.T) {
	h, _ := namespace(t)
	nic := addNIC(t, h, "nic0")
	bridge := add(t, h, &netlink.Bridge{LinkAttrs: attrsOf("br0")})
	guests := 0
	guest := func() { // starts
		guests++
		name := fmt.Sprint("tap", guests)
		tap := add(t, h, &netlink.Veth{LinkAttrs: attrsOf(name), PeerName: "far-" + name})
		must(t, h.LinkSetMaster(tap, bridge))
		must(t, h.LinkSetUp(tap))
		must(t, h.LinkSetNoMaster(tap))
		must(t, h.LinkDel(tap))
	}
	steps := []struct {
		name   string
		change func() error
		want   string // the picture then
	}{
		{"NIC renamed", func() error { return h.LinkSetName(nic, "nic9") }, "[nic9] []"},
		{"put into a bridge", func() error { return h.LinkSetMaster(nic, bridge) }, "[nic9] [br0]"},
		{"bridge renamed", func() error { return h.LinkSetName(bridge, "br9") }, "[nic9] [br9]"},
		{"taken out of the bridge", func() error { return h.LinkSetNoMaster(nic) }, "[nic9] []"},
		{"a second NIC", func() error { addNIC(t, h, "nic1"); return nil }, "[nic1 nic9] []"},
		{"deleted", func() error { return h.LinkDel(nic) }, "[nic1] []"},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f := follower{isNIC: standIn, buffer: eventBuffer}
	done := -1 // number of reported steps; -1: not even the start
	err := f.run(ctx, func() {
		if done >= 0 {
			if got := picture(f.last); got != steps[done].want {
				t.Errorf("%s: got %s, want %s", steps[done].name, got, steps[done].want)
			}
		}
		if done++; done == len(steps) {
			cancel()
			return
		}
		guest()
		must(t, steps[done].change())
		guest()
	})
	if !errors.Is(err, context.Canceled) || done != len(steps) {
		t.Errorf("ended with %v after %d of %d steps", err, done, len(steps))
	}
}

func picture(l Links) string {
	nics, uppers := []string{}, []string{}
	for _, n := range l.NICs {
		nics = append(nics, n.Name)
	}
	for _, u := range l.Uppers {
		uppers = append(uppers, u.Name)
	}
	return fmt.Sprint(nics, uppers)
}

// TestKernelEventsLost overflows a small buffer with events that do not matter.
func TestKernelEventsLost(t *testing.T) {
	h, _ := namespace(t)
	nic := addNIC(t, h, "tap0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	calls := 0
	f := follower{isNIC: standIn, buffer: 1}
	err := f.run(ctx, func() {
		if calls++; calls == 2 {
			cancel()
			return
		}
		for i := range 100 {
			must(t, h.LinkSetName(nic, fmt.Sprint("tap", i+1)))
		}
	})
	if calls != 2 || !errors.Is(err, context.Canceled) {
		t.Errorf("called %d times, ended with %v; want the start and the loss", calls, err)
	}
}

func TestFollowEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := Follow(ctx, func() { calls++; cancel() })
	if calls < 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("called %d times, ended with %v, want the start and the end of its context", calls, err)
	}
	if err := Follow(ctx, func() { t.Error("called after the end") }); !errors.Is(err, context.Canceled) {
		t.Errorf("begun after the end: got %v", err)
	}
}

// TestDumpIsWithoutIPv6Counters looks for IFLA_INET6_STATS in the AF_INET6 part
// of IFLA_AF_SPEC.
func TestDumpIsWithoutIPv6Counters(t *testing.T) {
	c, err := dial()
	must(t, err)
	defer c.close()
	messages, err := c.links(t.Context())
	must(t, err)
	for _, m := range messages {
		within(m[unix.SizeofIfInfomsg:], unix.IFLA_AF_SPEC, func(v []byte) {
			within(v, unix.AF_INET6, func(v []byte) {
				within(v, unix.IFLA_INET6_STATS, func([]byte) { t.Error("a link has its IPv6 counters in the dump") })
			})
		})
	}
	if len(messages) == 0 {
		t.Error("no link, not even lo")
	}
}

func within(b []byte, want uint16, found func([]byte)) {
	attrs(b, func(typ uint16, v []byte) {
		if typ == want {
			found(v)
		}
	})
}

func TestReadOfThisMachine(t *testing.T) {
	r, err := NewReader(os.DirFS("/sys"))
	must(t, err)
	defer r.Close()
	all, err := r.Read(t.Context())
	must(t, err)
	got, err := r.Counters(t.Context(), all.Indexes())
	must(t, err)
	if len(got) != len(all.Indexes()) || all.Damaged != 0 {
		t.Errorf("%d counters of %d links, %d damaged messages", len(got), len(all.Indexes()), all.Damaged)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: got %v", err)
	}
}
