package bond

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// maxLimits is the most limits that are kept per link.
const maxLimits = 64

// Limits are the rate limits that tc has set on some links.
type Limits struct {
	Links   []string `json:"links"` // links that were read, in the requested order
	Limits  []Limit  `json:"limits"`
	Damaged int      `json:"damaged,omitempty"` // messages that could not be decoded
}

// A Limit is one rate limit: a queueing discipline, a class of one, or a police
// action.
type Limit struct {
	Link  string `json:"link"`
	Way   string `json:"way"`   // rx, tx
	Kind  string `json:"kind"`  // tbf, htb, hfsc, cake, netem, police
	Where string `json:"where"` // location as in tc's output: "root", "class 1:10", "ingress", "ifb0 root"
	Rate  uint64 `json:"rate"`  // bit/s
}

// ReadLimits reads the rate limits of the named links. Links that no longer exist are
// omitted. If a link's received frames are redirected, as to an ifb, the limits there
// count as the link's receive side.
//
// The kernel dumps the queueing disciplines of all links, and waits for the rtnl lock
// on each request: call it with a separate deadline.
func ReadLimits(ctx context.Context, names []string) (Limits, error) {
	var all Limits
	if len(names) == 0 {
		return all, nil
	}
	c, err := dial()
	if err != nil {
		return all, fmt.Errorf("bond: rtnetlink: %w", err)
	}
	defer c.close()
	messages, err := c.dump(ctx, unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{})
	if err != nil {
		return all, fmt.Errorf("bond: limits: %w", err)
	}
	r := limitReader{conn: c, out: &all}
	r.qdiscs = r.decoded(messages)
	for _, name := range names {
		index, err := indexOf(name)
		if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL) {
			continue
		}
		if err == nil {
			err = r.read(ctx, name, index)
		}
		if err != nil {
			return Limits{}, fmt.Errorf("bond: limits of %s: %w", name, err)
		}
		all.Links = append(all.Links, name)
	}
	return all, nil
}

// A limitReader reads the limits of one link after the other.
type limitReader struct {
	conn
	qdiscs []tc // of all links
	out    *Limits
	link   string
	found  int // limits of the current link
}

// decoded returns the decoded messages. It omits and counts damaged ones.
func (r *limitReader) decoded(messages [][]byte) []tc {
	list := make([]tc, 0, len(messages))
	for _, m := range messages {
		if t, ok := decodeTC(m); ok {
			list = append(list, t)
		} else {
			r.out.Damaged++
		}
	}
	return list
}

// ask dumps the classes or the filters of one link.
func (r *limitReader) ask(ctx context.Context, question int, answer uint16, index int, parent uint32) ([]tc, error) {
	messages, err := r.dump(ctx, question, answer, &nl.TcMsg{Ifindex: int32(index), Parent: parent})
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL) { // the link or the discipline has just been removed
		return nil, nil
	}
	return r.decoded(messages), err
}

func (r *limitReader) read(ctx context.Context, name string, index int) error {
	r.link, r.found = name, 0
	if err := r.sends(ctx, index, "tx", ""); err != nil {
		return err
	}
	for _, q := range r.qdiscs {
		if q.index != index || q.kind != "ingress" && q.kind != "clsact" {
			continue
		}
		if err := r.polices(ctx, index, netlink.HANDLE_MIN_INGRESS, "rx", "ingress"); err != nil {
			return err
		}
		if q.kind == "clsact" {
			if err := r.polices(ctx, index, netlink.HANDLE_MIN_EGRESS, "tx", "egress"); err != nil {
				return err
			}
		}
	}
	return nil
}

// sends reads the limits on the frames that a link sends: its queueing disciplines
// and their classes. on is the prefix of each limit's location.
func (r *limitReader) sends(ctx context.Context, index int, direction, on string) error {
	classful := false
	for _, q := range r.qdiscs {
		if q.index != index {
			continue
		}
		where := on + "root"
		if q.parent != netlink.HANDLE_ROOT {
			where = on + "class " + netlink.HandleStr(q.parent)
		}
		r.note(q, direction, where)
		classful = classful || q.kind == "htb" || q.kind == "hfsc"
	}
	if !classful {
		return nil
	}
	classes, err := r.ask(ctx, unix.RTM_GETTCLASS, unix.RTM_NEWTCLASS, index, 0)
	for _, c := range classes {
		if c.kind == "htb" || c.kind == "hfsc" { // a class of tbf only represents its queue
			r.note(c, direction, on+"class "+netlink.HandleStr(c.handle))
		}
	}
	return err
}

