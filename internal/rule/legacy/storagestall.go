package legacy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// stalledFor is stalledDisks, worked out anew.
func stalledFor(in Input, least time.Duration) []*node.DiskIO {
	if in.anyBlind(node.SourceIO) {
		return nil
	}
	var list []*node.DiskIO
	for i := range in.IO {
		if d := &in.IO[i]; d.Stuck() >= least { // 0 with nothing in flight
			list = append(list, d)
		}
	}
	foremost(list, func(a, b **node.DiskIO) bool {
		if !(*a).Moved.Equal((*b).Moved) {
			return (*a).Moved.Before((*b).Moved)
		}
		return byNumber((*a).Device, (*b).Device) < 0
	})
	return list
}

// busyDisks is how many krbd devices have requests in flight or complete some.
func busyDisks(in Input) int {
	n := 0
	for i := range in.IO {
		if in.IO[i].Last.InFlight() > 0 || in.IO[i].IOPS > 0 {
			n++
		}
	}
	return n
}

// disksOf are the names of the devices.
func disksOf(list []*node.DiskIO) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Device
	}
	return names
}

// longWaits are the requests for data that osdc lists and keep accepts, oldest
// first. Watches and notifies are left out: they wait by design. None is known
// while osdc cannot be read.
func longWaits(in Input, keep func(node.Wait) bool) []node.Wait {
	if len(in.Waits) == 0 || in.Blind(node.SourceOSDC) != nil {
		return nil
	}
	var list []node.Wait
	for _, w := range in.Waits {
		if keep(w) && !waitsByDesign(w.Request.Ops) {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b node.Wait) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ClientID, b.ClientID), cmp.Compare(a.Request.TID, b.Request.TID))
	})
	return list
}

func waitsByDesign(ops string) bool {
	return strings.Contains(ops, "watch") || strings.Contains(ops, "notify")
}

// stallEvidence tells of the first few devices and requests.
func stallEvidence(in Input, disks []*node.DiskIO, waits []node.Wait) []report.Evidence {
	var list []report.Evidence
	for i, d := range disks {
		if i == 5 {
			list = append(list, in.fact(node.SourceIO, "", fmt.Sprintf("and %s more without a completion", counted(len(disks)-i, "krbd disk"))))
			break
		}
		list = append(list, factAt(node.SourceIO, d.Device, fmt.Sprintf("%s: %s in flight, none completed for %s",
			diskName(in, d.Device), counted(d.Last.InFlight(), "request"), span(d.Stuck())), d.At))
	}
	devices := imageDevices(in, waits)
	for i, w := range waits {
		if i == 5 {
			list = append(list, in.fact(node.SourceOSDC, "", fmt.Sprintf("and %s more that wait", counted(len(waits)-i, "request"))))
			break
		}
		list = append(list, in.fact(node.SourceOSDC, peerName(w.Request.OSD), waitText(in, w, devices)))
	}
	return list
}

// waitText is a request in words.
func waitText(in Input, w node.Wait, devices map[image]string) string {
	text := fmt.Sprintf("%s of %s waits for %s, seen for %s, sent %s",
		w.Request.Ops, w.Request.Object, peerName(w.Request.OSD), span(in.Pending.At.Sub(w.Since)), counted(w.Request.Attempts, "time"))
	if w.Attempts > 0 {
		text += fmt.Sprintf(", %d of them since then", w.Attempts)
	}
	if w.Request.Paused {
		text += ", paused: the cluster or pool is full, or reads or writes are paused"
	}
	if d := devices[imageOf(w)]; d != "" {
		text += "; it is " + diskName(in, d)
	}
	return text
}

func peerName(osd int) string {
	if osd < 0 {
		return "no OSD (homeless)"
	}
	return fmt.Sprintf("osd%d", osd)
}

// An image is one RBD image as one client knows it.
type image struct {
	fsid, id string
	client   uint64
}

func imageOf(w node.Wait) image { return image{w.FSID, w.Request.Image(), w.ClientID} }

// imageDevices returns which device each image is that a request waits for. A
// clone's parent has none.
func imageDevices(in Input, waits []node.Wait) map[image]string {
	if len(waits) == 0 {
		return nil
	}
	devices := make(map[image]string, len(waits))
	for _, w := range waits {
		devices[imageOf(w)] = ""
	}
	for i := range in.Mapped.Value {
		m := &in.Mapped.Value[i]
		if of := (image{m.FSID, m.ImageID, m.ClientID}); m.ImageID != "" {
			if _, waited := devices[of]; waited {
				devices[of] = m.Device
			}
		}
	}
	return devices
}

// withWaits adds the devices that requests wait for to others, each once.
func withWaits(in Input, names []string, waits []node.Wait) (all []string, covered int) {
	of := imageDevices(in, waits)
	known := make(map[string]bool, len(of)) // of the devices that are waited for, whether they are among the others
	for _, device := range of {
		known[device] = false
	}
	for i := 0; len(known) > 0 && i < len(names); i++ {
		if _, waited := known[names[i]]; waited {
			known[names[i]] = true
		}
	}
	for _, w := range waits {
		d := of[imageOf(w)]
		if d == "" {
			continue
		}
		covered++
		of[imageOf(w)] = ""
		if !known[d] {
			names = append(names, d)
		}
	}
	return names, covered
}
