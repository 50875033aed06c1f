package main

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A namespace is a separate network namespace with its own thread.
type namespace struct {
	calls chan func()
	own   bool
}

// newNamespace creates a namespace. If that is not permitted, for example without
// root, it logs this and uses the namespace of the test.
func newNamespace(b testing.TB) *namespace {
	n := &namespace{calls: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		made <- unix.Unshare(unix.CLONE_NEWNET)
		for call := range n.calls {
			call()
		}
	}()
	if err := <-made; err != nil {
		b.Logf("the links are this machine's, as no network namespace can be made: %v", err)
	} else {
		n.own = true
	}
	b.Cleanup(func() { close(n.calls) })
	if n.own {
		if err := n.do(func() error { return addLink(&netlink.Device{}, "lo", 0) }); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// do calls f on the namespace's thread, or on the caller's if there is no namespace.
func (n *namespace) do(f func() error) error {
	if n == nil {
		return f()
	}
	done := make(chan error)
	n.calls <- func() { done <- f() }
	return <-done
}

// links creates the links of Proxmox guests: a bridge and, for each guest, a tap, a
// bridge for its firewall, and a veth pair that connects it to the first bridge.
func (h *hypervisor) links(b testing.TB, n *namespace) {
	if !n.own {
		return
	}
	err := n.do(func() error {
		// Otherwise the links' own multicasts flood all bridges and cost CPU time.
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		bridge := &netlink.Bridge{}
		if err := addLink(bridge, "vmbr0", 0); err != nil {
			return err
		}
		for i := range h.guests {
			if err := addGuestLinks(i, bridge.Index); err != nil {
				return err
			}
		}
		for i := range h.bonds {
			if err := h.addBond(b, i, bridge); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// addLink creates a link, if it does not exist, as a port of the given one, and sets it
// up.
func addLink(l netlink.Link, name string, master int) error {
	l.Attrs().Name = name
	if _, there := l.(*netlink.Device); !there {
		if err := netlink.LinkAdd(l); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	made, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	l.Attrs().Index = made.Attrs().Index
	if master != 0 {
		if err := netlink.LinkSetMasterByIndex(l, master); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return netlink.LinkSetUp(l)
}

func addGuestLinks(i, bridge int) error {
	firewall := &netlink.Bridge{}
	if err := addLink(firewall, fmt.Sprintf("fwbr%di0", i), 0); err != nil {
		return err
	}
	tap := &netlink.Tuntap{Mode: netlink.TUNTAP_MODE_TAP, Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_ONE_QUEUE}
	if err := addLink(tap, fmt.Sprintf("tap%di0", i), firewall.Index); err != nil {
		return err
	}
	pair := &netlink.Veth{PeerName: fmt.Sprintf("fwpr%dp0", i)}
	if err := addLink(pair, fmt.Sprintf("fwln%di0", i), firewall.Index); err != nil {
		return err
	}
	return addLink(&netlink.Device{}, pair.PeerName, bridge)
}
