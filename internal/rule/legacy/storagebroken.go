package legacy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// The kinds of damage that last, which are also the findings' subjects.
const (
	blocklisted = "blocklisted"
	filesystem  = "filesystem"
	ioFailed    = "io-error"
	watchLost   = "watch"
)

// shutdown is the errno of a blocklisted client (EBLOCKLISTED is ESHUTDOWN).
const shutdown = -108

// A brokenKind is one kind of damage and the disks that have it.
type brokenKind struct {
	subject string
	says    string
	disks   []broken       // by device
	place   map[string]int // in disks, of each device
}

// A broken is one krbd device with damage that has not been undone.
type broken struct {
	device      string // the krbd device
	on          string // what the kernel named: the device, a partition, a holder
	source      string
	text        string // the latest line
	lines       uint64 // 0: not known
	first, last time.Time
}

// brokenDisks sorts by kind the damage that the kernel log, or the cluster, tells
// of and that has not been undone since. A blocklisted client's failed I/O and
// lost watches follow from that, and are not told again.
func brokenDisks(in Input) [4]brokenKind {
	kinds := [4]brokenKind{
		{subject: blocklisted, says: "the cluster has blocklisted this client, and its I/O fails"},
		{subject: filesystem, says: "a filesystem on krbd failed or turned read-only"},
		{subject: ioFailed, says: "krbd gave I/O errors back"},
		{subject: watchLost, says: "krbd lost its watch on images"},
	}
	var w *mappings
	for _, class := range []kmsg.Class{kmsg.BlockError, kmsg.FSError, kmsg.FSReadOnly, kmsg.RBDResult, kmsg.RBDWatch} {
		for _, s := range in.Kernel.Of(class) {
			if w == nil {
				w = mappingsOf(in)
			}
			if device, lasts := w.lasts(s); lasts {
				d := broken{device: device, on: s.Device, source: node.SourceKmsg, text: s.Text, lines: s.Total + s.History, first: s.First, last: s.Last}
				if since := w.mapped[device]; d.first.Before(since) {
					d.first, d.lines = since, 0 // some are of an earlier mapping of that name: how many is not known
				}
				kinds[kindOf(s)].note(d)
			}
		}
	}
	kinds[0].fromCluster(in)
	for i := range kinds {
		if i >= 2 {
			kinds[i].disks = slices.DeleteFunc(kinds[i].disks, func(d broken) bool { _, is := kinds[0].place[d.device]; return is })
		}
		slices.SortFunc(kinds[i].disks, func(a, b broken) int { return byNumber(a.device, b.device) })
	}
	return kinds
}

// kindOf returns the place of a series' kind.
func kindOf(s *node.Series) int {
	switch {
	case s.Class == kmsg.FSError || s.Class == kmsg.FSReadOnly:
		return 1
	case s.Errno == shutdown:
		return 0
	case s.Class == kmsg.RBDWatch:
		return 3
	}
	return 2
}

// note adds damage to its device.
func (k *brokenKind) note(d broken) {
	i, known := k.place[d.device]
	if !known {
		if k.place == nil {
			k.place = map[string]int{}
		}
		k.place[d.device] = len(k.disks)
		k.disks = append(k.disks, d)
		return
	}
	old := &k.disks[i]
	old.lines += d.lines
	old.first = earlier(old.first, d.first)
	if !d.last.Before(old.last) {
		old.last, old.on, old.text = d.last, d.on, d.text
	}
}

// fromCluster adds the devices of clients that the cluster has on its blocklist.
func (k *brokenKind) fromCluster(in Input) {
	if len(in.Cluster.Value.Blocklist) == 0 || in.anyBlind(node.SourceCeph) {
		return
	}
	until := map[string]time.Time{}
	for _, e := range in.Cluster.Value.Blocklist {
		until[e.Addr] = later(until[e.Addr], e.Until)
	}
	for i := range in.Mapped.Value {
		m := &in.Mapped.Value[i]
		if _, known := k.place[m.Device]; !known && until[m.Nonce].After(in.Now) {
			k.note(broken{device: m.Device, on: m.Device, source: node.SourceCeph, first: in.Cluster.At, last: in.Cluster.At,
				text: fmt.Sprintf("%s is on the cluster's blocklist until %s", m.Nonce, until[m.Nonce].Format(time.DateTime))})
		}
	}
}

// says is the damage in words.
func (d broken) says() string {
	if d.source != node.SourceKmsg {
		return d.text
	}
	if d.lines == 0 {
		return "the latest line: " + d.text
	}
	return fmt.Sprintf("%s, the latest: %s", counted(d.lines, "line"), d.text)
}

// Mappings say what the kernel's names of devices mean now, and since when.
type mappings struct {
	read    bool                 // krbd's devices have been read
	device  map[string]string    // krbd device of each device, partition and holder
	mapped  map[string]time.Time // since when each krbd device has been mapped; zero: not known
	mounted map[string]time.Time // when each device or holder was last mounted
	boot    time.Time
}

func mappingsOf(in Input) *mappings {
	w := &mappings{read: !in.Mapped.At.IsZero(), device: map[string]string{}, mapped: map[string]time.Time{}, mounted: map[string]time.Time{}, boot: in.Host.Value.Boot}
	for i := range in.Mapped.Value {
		m := &in.Mapped.Value[i]
		w.device[m.Device] = m.Device
		for _, h := range m.Holders {
			w.device[h.Device] = m.Device
		}
		if at := in.MappedAt(i); !at.IsZero() { // it was found by a reading, and may be older by one round
			w.mapped[m.Device] = at.Add(-max(in.Mapped.Every, time.Second))
		}
	}
	for _, s := range in.Kernel.Of(kmsg.RBDMapped) { // what the kernel says is exact
		w.mapped[s.Device] = s.Last
	}
	for _, s := range in.Kernel.Of(kmsg.FSMounted) {
		w.mounted[s.Device] = later(w.mounted[s.Device], s.Last)
	}
	return w
}

// lasts returns the krbd device that a line is about, and whether what it says
// still holds: the device is the same mapping, the filesystem has not been
// mounted again, the host has not been booted.
func (w *mappings) lasts(s *node.Series) (device string, lasts bool) {
	device, known := w.device[s.Device]
	if !known && !w.read && strings.HasPrefix(s.Device, "rbd") {
		device, known = s.Device, true
	}
	if !known || s.Last.Before(w.boot) || s.Last.Before(w.mapped[device]) {
		return "", false
	}
	fs := s.Class == kmsg.FSError || s.Class == kmsg.FSReadOnly
	return device, !fs || !w.mounted[s.Device].After(s.Last)
}
