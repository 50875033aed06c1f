package page

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A SourceSpec is the static description of a source.
type SourceSpec struct {
	Name     string
	Every    time.Duration // interval between reads
	Deadline time.Duration // a read that takes longer is stalled
	Reads    string        // the data that it reads, and from where
	Needs    string        // requirements for reading it
	Off      string        // reason why it is not among the sources of the View; empty if it is
}

// A SourceList lists the sources of a node, as printed by `nodewatch sources --output
// json` and served by /api/v1/sources. docs/commands.schema.json describes it.
type SourceList struct {
	Node    string       `json:"node"`
	At      time.Time    `json:"at"`
	Version string       `json:"version"`
	OneShot bool         `json:"one_shot"` // made without a daemon
	Sources []ListSource `json:"sources"`
}

// A ListSource is one source.
type ListSource struct {
	Name     string        `json:"name"`
	State    string        `json:"state"`          // seen, partly, unknown, stalled, off
	Reading  string        `json:"reading"`        // the state as in a report: ok, denied, ...; off
	Since    time.Time     `json:"since,omitzero"` // start of Reading
	Last     time.Time     `json:"last,omitzero"`  // when the latest good reading began
	Every    float64       `json:"every_s"`        // interval in seconds
	Deadline float64       `json:"deadline_s"`     // seconds
	Reads    string        `json:"reads"`
	Needs    string        `json:"needs"`
	Sees     string        `json:"sees,omitempty"`   // summary of the latest good reading
	Error    string        `json:"error,omitempty"`  // reason why it cannot be read, or is disabled
	Partly   string        `json:"partly,omitempty"` // the information that it does not provide
	Remedy   string        `json:"remedy,omitempty"` // how to fix Error or Partly
	Failures uint64        `json:"failures"`
	Drivers  []ListDrivers `json:"unknown_drivers,omitempty"` // drivers with unknown drop counters; for nic-drops only
}

// A ListDrivers is a NIC driver with unknown drop counters.
type ListDrivers struct {
	Driver   string            `json:"driver"`
	NIC      string            `json:"nic"`
	Counters map[string]uint64 `json:"counters"` // those that may count drops on receive
}

// The states of a source in a SourceList.
const (
	sourceSeen    = "seen"    // it is read, and nothing is missing
	sourcePartly  = "partly"  // it is read, and something is missing
	sourceUnknown = "unknown" // it cannot be read, or has not been read yet
	sourceStalled = "stalled" // a read does not return, or readings have stopped
	sourceOff     = "off"     // disabled, held, or not on this machine
)

// Sources lists the sources of a View, in the order of specs.
func Sources(v judge.View, specs []SourceSpec, oneShot bool) SourceList {
	l := SourceList{Node: v.Report.Node, At: v.Report.At, Version: v.Report.Version, OneShot: oneShot, Sources: []ListSource{}}
	for _, spec := range specs {
		s := ListSource{Name: spec.Name, Reads: spec.Reads, Needs: spec.Needs, Every: spec.Every.Seconds(),
			Deadline: spec.Deadline.Seconds()}
		i := slices.IndexFunc(v.Report.Sources, func(x report.SourceState) bool { return x.Name == spec.Name })
		if i < 0 {
			s.State, s.Reading, s.Error = sourceOff, sourceOff, spec.Off
			l.Sources = append(l.Sources, s)
			continue
		}
		is := v.Report.Sources[i]
		s.State, s.Reading, s.Since, s.Last = stateOfSource(is), is.State, is.Since, is.Last
		s.Error, s.Partly, s.Remedy, s.Failures = is.Error, is.Partly, is.Remedy, is.Failures
		if !is.Last.IsZero() {
			s.Sees = sourceSummary(v, spec.Name)
		}
		if src, found := v.Source(spec.Name); found && src.Every > 0 {
			s.Every = src.Every.Seconds()
		}
		if spec.Name == node.SourceDrops {
			s.Drivers = driversOf(v)
		}
		l.Sources = append(l.Sources, s)
	}
	return l
}

func stateOfSource(s report.SourceState) string {
	switch s.State {
	case "ok":
		if s.Partly != "" {
			return sourcePartly
		}
		return sourceSeen
	case "stalled", "stale":
		return sourceStalled
	case "absent", "held":
		return sourceOff
	}
	return sourceUnknown
}

// driversOf returns the NICs whose driver has unknown drop counters.
func driversOf(v judge.View) []ListDrivers {
	var list []ListDrivers
	for _, n := range v.NICs {
		if d := n.Drops; d.Driver != "" && d.Counts == nil {
			counters := maps.Clone(d.Unlisted)
			if counters == nil {
				counters = map[string]uint64{}
			}
			list = append(list, ListDrivers{d.Driver, n.Name, counters})
		}
	}
	return list
}

