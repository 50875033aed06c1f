package facts

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// recently is the age up to which changes of the map are reported.
const recently = 10 * time.Minute

// A Cluster is what this node knows about the Ceph cluster, from the kernel log and
// from the cluster itself.
type Cluster struct {
	OSDs    map[int]bool // numbers of the OSDs that the kernel, osdc or the cluster has named, except purged ones
	Down    []string     // OSDs that are down according to the kernel's map, by number
	Changes []MapChange  // changes of the last ten minutes, oldest first
	FullAt  time.Time    // when the kernel last logged that the cluster or a pool is full; zero: never
	Full    string       // what the cluster reports as full: "the cluster", "a pool", "an OSD"; empty: nothing, or unknown
	Hunting int          // kernel clients without a monitor session
	MonLost time.Time    // when a monitor session was last lost, if some are hunting
	MonBack time.Time    // when a monitor session was last established; zero: never
	Refusal *node.Series // the latest line that reports that the monitors refuse this client; nil: none since a session was established
}

// A MapChange is one OSD that went down or came up.
type MapChange struct {
	OSD  string
	Down bool
	At   time.Time
}

// Cluster returns what is known about the cluster.
func (f *Facts) Cluster() Cluster { return f.cluster() }

func (f *Facts) findCluster() Cluster {
	c := Cluster{OSDs: make(map[int]bool, max(len(f.Kernel.Of(kmsg.CRC)), len(f.Snapshot.Cluster.Value.OSDMap.OSDs)))}
	f.nameOSDs(&c)
	f.mapChanges(&c)
	for _, s := range f.Kernel.Of(kmsg.Full) {
		c.FullAt = Later(c.FullAt, s.Last)
	}
	if f.Blind(node.SourceCeph) == nil {
		c.Full = f.fullByCluster()
	}
	f.hunting(&c)
	return c
}

func (f *Facts) nameOSDs(c *Cluster) {
	for _, o := range f.Snapshot.Cluster.Value.OSDMap.OSDs {
		if o.In {
			c.OSDs[o.ID] = true
		}
	}
	for _, class := range namingClasses {
		for _, s := range f.Kernel.Of(class) {
			if id, is := OSDNumber(s.Peer); is {
				c.OSDs[id] = true
			}
		}
	}
	for i := range f.Snapshot.Waits {
		if id := f.Snapshot.Waits[i].Request.OSD; id >= 0 {
			c.OSDs[id] = true
		}
	}
}

// namingClasses are the classes of lines that name an existing OSD.
var namingClasses = append(sessionClasses[:], kmsg.OSDUp, kmsg.OSDDown, kmsg.OSDWeight)

// OSDHosts returns the number of known OSD hosts, by IP.
func (f *Facts) OSDHosts() int {
	hosts := map[string]bool{}
	for _, o := range f.Snapshot.Cluster.Value.OSDMap.OSDs {
		if o.In {
			for _, a := range o.Addrs {
				hosts[hostPart(a)] = true
			}
		}
	}
	for _, class := range namingClasses {
		for _, s := range f.Kernel.Of(class) {
			if isOSD(s.Peer) {
				hosts[hostPart(s.Addr)] = true
			}
		}
	}
	delete(hosts, "")
	return len(hosts)
}

// mapChanges finds which OSDs are down: their latest change was to down, and no
// session has been established since. The line that an OSD is up again may be
// missing: it may be lost, or no client was left to log it. A purged OSD does not
// count.
func (f *Facts) mapChanges(c *Cluster) {
	down, gone := map[string]time.Time{}, map[string]time.Time{}
	note := func(class kmsg.Class, at map[string]time.Time) {
		for _, s := range f.Kernel.Of(class) {
			at[s.Peer] = Later(at[s.Peer], s.Last)
			if class != kmsg.OSDGone && f.Now.Sub(s.Last) <= recently {
				c.Changes = append(c.Changes, MapChange{s.Peer, class == kmsg.OSDDown, s.Last})
			}
		}
	}
	up := map[string]time.Time{}
	note(kmsg.OSDDown, down)
	note(kmsg.OSDGone, gone)
	note(kmsg.OSDUp, up)
	for osd, at := range gone {
		if at.After(up[osd]) {
			delete(down, osd)
			if id, is := OSDNumber(osd); is {
				delete(c.OSDs, id)
			}
		}
	}
	for osd, at := range up {
		if !at.Before(down[osd]) {
			delete(down, osd)
		}
	}
	for _, class := range [...]kmsg.Class{kmsg.ClosedOpen, kmsg.CRC} {
		for _, s := range f.Kernel.Of(class) {
			if at, is := down[s.Peer]; is && s.Last.Sub(at) > Settle {
				delete(down, s.Peer)
			}
		}
	}
	for osd := range down {
		c.Down = append(c.Down, osd)
	}
	slices.SortFunc(c.Down, human.ByNumber)
	slices.SortFunc(c.Changes, func(a, b MapChange) int { return cmp.Or(a.At.Compare(b.At), human.ByNumber(a.OSD, b.OSD)) })
}