// polices reads the police actions of a link's filters, and follows its redirections.
func (r *limitReader) polices(ctx context.Context, index int, parent uint32, direction, where string) error {
	filters, err := r.ask(ctx, unix.RTM_GETTFILTER, unix.RTM_NEWTFILTER, index, parent)
	if err != nil {
		return err
	}
	var to []int
	for _, f := range filters {
		rates, redirects := f.actions()
		for _, rate := range rates {
			r.add(Limit{Way: direction, Kind: "police", Where: where, Rate: rate})
		}
		to = append(to, redirects...)
	}
	slices.Sort(to)
	for _, other := range slices.Compact(to) {
		if name, err := nameOf(other); err == nil && other != index {
			if err := r.sends(ctx, other, direction, name+" "); err != nil {
				return err
			}
		}
	}
	return nil
}

// note adds the limit that a discipline or class sets, if it sets one.
func (r *limitReader) note(t tc, direction, where string) {
	if rate := t.rate(); rate > 0 {
		r.add(Limit{Way: direction, Kind: t.kind, Where: where, Rate: rate})
	}
}

func (r *limitReader) add(l Limit) {
	if r.found < maxLimits {
		l.Link = r.link
		r.out.Limits = append(r.out.Limits, l)
		r.found++
	}
}

// A tc is one message about a queueing discipline, a class or a filter (struct tcmsg
// and its attributes, include/uapi/linux/rtnetlink.h).
type tc struct {
	index          int
	handle, parent uint32
	kind           string
	options        []byte
}

// decodeTC decodes the payload of such a message. It returns false if the payload is
// damaged.
func decodeTC(m []byte) (tc, bool) {
	if len(m) < nl.SizeofTcMsg {
		return tc{}, false
	}
	t := tc{
		index:  int(int32(binary.NativeEndian.Uint32(m[4:]))),
		handle: binary.NativeEndian.Uint32(m[8:]),
		parent: binary.NativeEndian.Uint32(m[12:]),
	}
	whole := attrs(m[nl.SizeofTcMsg:], func(typ uint16, v []byte) {
		switch typ {
		case nl.TCA_KIND:
			t.kind = text(v)
		case nl.TCA_OPTIONS:
			t.options = v
		}
	})
	return t, whole && t.kind != ""
}

// rate returns the rate in bit/s that a discipline or class never exceeds; 0 if it
// sets none (include/uapi/linux/pkt_sched.h).
func (t tc) rate() uint64 {
	const (
		ceil         = nl.SizeofTcRateSpec // in struct tc_htb_opt, after the rate
		upperCurve   = 3                   // TCA_HFSC_USC
		cakeRate     = 2                   // TCA_CAKE_BASE_RATE64
		curveRate    = 8                   // m2 in struct tc_service_curve
		sizeofCurve  = 12
		sizeofNumber = 4
	)
	bytes := uint64(0)
	each := func(typ uint16, v []byte) {}
	switch t.kind {
	case "tbf":
		each = func(typ uint16, v []byte) {
			switch {
			case typ == nl.TCA_TBF_PARMS && len(v) >= nl.SizeofTcTbfQopt:
				bytes = max(bytes, specRate(v))
			case typ == nl.TCA_TBF_RATE64:
				bytes = max(bytes, long(v))
			}
		}
	case "htb":
		each = func(typ uint16, v []byte) {
			switch {
			case typ == nl.TCA_HTB_PARMS && len(v) >= nl.SizeofTcHtbCopt:
				bytes = max(bytes, specRate(v[ceil:]))
			case typ == nl.TCA_HTB_CEIL64:
				bytes = max(bytes, long(v))
			}
		}
	case "hfsc":
		each = func(typ uint16, v []byte) {
			if typ == upperCurve && len(v) >= sizeofCurve {
				bytes = uint64(binary.NativeEndian.Uint32(v[curveRate:]))
			}
		}
	case "cake":
		each = func(typ uint16, v []byte) {
			if typ == cakeRate {
				bytes = long(v)
			}
		}
	case "netem":
		each = func(typ uint16, v []byte) {
			switch {
			case typ == nl.TCA_NETEM_RATE && len(v) >= sizeofNumber:
				bytes = max(bytes, uint64(binary.NativeEndian.Uint32(v)))
			case typ == nl.TCA_NETEM_RATE64:
				bytes = max(bytes, long(v))
			}
		}
	}
	options := t.options
	if t.kind == "netem" { // its attributes follow after a struct
		options = options[min(len(options), nl.SizeofTcNetemQopt):]
	}
	attrs(options, each)
	return bits(bytes)
}

