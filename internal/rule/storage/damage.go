package storage

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// The kinds of lasting damage, which are also the subjects of the findings.
const (
	blocklisted = "blocklisted"
	filesystem  = "filesystem"
	ioFailed    = "io-error"
	watchLost   = "watch"
)

// shutdown is the errno that blocklisted clients get (EBLOCKLISTED is ESHUTDOWN).
const shutdown = -108

// A damageKind is one kind of damage with the damaged disks.
type damageKind struct {
	subject string
	says    string
	follows []damaged      // filesystems of a blocklisted client that failed with its I/O
	disks   []damaged      // by device
	place   map[string]int // index in disks, by device
}

// A damaged is one krbd device with damage that has not been repaired.
type damaged struct {
	device      string // the krbd device
	on          string // what the kernel named: the device, a partition, or a holder
	source      string
	text        string // the latest log line
	detail      string // detail of that line
	errno       int    // errno of that line; 0: it has none
	lines       uint64 // number of log lines; 0: unknown
	first, last time.Time
}

// damage returns, by kind, the damage that the kernel log or the cluster reports and
// that has not been repaired. A blocklisted client's failed I/O, failed filesystems
// and lost watches are consequences and are not reported separately.
func damage(in rule.Input) [4]damageKind {
	kinds := [4]damageKind{
		{subject: blocklisted, says: "this client is blocklisted and its I/O fails"},
		{subject: filesystem, says: "a filesystem on krbd failed or turned read-only"},
		{subject: ioFailed, says: "krbd returned I/O errors"},
		{subject: watchLost, says: "krbd lost its watch on images"},
	}
	var w *mappings
	for _, class := range []kmsg.Class{kmsg.BlockError, kmsg.FSError, kmsg.FSReadOnly, kmsg.RBDResult, kmsg.RBDWatch} {
		for _, s := range in.Kernel.Of(class) {
			if w == nil {
				w = mappingsOf(in)
			}
			if device, applies := w.stillApplies(s); applies {
				d := damaged{device: device, on: s.Device, source: node.SourceKmsg, text: s.Text, detail: s.Detail, errno: s.Errno,
					lines: s.Total + s.History, first: s.First, last: s.Last}
				if since := w.mapped[device]; d.first.Before(since) {
					d.first, d.lines = since, 0 // some lines are of an earlier mapping of that name; how many is unknown
				}
				kinds[kindOf(s)].note(d)
			}
		}
	}
	kinds[0].fromCluster(in)
	failing := kinds[0].ofSameClients(in)
	for i := range kinds {
		if i > 0 {
			kinds[i].disks = slices.DeleteFunc(kinds[i].disks, func(d damaged) bool {
				is := slices.Contains(failing, d.device)
				if is && kinds[i].subject == filesystem {
					kinds[0].follows = append(kinds[0].follows, d)
				}
				return is
			})
		}
		slices.SortFunc(kinds[i].disks, func(a, b damaged) int { return human.ByNumber(a.device, b.device) })
	}
	return kinds
}

// kindOf returns the index of a series' kind.
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
func (k *damageKind) note(d damaged) {
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
	old.first = facts.Earlier(old.first, d.first)
	if !d.last.Before(old.last) {
		old.last, old.on, old.text, old.errno = d.last, d.on, d.text, cmp.Or(d.errno, old.errno)
		if old.detail == "mount" {
			old.detail = d.detail
		}
	}
}

// fromCluster adds the devices of clients that are on the cluster's blocklist.
func (k *damageKind) fromCluster(in rule.Input) {
	if len(in.Snapshot.Cluster.Value.Blocklist) == 0 || in.AnyBlind(node.SourceCeph) {
		return
	}
	until := map[string]time.Time{}
	for _, e := range in.Snapshot.Cluster.Value.Blocklist {
		until[e.Addr] = facts.Later(until[e.Addr], e.Until)
	}
	for i := range in.Mapped.Value {
		m := &in.Mapped.Value[i]
		if _, known := k.place[m.Device]; !known && until[m.Nonce].After(in.Now) {
			k.note(damaged{device: m.Device, on: m.Device, source: node.SourceCeph, first: in.Snapshot.Cluster.At,
				last: in.Snapshot.Cluster.At,
				text: fmt.Sprintf("%s is on the cluster's blocklist until %s", m.Nonce, until[m.Nonce].Format(time.DateTime))})
		}
	}
}

// sentence describes the damage.
func (d damaged) sentence() string {
	if d.source != node.SourceKmsg {
		return d.text
	}
	if d.lines == 0 {
		return "latest line: " + d.text
	}
	return fmt.Sprintf("%s, latest: %s", human.Count(d.lines, "line"), d.text)
}

// mappings maps the kernel's device names to the current krbd devices, with the time
// of each mapping.
type mappings struct {
	read    bool                 // krbd's devices have been read
	device  map[string]string    // krbd device of each device, partition and holder
	mapped  map[string]time.Time // when each krbd device was mapped; zero: unknown
	mounted map[string]time.Time // when each device or holder was last mounted
	boot    time.Time
}

func mappingsOf(in rule.Input) *mappings {
	w := &mappings{read: !in.Mapped.At.IsZero(), device: map[string]string{}, mapped: map[string]time.Time{},
		mounted: map[string]time.Time{}, boot: in.Host.Value.Boot}
	for i := range in.Mapped.Value {
		m := &in.Mapped.Value[i]
		w.device[m.Device] = m.Device
		for _, h := range m.Holders {
			w.device[h.Device] = m.Device
		}
		if at := in.MappedAt(i); !at.IsZero() { // found by a reading, so the mapping may be older by one round
			w.mapped[m.Device] = at.Add(-max(in.Mapped.Every, time.Second))
		}
	}
	for _, s := range in.Kernel.Of(kmsg.RBDMapped) { // the time of a kernel log line is exact
		w.mapped[s.Device] = s.Last
	}
	for _, s := range in.Kernel.Of(kmsg.FSMounted) {
		w.mounted[s.Device] = facts.Later(w.mounted[s.Device], s.Last)
	}
	return w
}

// diskOf returns the krbd device of a partition: rbd3 for rbd3p1; empty if it is no
// partition.
func diskOf(partition string) string {
	disk, number, is := strings.Cut(partition, "p")
	if _, err := strconv.ParseUint(number, 10, 16); !is || err != nil || !strings.HasPrefix(disk, "rbd") {
		return ""
	}
	return disk
}

// stillApplies returns the krbd device that a line is about, and whether the line
// still holds: the device is the same mapping, the filesystem has not been mounted
// again, and the host has not been rebooted.
func (w *mappings) stillApplies(s *node.Series) (device string, applies bool) {
	device, known := w.device[s.Device]
	if disk := diskOf(s.Device); !known && w.device[disk] != "" {
		device, known = disk, true
	}
	if !known && !w.read && strings.HasPrefix(s.Device, "rbd") {
		device, known = s.Device, true
	}
	if !known || s.Last.Before(w.boot) || s.Last.Before(w.mapped[device]) {
		return "", false
	}
	fs := s.Class == kmsg.FSError || s.Class == kmsg.FSReadOnly
	return device, !fs || !w.mounted[s.Device].After(s.Last)
}