func (f *Facts) fullByCluster() string {
	for flag := range strings.SplitSeq(f.Snapshot.Cluster.Value.OSDMap.Flags, ",") {
		if flag == "full" {
			return "the cluster"
		}
	}
	for _, c := range f.Snapshot.Cluster.Value.Health.Checks {
		switch c.Code {
		case "OSD_FULL":
			return "an OSD"
		case "POOL_FULL":
			return "a pool"
		}
	}
	return ""
}

// FullSince reports whether writes that have waited since then wait because the
// cluster or a pool is full. The kernel logs this when a request is submitted, and
// not again while it waits.
func (f *Facts) FullSince(since time.Time) bool {
	c := f.Cluster()
	if c.Full != "" {
		return true
	}
	asked := f.Blind(node.SourceCeph) == nil && f.Snapshot.Cluster.At.After(c.FullAt.Add(time.Minute))
	return !c.FullAt.IsZero() && !asked && !c.FullAt.Before(since.Add(-time.Minute))
}

// hunting counts the kernel clients without a monitor session: those that lost one,
// less those that established one since. Lines name no client. A new client's first
// session is logged twice: established, and made. The loss of a monitor does not
// count if a session with it has been established since, because a hunting client
// would find it.
func (f *Facts) hunting(c *Cluster) {
	back := map[string]time.Time{}
	lost, found, made, open := 0, 0, 0, 0
	for _, s := range f.Kernel.Of(kmsg.MonFound) {
		back[s.Peer] = s.Last
		found += int(min(s.Total, 1<<30))
	}
	for _, s := range f.Kernel.Of(kmsg.ClientMade) {
		made += int(min(s.Total, 1<<30))
	}
	for _, s := range f.Kernel.Of(kmsg.MonLost) {
		lost += int(min(s.Total, 1<<30))
		if at, is := back[s.Peer]; !is || at.Before(s.Last) {
			open += int(min(max(s.Total, 1), 1<<30))
			c.MonLost = Later(c.MonLost, s.Last)
		}
	}
	c.Hunting = max(0, min(lost-max(0, found-made), open))
	if lost == 0 && open > 0 { // everything was logged before nodewatch started
		c.Hunting = 1
		for _, at := range back {
			if !at.Before(c.MonLost) {
				c.Hunting = 0
			}
		}
	}
	if c.Hunting == 0 {
		c.MonLost = time.Time{}
	}
	for _, at := range back {
		c.MonBack = Later(c.MonBack, at)
	}
	for _, s := range f.Kernel.Of(kmsg.AuthFault) {
		if s.Peer != "" && !strings.HasPrefix(s.Peer, "mon") || s.Detail == "global_id" {
			continue
		}
		if s.Total > 0 && s.Last.After(c.MonBack) && (c.Refusal == nil || s.Last.After(c.Refusal.Last)) {
			c.Refusal = s
		}
	}
}

// Amplification returns the number of bytes that the storage NICs receive for each
// byte that krbd reads, over the last minute; 0: unknown, or too little traffic to
// judge. Other traffic of the NICs is included, so it is only supporting evidence.
func (f *Facts) Amplification() float64 {
	if f.AnyBlind(node.SourceNIC, node.SourceIO) {
		return 0
	}
	list, known := f.StorageNICs()
	if !known {
		return 0
	}
	received, read := 0.0, 0.0
	for _, n := range list {
		flows, covered := n.Lately(f.Now, time.Minute)
		if !covered {
			return 0
		}
		received += node.Mean(flows).Rx / 8
	}
	for i := range f.IO {
		read += f.IO[i].ReadRate
	}
	if received < 50e6 {
		return 0
	}
	return received / max(read, 1e5)
}