// sourceSummary summarizes the latest good reading of a source.
func sourceSummary(v judge.View, source string) string {
	switch source {
	case node.SourceBond:
		l := v.Links.Value
		slaves := 0
		for _, b := range l.Bonds {
			slaves += len(b.Slaves)
		}
		return listed(human.Count(len(l.Bonds), "bond"), human.Count(slaves, "slave"), human.Count(len(l.NICs), "other NIC"))
	case node.SourceNIC:
		return human.Count(len(v.NICs), "NIC")
	case node.SourceDrops:
		known := 0
		for _, n := range v.NICs {
			if n.Drops.Counts != nil {
				known++
			}
		}
		return human.Count(known, "NIC") + " with a known driver"
	case node.SourceOVS:
		return human.Count(len(v.OVS.Value), "bond")
	case node.SourceKrbd:
		return listed(human.Count(len(v.Mapped.Value), "krbd device"), human.Count(clientsOf(v.Mapped.Value), "kernel client"))
	case node.SourceIO:
		return human.Count(len(v.IO), "krbd device")
	case node.SourceOSDC:
		total := 0
		for _, p := range v.Pending.Value {
			total += p.Total
		}
		return human.Count(total, "request") + " in flight of " + human.Count(len(v.Pending.Value), "client")
	case node.SourceLibvirt:
		return guestsShown(v.Libvirt.Value.Guests)
	case node.SourceQEMU:
		return guestsShown(v.QEMU.Value.Guests)
	case node.SourceKmsg:
		return listed(human.Count(v.Kernel.Records, "record"), human.Number(v.Kernel.Lost)+" lost")
	case node.SourceHost:
		h := v.Host.Value
		return fmt.Sprintf("Linux %s, load %.1f", h.Release, h.Load[0])
	case node.SourceCeph:
		return clusterShown(v)
	case node.SourceOverrides:
		return overridesShown(v)
	case node.SourceReporters:
		return human.Count(len(v.Deliveries.Value), "reporter")
	case node.SourceLauncher:
		return human.Count(v.Launcher.Value.Running, "program") + " running"
	case node.SourceStateDirectory:
		return v.StateDirectory.Value.Path
	case node.SourceState:
		return human.Count(len(v.Snapshot.State.Value), "byte")
	}
	return ""
}

// listed joins the parts of a list.
func listed(parts ...string) string { return strings.Join(parts, ", ") }

func clientsOf(list []rbd.Mapped) int {
	type client struct {
		fsid string
		id   uint64
	}
	all := map[client]bool{}
	for i := range list {
		all[client{list[i].FSID, list[i].ClientID}] = true
	}
	return len(all)
}

func guestsShown(list []rbd.Guest) string {
	containers, disks := 0, 0
	for i := range list {
		for _, d := range list[i].Disks {
			if !d.Part {
				disks++
			}
		}
		if list[i].Kind == "container" {
			containers++
		}
	}
	return listed(human.Count(len(list)-containers, "VM"), human.Count(containers, "container"), human.Count(disks, "disk"))
}

func clusterShown(v judge.View) string {
	up := 0
	osds := v.Cluster.Value.OSDMap.OSDs
	for _, o := range osds {
		if o.Up {
			up++
		}
	}
	return fmt.Sprintf("%s, %s of %s up", v.Cluster.Value.Health.Status, human.Number(up), human.Count(len(osds), "OSD"))
}

func overridesShown(v judge.View) string {
	text := human.Count(len(v.Overrides.Value.Accepted), "acknowledged finding")
	if v.Overrides.Value.Maintenance.Holds(v.Now) {
		text += ", maintenance"
	}
	return text
}

// Only returns the list with only the named source.
func (l SourceList) Only(name string) SourceList {
	l.Sources = list(slices.DeleteFunc(slices.Clone(l.Sources), func(s ListSource) bool { return s.Name != name }))
	return l
}

// Text formats the list for a terminal. It shows all details if the list has only one
// source.
func (l SourceList) Text(s Style) string {
	t := &terminal{style: s}
	if len(l.Sources) == 1 {
		t.source(l.Sources[0], l.At)
		return t.b.String()
	}
	all := table{columns: []string{"SOURCE", "STATE", "AGE"}, text: "SEES"}
	for _, x := range l.Sources {
		age := "-"
		if !x.Last.IsZero() {
			age = span(l.At.Sub(x.Last))
		}
		sees := x.Sees
		for _, more := range []string{x.Partly, x.Error} {
			if more == "" {
				continue
			}
			if x.State == sourcePartly {
				more = "partly unknown: " + more
			}
			if sees != "" {
				more = sees + "; " + more
			}
			sees = more
		}
		all.rows = append(all.rows, tableRow{tone: toneOfState(x.State), mark: 1, cells: []string{x.Name, x.State, age}, text: sees,
			remedy: x.Remedy})
	}
	t.table(all)
	return t.b.String()
}

// source writes all details of a source.
func (t *terminal) source(x ListSource, at time.Time) {
	state := x.State
	if x.Reading != x.State && x.Reading != "ok" {
		state += " (" + x.Reading + ")"
	}
	if !x.Since.IsZero() {
		state += " since " + from(x.Since, at)
	}
	last := "never"
	if !x.Last.IsZero() {
		last = ago(x.Last, at)
	}
	seconds := func(s float64) string { return human.Span(time.Duration(s * float64(time.Second))) }
	t.item(0, toneOfState(x.State), x.Name, state)
	for _, f := range [][2]string{
		{"Reads", x.Reads}, {"Needs", x.Needs}, {"Every", seconds(x.Every) + "; a read that takes longer than " + seconds(x.Deadline) +
			" is stalled"},
		{"Last", last}, {"Sees", x.Sees}, {"Missing", x.Partly}, {"Error", x.Error}, {"Remedy", x.Remedy},
		{"Failures", human.Number(x.Failures)},
	} {
		if f[1] != "" {
			t.item(2, "", fmt.Sprintf("%-9s", f[0]), f[1])
		}
	}
	for _, d := range x.Drivers {
		counters := make([]string, 0, len(d.Counters))
		for _, name := range slices.Sorted(maps.Keys(d.Counters)) {
			counters = append(counters, name+" "+human.Number(d.Counters[name]))
		}
		t.item(2, "", fmt.Sprintf("%-9s", d.NIC), "driver "+d.Driver+" is not known; what looks like drops: "+human.Names(counters,
			len(counters)))
	}
}

func toneOfState(state string) tone {
	switch state {
	case sourceSeen:
		return good
	case sourceOff:
		return info
	case sourcePartly:
		return unknown
	}
	return warn
}

// JSON returns the list as JSON.
func (l SourceList) JSON() ([]byte, error) { return encode(l, "  ") }
