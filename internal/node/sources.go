package node

import (
	"slices"
	"strings"
	"time"
)

// The names of the sources.
const (
	SourceBond    = "bond"
	SourceNIC     = "nic"
	SourceDrops   = "nic-drops"
	SourceLimits  = "nic-limits"
	SourceOVS     = "ovs"
	SourceKrbd    = "krbd"
	SourceIO      = "krbd-io"
	SourceOSDC    = "osdc"
	SourceLibvirt = "libvirt"
	SourceQEMU    = "qemu"
	SourceKmsg    = "kmsg"
	SourceHost    = "host"
	SourceCeph    = "ceph"

	SourceOverrides      = "overrides"
	SourceReporters      = "reporters"
	SourceState          = "state"
	SourceStateDirectory = "state-directory"
	SourceLauncher       = "launcher"
)

// A Source is the state of one source.
type Source struct {
	Name         string        `json:"name"`
	Every        time.Duration `json:"every"` // interval at which it normally reports
	Last         time.Time     `json:"-"`     // when its latest good reading began
	LastReading  time.Time     `json:"-"`     // when it last reported anything
	FirstReading time.Time     `json:"-"`     // when it first reported anything
	Err          *Error        `json:"-"`
	Failures     uint64        `json:"-"`
}

// Started is the first observation: the node and its sources.
type Started struct {
	Node    string   `json:"node"`
	Version string   `json:"version"`
	Sources []Source `json:"sources"`

	Site   string            `json:"site,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Apply implements Observation. Previous data belongs to a daemon that has ended: the
// replay of a tape with a restart shows what the restarted daemon observed.
func (o Started) Apply(s Snapshot) Snapshot {
	s = Snapshot{Now: s.Now, Node: o.Node, Version: o.Version, Started: s.Now, Site: o.Site, Labels: o.Labels}
	s.Sources = slices.Clone(o.Sources)
	slices.SortFunc(s.Sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// recordReading records a reading of a source.
func (s Snapshot) recordReading(name string, at time.Time, every time.Duration, err *Error) Snapshot {
	s.Sources = slices.Clone(s.Sources)
	i, found := slices.BinarySearchFunc(s.Sources, name, func(a Source, name string) int { return strings.Compare(a.Name, name) })
	if !found {
		s.Sources = slices.Insert(s.Sources, i, Source{Name: name})
	}
	src := &s.Sources[i]
	if src.FirstReading.IsZero() {
		src.FirstReading = s.Now
	}
	src.LastReading = s.Now
	if every > 0 {
		src.Every = every
	}
	src.Err = err
	if err == nil {
		src.Last = at
	} else {
		src.Failures++
	}
	return s
}

// Source returns the state of the named source, and whether it exists.
func (s Snapshot) Source(name string) (Source, bool) { return source(s.Sources, name) }

func source(list []Source, name string) (Source, bool) {
	i, found := place(list, name, func(s *Source) string { return s.Name })
	if !found {
		return Source{Name: name}, false
	}
	return list[i], true
}

// Blind returns why the named source is unavailable, and nil if it is available.
func (s Snapshot) Blind(name string) *Error {
	src, found := s.Source(name)
	switch {
	case !found:
		return &Error{Kind: Absent, Text: "no such source is configured", Since: s.Started}
	case src.Err != nil:
		return src.Err
	case src.Last.IsZero():
		return &Error{Kind: Failed, Text: "has not been read yet", Since: s.Started}
	case src.Stale(s.Now):
		return &Error{Kind: Stalled, Text: "last read " + s.Now.Sub(src.Last).Round(time.Second).String() + " ago", Since: src.Last}
	}
	return nil
}

// Stale reports whether the source has been silent for longer than three of its
// rounds and five seconds.
func (s Source) Stale(now time.Time) bool {
	return s.Every > 0 && !s.LastReading.IsZero() && now.Sub(s.LastReading) > 3*s.Every+5*time.Second
}

// State returns the source's state in one word, and when it began.
func (s Source) State(started, now time.Time) (string, time.Time) {
	switch {
	case s.Err != nil:
		return string(s.Err.Kind), s.Err.Since
	case s.LastReading.IsZero():
		return "starting", started
	case s.Stale(now):
		return "stale", s.LastReading
	}
	return "ok", s.FirstReading
}

// Complete reports whether every source has reported, even if only that it is blind.
func (s Snapshot) Complete() bool {
	for _, src := range s.Sources {
		if src.LastReading.IsZero() {
			return false
		}
	}
	return len(s.Sources) > 0
}