// specRate returns the rate of a struct tc_ratespec, its last field, in bytes per
// second. All bits are set if the rate is larger; another attribute then has it.
func specRate(v []byte) uint64 {
	n := binary.NativeEndian.Uint32(v[nl.SizeofTcRateSpec-4:])
	if n == math.MaxUint32 {
		return 0
	}
	return uint64(n)
}

// long reads a number of eight bytes. It returns 0 for any other length.
func long(v []byte) uint64 {
	if len(v) != 8 {
		return 0
	}
	return binary.NativeEndian.Uint64(v)
}

// bits converts a rate from bytes to bits, saturating.
func bits(bytes uint64) uint64 { return min(bytes, math.MaxInt64/8) * 8 }

// The attribute of each kind of filter that contains its actions. The second one is
// where kernels report a police action that was set without "action"
// (include/uapi/linux/pkt_cls.h).
var filterActions = map[string]struct{ list, police uint16 }{
	"u32": {7, 6}, "matchall": {2, 0}, "flower": {3, 0}, "basic": {3, 4}, "fw": {4, 2}, "bpf": {1, 2}, "cgroup": {1, 2}, "flow": {9, 10},
	"route": {6, 5},
}

// actions returns the rates in bit/s to which a filter's police actions limit frames,
// and the ifindexes to which it redirects frames.
func (t tc) actions() (rates []uint64, redirects []int) {
	in, known := filterActions[t.kind]
	if !known {
		return nil, nil
	}
	police := func(options []byte) {
		if rate := policeRate(options); rate > 0 {
			rates = append(rates, rate)
		}
	}
	attrs(t.options, func(typ uint16, v []byte) {
		switch {
		case typ == in.police && in.police > 0:
			police(v)
		case typ == in.list:
			attrs(v, func(_ uint16, action []byte) {
				kind, options := "", []byte(nil)
				attrs(action, func(typ uint16, v []byte) {
					switch typ {
					case nl.TCA_ACT_KIND:
						kind = text(v)
					case nl.TCA_ACT_OPTIONS:
						options = v
					}
				})
				switch kind {
				case "police":
					police(options)
				case "mirred":
					redirects = append(redirects, redirected(options)...)
				}
			})
		}
	})
	return rates, redirects
}

// policeRate returns the rate in bit/s above which a police action drops frames; 0 if
// it has none, or lets excess frames pass.
func policeRate(options []byte) uint64 {
	const (
		exceed = 4  // action in struct tc_police
		spec   = 20 // rate
		rate64 = 8  // TCA_POLICE_RATE64
		ok     = 0
		pipe   = 3
		next   = -1
	)
	bytes, drops := uint64(0), false
	attrs(options, func(typ uint16, v []byte) {
		switch {
		case typ == nl.TCA_POLICE_TBF && len(v) >= nl.SizeofTcPolice:
			bytes = max(bytes, specRate(v[spec:]))
			action := int32(binary.NativeEndian.Uint32(v[exceed:]))
			drops = action != ok && action != pipe && action != next
		case typ == rate64:
			bytes = max(bytes, long(v))
		}
	})
	if !drops {
		return 0
	}
	return bits(bytes)
}

// redirected returns the ifindex to which a mirred action redirects frames, and none
// if it copies them.
func redirected(options []byte) (index []int) {
	const (
		parms     = 2  // TCA_MIRRED_PARMS
		direction = 20 // eaction in struct tc_mirred
		to        = 24 // ifindex
		size      = 28
		egress    = 1 // TCA_EGRESS_REDIR
	)
	attrs(options, func(typ uint16, v []byte) {
		if typ == parms && len(v) >= size && binary.NativeEndian.Uint32(v[direction:]) == egress {
			index = append(index, int(int32(binary.NativeEndian.Uint32(v[to:]))))
		}
	})
	return index
}
