package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule/storage"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// The number of disks shown, in total and before the fold.
const (
	maxDisks   = 200
	firstDisks = 6
)

// A disksView shows the RBD disks of the node, stalled ones first.
type disksView struct {
	Notes []string
	Facts []factLine
	Disks []diskView
	More  int
	Known bool // krbd's devices or the guests have been read
}

// First returns the disks before the fold: the stalled ones, up to a screenful.
func (d disksView) First() []diskView { return d.Disks[:min(len(d.Disks), firstDisks)] }

// Rest returns the disks behind the fold.
func (d disksView) Rest() []diskView { return d.Disks[min(len(d.Disks), firstDisks):] }

// Summary summarizes the disks in one line.
func (d disksView) Summary() string {
	if len(d.Facts) == 0 {
		return "unknown"
	}
	return d.Facts[0].Name + ": " + d.Facts[0].Text
}

// A factLine is a name and a text.
type factLine struct {
	Name, Text string
	At         moment // the time that the text refers to; zero: none
}

// A diskView shows one disk.
type diskView struct {
	Client  string
	Device  string
	Image   string
	Guests  []string
	State   string
	Tone    tone
	stalled time.Duration
}

func disksOf(v judge.View) disksView {
	d := disksView{
		Notes: notes(v, node.SourceKrbd, node.SourceIO, node.SourceOSDC),
		Known: ever(v, node.SourceKrbd) || ever(v, node.SourceLibvirt) || ever(v, node.SourceQEMU),
	}
	if err := v.GuestsKnown(); err != nil {
		d.Notes = append(d.Notes, "Guests unknown: "+err.Text+".")
	}
	all := append(krbdDisks(v), guestDisks(v)...)
	slices.SortStableFunc(all, func(a, b diskView) int { return cmp.Compare(b.stalled, a.stalled) })
	d.Facts = diskFacts(v, all)
	d.Disks = all[:min(len(all), maxDisks)]
	d.More = len(all) - len(d.Disks)
	return d
}

func krbdDisks(v judge.View) []diskView {
	states := map[string]string{}
	for _, g := range v.Guests {
		if g.State != "" && g.State != "running" && g.State != "blocked" {
			states[g.Name] = g.State
		}
	}
	uses := map[string]rbd.Use{}
	for _, u := range v.Uses {
		uses[u.Device] = u
	}
	stalledAfter := storage.StalledAfter(v.Rules)
	var list []diskView
	for _, m := range v.Mapped.Value {
		d := diskView{Client: string(rbd.KRBD), Device: m.Device, Image: m.Spec(), Tone: unknown, State: "not read yet"}
		for _, name := range uses[m.Device].Guests {
			if s := states[name]; s != "" {
				name += ", " + s
			}
			d.Guests = append(d.Guests, name)
		}
		if owner := uses[m.Device].Owner; len(d.Guests) == 0 && owner != "" {
			d.Guests = []string{"none found; the image name suggests " + owner}
		}
		if io, found := v.DiskIO(m.Device); found {
			d.State, d.Tone, d.stalled = activity(io, stalledAfter)
		}
		list = append(list, d)
	}
	return list
}

// activity describes the activity of a krbd device; after stalledAfter without a
// completion it is stalled.
func activity(d node.DiskIO, stalledAfter time.Duration) (text string, t tone, stalled time.Duration) {
	waiting := plural(d.Last.InFlight(), "request", "requests")
	switch {
	case d.Last.Partly != "":
		return "cannot be read: " + d.Last.Partly, unknown, 0
	case d.StalledFor() >= stalledAfter:
		return fmt.Sprintf("stalled for %s, %s in flight", span(d.StalledFor()), waiting), bad, d.StalledFor()
	case d.IOPS == 0 && d.Last.InFlight() == 0:
		return "idle", good, 0
	}
	text = digits(d.IOPS) + " IO/s"
	if d.Latency > 0 {
		text += ", " + digits(d.Latency) + " ms"
	}
	if d.Last.InFlight() > 0 {
		text += ", " + waiting + " in flight"
	}
	return text, good, 0
}

// guestDisks returns the disks that QEMU or rbd-nbd access without krbd.
func guestDisks(v judge.View) []diskView {
	var list []diskView
	for _, g := range v.Guests {
		for _, disk := range g.Disks {
			if disk.Client != rbd.LibRBD && disk.Client != rbd.NBD {
				continue
			}
			d := diskView{
				Client: string(disk.Client), Device: disk.Target, Image: rbd.Spec(disk.Pool, disk.Namespace, disk.Image, disk.Snapshot),
				Guests: []string{g.Name}, State: cmp.Or(g.State, "state not known"), Tone: good,
			}
			if disk.Image == "" {
				d.Image = cmp.Or(disk.Path, "image not known")
			}
			if g.State == "paused" || g.State == "crashed" {
				d.State, d.Tone = strings.TrimSpace("guest "+g.State+" "+g.Reason), warn
			}
			list = append(list, d)
		}
	}
	return list
}
