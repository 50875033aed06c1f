package bond

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// patience is how long the kernel may take for one reply. No timeout can interrupt
// the kernel's wait for the rtnl lock within the request.
const patience = 2 * time.Second

// skipStats leaves the IPv6 counters of each link out of a dump
// (RTEXT_FILTER_SKIP_STATS, include/uapi/linux/rtnetlink.h), which the kernel would
// add up over all CPUs. The other counters cannot be left out.
const skipStats = 1 << 3

// The library determines the byte order at first use, without a lock: this call does
// it before any goroutine starts.
var _ = nl.NativeEndian()

// A Reader reads the links of the network namespace of the calling thread. Read and
// Counters may run concurrently with each other, but not with themselves.
type Reader struct {
	sys    fs.FS
	isNIC  func(link) bool
	found  atomic.Pointer[map[int]port] // written by Read, for Counters
	meters map[int]*meter               // used by Counters only
}

// A port is what Counters needs to know of a link, as it has no time to query it.
type port struct {
	name  string
	speed int
}

// NewReader returns a Reader. sys is the tree at /sys, whose files must implement
// io.ReaderAt, as those of os.DirFS do. It fails if the kernel does not respond to
// rtnetlink requests.
func NewReader(sys fs.FS) (*Reader, error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("bond: rtnetlink: %w", err)
	}
	c.close()
	return &Reader{sys: sys, isNIC: sysfs{sys}.isNIC, meters: map[int]*meter{}}, nil
}

// Close closes the Reader's socket and files.
func (r *Reader) Close() {
	for i := range r.meters {
		r.drop(i)
	}
}

// Read makes a full dump of links and addresses. It repeats once a dump that the
// kernel marks as interrupted because the links changed meanwhile.
//
// It may block for long, uninterruptibly, while another task of the host holds the
// kernel's rtnl lock.
func (r *Reader) Read(ctx context.Context) (Links, error) {
	c, err := dial()
	if err != nil {
		return Links{}, fmt.Errorf("bond: rtnetlink: %w", err)
	}
	defer c.close()
	links, err := c.links(ctx)
	if err != nil {
		return Links{}, fmt.Errorf("bond: links: %w", err)
	}
	addresses, err := c.dump(ctx, unix.RTM_GETADDR, unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC))
	if err != nil {
		return Links{}, fmt.Errorf("bond: addresses: %w", err)
	}
	all := decode(links, addresses, sysfs{r.sys}, r.isNIC)
	r.remember(all)
	return all, nil
}

// remember stores what Counters needs to know of the links.
func (r *Reader) remember(l Links) {
	found := map[int]port{}
	for _, n := range l.NICs {
		found[n.Index] = port{n.Name, n.Speed}
	}
	for _, b := range l.Bonds {
		found[b.Index] = port{b.Name, b.Speed()}
		for _, s := range b.Slaves {
			found[s.Index] = port{s.Name, s.Speed}
		}
	}
	r.found.Store(&found)
}

// A conn is a netlink socket for requests.
type conn struct{ sockets map[int]*nl.SocketHandle }

func dial() (conn, error) {
	const here = -1 // the namespace of this thread
	s, err := nl.GetNetlinkSocketAt(here, here, unix.NETLINK_ROUTE)
	if err != nil {
		return conn{}, err
	}
	t := unix.NsecToTimeval(patience.Nanoseconds())
	if err := errors.Join(s.SetSendTimeout(&t), s.SetReceiveTimeout(&t)); err != nil {
		s.Close()
		return conn{}, err
	}
	// Linux before 4.20 has no strict checks; dumps work without them.
	_ = unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	return conn{map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}}, nil
}

func (c conn) close() { c.sockets[unix.NETLINK_ROUTE].Close() }

// links dumps all links, without their IPv6 counters.
func (c conn) links(ctx context.Context) ([][]byte, error) {
	return c.dump(ctx, unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats)))
}

// dump requests everything of one type and returns the payloads of the replies. If it
// was interrupted twice, it returns them with nl.ErrDumpInterrupted.
func (c conn) dump(ctx context.Context, ask int, answer uint16, data ...nl.NetlinkRequestData) ([][]byte, error) {
	for again := true; ; again = false {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		req := nl.NewNetlinkRequest(ask, unix.NLM_F_DUMP)
		req.Sockets = c.sockets
		req.Data = data
		messages, err := req.Execute(unix.NETLINK_ROUTE, answer)
		switch {
		case errors.Is(err, nl.ErrDumpInterrupted) && again:
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil, fmt.Errorf("no answer for %s: %w", patience, os.ErrDeadlineExceeded)
		}
		return messages, err
	}
}
