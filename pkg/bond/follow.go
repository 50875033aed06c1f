package bond

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// eventBuffer is the requested size of the receive buffer in bytes. It rarely
// overflows even when many guests start at once. The kernel caps it at rmem_max.
const eventBuffer = 1 << 20

// Follow calls changed whenever the result of Read would change: bonds and their
// settings, added, removed and changed slaves, NICs, and the VLANs and bridges on
// them. Taps of starting guests do not count. It also calls changed once at the
// start, as soon as no event can be missed, and whenever events were lost. Address
// changes are not link events.
//
// It follows the network namespace of the calling thread, does not limit how often it
// calls changed, and starts no goroutine. It returns ctx's error when ctx ends, or an
// error if the kernel's events cannot be read.
func Follow(ctx context.Context, changed func()) error {
	f := follower{isNIC: link.hardware, buffer: eventBuffer}
	if err := f.run(ctx, changed); err != nil {
		return fmt.Errorf("bond: link events: %w", err)
	}
	return nil
}

// A follower keeps a picture of the links up to date from their events, to decide
// which events matter.
type follower struct {
	isNIC  func(link) bool
	buffer int // bytes

	graph graph
	last  Links
}

func (f *follower) run(ctx context.Context, changed func()) error {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.SetReceiveBufferSize(f.buffer, false); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, s.Close)() // ends Receive
	if err := f.poll(ctx); err != nil {
		return err
	}
	changed()
	for {
		messages, from, err := s.Receive()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ENOBUFS): // events were lost
			if err := f.poll(ctx); err != nil {
				return err
			}
			changed()
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case from.Pid == nl.PidKernel && f.take(messages):
			changed()
		}
	}
}

// poll starts over with a full dump. It also uses a dump that the kernel marks as
// interrupted: the events of the interrupting changes will follow.
func (f *follower) poll(ctx context.Context) error {
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.close()
	messages, err := c.links(ctx)
	if err != nil && !errors.Is(err, nl.ErrDumpInterrupted) {
		return err
	}
	f.graph = graph{map[int]link{}, f.isNIC}
	f.graph.add(messages)
	f.last = f.graph.picture()
	return nil
}

// take applies events and reports whether they changed the picture.
func (f *follower) take(events []syscall.NetlinkMessage) bool {
	touched := false
	for _, e := range events {
		touched = f.apply(e.Header.Type, e.Data) || touched
	}
	if !touched {
		return false
	}
	now := f.graph.picture()
	same := reflect.DeepEqual(now, f.last)
	f.last = now
	return !same
}

// apply applies one event and reports whether it changes a link that matters, or mattered
// before. A bridge sends its own messages about its ports, in the family AF_BRIDGE; an
// RTM_DELLINK among them means that a link left the bridge, not the host.
func (f *follower) apply(typ uint16, payload []byte) bool {
	l, ok := decodeLink(payload)
	if !ok || l.family != unix.AF_UNSPEC {
		return false
	}
	was, mattered := f.graph.links[l.index]
	if typ == unix.RTM_NEWLINK && f.graph.matters(l) {
		f.graph.links[l.index] = l
		return !reflect.DeepEqual(l, was)
	}
	if typ == unix.RTM_NEWLINK || typ == unix.RTM_DELLINK {
		delete(f.graph.links, l.index)
	}
	return mattered
}
