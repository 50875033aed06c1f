package facts

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
)

// MinStall is the shortest stall that is reported.
const MinStall = 2 * time.Second

// A Stall is one krbd device whose I/O makes no progress.
type Stall struct {
	Device string       // empty: the waiting requests are of no mapped image, for example of a clone's parent
	Disk   *node.DiskIO // nil: the block layer's counters do not show the stall
	Since  time.Time    // last completion; if some complete, when the queue became too long; else when the oldest request was first seen
	For    time.Duration
	Crawls bool        // some requests complete, but so few that each takes at least node.LongQueue
	Waits  []node.Wait // requests of the device that osdc lists, oldest first
}

// Resends returns how often its requests have been resent while they were watched.
func (s *Stall) Resends() int {
	most := 0
	for i := range s.Waits {
		most = max(most, s.Waits[i].Attempts)
	}
	return most
}

// Stalls returns the krbd devices whose I/O has made no progress for at least
// MinStall, longest first. Either nothing completes while requests are in flight, or
// so few requests complete that each takes node.LongQueue, or osdc keeps listing the
// same request while others of the device complete.
func (f *Facts) Stalls() []*Stall { return f.stalls() }

func (f *Facts) findStalls() []*Stall {
	var list []*Stall
	if f.Blind(node.SourceIO) == nil {
		for i := range f.IO {
			d := &f.IO[i]
			switch stuck, crawls := d.StalledFor(), d.At.Sub(d.QueueLong); {
			case stuck >= MinStall:
				list = append(list, &Stall{Device: d.Device, Disk: d, Since: d.LastProgress, For: stuck})
			case !d.QueueLong.IsZero() && crawls >= MinStall:
				list = append(list, &Stall{Device: d.Device, Disk: d, Since: d.QueueLong, For: crawls, Crawls: true})
			}
		}
	}
	list = f.addWaits(list)
	slices.SortFunc(list, func(a, b *Stall) int {
		return cmp.Or(cmp.Compare(b.For, a.For), human.ByNumber(a.Device, b.Device))
	})
	return list
}

// addWaits returns the stalls with their waiting requests, including the stalls that
// only osdc shows.
func (f *Facts) addWaits(list []*Stall) []*Stall {
	if len(f.Waits()) == 0 {
		return list
	}
	of := make(map[string]*Stall, len(list))
	for _, s := range list {
		of[s.Device] = s
	}
	for _, w := range f.Waits() {
		age := f.Pending.At.Sub(w.Since)
		if age < MinStall {
			continue
		}
		device := f.DeviceOf(&w)
		if of[device] == nil {
			of[device] = &Stall{Device: device, Since: w.Since, For: age}
			list = append(list, of[device])
		}
		of[device].Waits = append(of[device].Waits, w)
	}
	return list
}

// Waits returns the data requests that osdc lists for krbd's clients, oldest first.
// Watches and notifies are left out because they wait by design. There are none while
// osdc cannot be read.
func (f *Facts) Waits() []node.Wait { return f.waits() }

func (f *Facts) findWaits() []node.Wait {
	if len(f.Snapshot.Waits) == 0 || f.Blind(node.SourceOSDC) != nil {
		return nil
	}
	krbd := map[uint64]bool{}
	for i := range f.Mapped.Value {
		krbd[f.Mapped.Value[i].ClientID] = true
	}
	var list []node.Wait
	for _, w := range f.Snapshot.Waits {
		if krbd[w.ClientID] && !strings.Contains(w.Request.Ops, "watch") && !strings.Contains(w.Request.Ops, "notify") {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b node.Wait) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ClientID, b.ClientID), cmp.Compare(a.Request.TID, b.Request.TID))
	})
	return list
}

// An image is one RBD image as one client identifies it.
type image struct {
	fsid, id string
	client   uint64
}

func imageOf(w *node.Wait) image {
	id := w.Request.Image()
	if strings.HasPrefix(id, format1) {
		id = format1
	}
	return image{w.FSID, id, w.ClientID}
}

// format1 represents the data of any image of format 1: krbd does not show the names
// of its objects.
const format1 = "rb."

// findImageDevices returns the device of each image that a request waits for. A
// clone's parent has none.
func (f *Facts) findImageDevices() map[image]string {
	waits := f.Waits()
	if len(waits) == 0 {
		return nil
	}
	devices := make(map[image]string, len(f.Mapped.Value))
	for i := range f.Mapped.Value {
		m := &f.Mapped.Value[i]
		if m.ImageID != "" {
			devices[image{m.FSID, m.ImageID, m.ClientID}] = m.Device
			continue
		}
		devices[image{m.FSID, m.Image + ".rbd", m.ClientID}] = m.Device
		data := image{m.FSID, format1, m.ClientID}
		if _, twice := devices[data]; twice {
			devices[data] = "" // ambiguous: several devices
		} else {
			devices[data] = m.Device
		}
	}
	return devices
}

// DeviceOf returns the krbd device that a request belongs to; empty: it is of no
// mapped image.
func (f *Facts) DeviceOf(w *node.Wait) string { return f.devices()[imageOf(w)] }

// OSDName returns the kernel's name of an OSD; a request without one is homeless.
func OSDName(id int) string {
	if id < 0 {
		return "no OSD (homeless)"
	}
	return "osd" + strconv.Itoa(id)
}

// OSDNumber returns the number in the kernel's name of an OSD; false if peer is not
// an OSD.
func OSDNumber(peer string) (id int, is bool) {
	digits, osd := strings.CutPrefix(peer, "osd")
	id, err := strconv.Atoi(digits)
	return id, osd && err == nil && id >= 0
}

// Devices returns the devices of stalls, except those of no mapped image.
func Devices(stalls []*Stall) []string {
	names := make([]string, 0, len(stalls))
	for i := range stalls {
		if stalls[i].Device != "" {
			names = append(names, stalls[i].Device)
		}
	}
	return names
}

// StalledFor returns how long the I/O of a krbd device has made no progress; 0: it
// makes progress.
func (f *Facts) StalledFor(device string) time.Duration {
	for _, s := range f.Stalls() {
		if s.Device == device {
			return s.For
		}
	}
	return 0
}

// CompletesAgain reports whether the I/O of each of the krbd devices is proven to
// have resumed after an instant. This is the case if a request has completed since or
// none is in flight, and the queue is not too long; or if the device is no longer
// mapped.
func (f *Facts) CompletesAgain(devices []string, since time.Time) bool {
	io, krbd := f.Blind(node.SourceIO) == nil, f.Blind(node.SourceKrbd) == nil
	for _, device := range devices {
		if _, _, mapped := f.Device(device); krbd && !mapped {
			continue
		}
		d, known := f.DiskIO(device)
		if !io || !known || !d.LastProgress.After(since) || d.StalledFor() >= MinStall || !d.QueueLong.IsZero() {
			return false
		}
	}
	return true
}
