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

// How many disks are shown, and how many of them before the fold.
const (
	maxDisks   = 200
	firstDisks = 6
)

// A disksView is the RBD disks of the node, those that are stuck first.
type disksView struct {
	Notes []string
	Facts []factLine
	Disks []diskView
	More  int
	Known bool // there is a view of krbd's devices or of the guests
}

// First are the disks before the fold: those that are stuck, up to a screenful.
func (d disksView) First() []diskView { return d.Disks[:min(len(d.Disks), firstDisks)] }

// Rest are the disks behind the fold.
func (d disksView) Rest() []diskView { return d.Disks[min(len(d.Disks), firstDisks):] }

// Summary is the disks in a line.
func (d disksView) Summary() string {
	if len(d.Facts) == 0 {
		return "unknown"
	}
	return d.Facts[0].Name + ": " + d.Facts[0].Text
}

// A factLine is a name and what is to be said of it.
type factLine struct {
	Name, Text string
	At         moment // that the text is about; zero: none
}

// A diskView is one disk.
type diskView struct {
	Client string
	Device string
	Image  string
	Guests []string
	State  string
	Tone   tone
	stuck  time.Duration
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
	slices.SortStableFunc(all, func(a, b diskView) int { return cmp.Compare(b.stuck, a.stuck) })
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
	stuckAfter := storage.StuckAfter(v.Rules)
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
			d.State, d.Tone, d.stuck = activity(io, stuckAfter)
		}
		list = append(list, d)
	}
	return list
}

// activity says what a krbd device does; stuckAfter is from when on it is stuck.
func activity(d node.DiskIO, stuckAfter time.Duration) (text string, t tone, stuck time.Duration) {
	waiting := plural(d.Last.InFlight(), "request", "requests")
	switch {
	case d.Last.Partly != "":
		return "cannot be read: " + d.Last.Partly, unknown, 0
	case d.StalledFor() >= stuckAfter:
		return fmt.Sprintf("stuck for %s, %s in flight", span(d.StalledFor()), waiting), bad, d.StalledFor()
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

// guestDisks are the disks that QEMU or rbd-nbd speak to Ceph for.
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
