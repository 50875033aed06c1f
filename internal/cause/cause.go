// Package cause weighs the possible causes of a storage fault: the evidence for and
// against each, with time and weight, and the conclusion. It is pure, and its results
// are plain data that can be kept from one tick to the next.
package cause

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
)

// A Cause is a cause of a storage fault.
type Cause string

// The causes of storage faults.
const (
	Saturation      Cause = "saturation"       // a storage NIC is full
	UnstableBuffers Cause = "unstable-buffers" // guests change pages while they are received or sent
	BadMemory       Cause = "bad-memory"       // this host's memory or CPU reports errors
	SparseRead      Cause = "sparse-read"      // the kernel's sparse-read state is stale
	OneOSD          Cause = "one-osd"          // one OSD, or the path to it
	OneHost         Cause = "one-osd-host"     // one OSD host, or the path to it
	Wire            Cause = "wire"             // cable, optics or switch port damage frames
	ClusterFull     Cause = "cluster-full"     // writes wait until space is available
	ClusterDown     Cause = "cluster-down"     // the OSDs are down or cannot be reached
	PathMTU         Cause = "path-mtu"         // large segments are lost on the path
	Refused         Cause = "refused"          // the cluster refuses this client
	NoMemory        Cause = "no-memory"        // this host has no memory to receive
	NoOSD           Cause = "no-osd"           // CRUSH returns no OSD
	Lock            Cause = "exclusive-lock"   // another client holds the image's exclusive lock
	Unknown         Cause = "unknown"
)

// order is the order of causes with equal scores.
var order = []Cause{Saturation, UnstableBuffers, SparseRead, OneOSD, OneHost, Wire, BadMemory, NoMemory, Refused, NoOSD, Lock, ClusterFull,
	ClusterDown, PathMTU}

// labels describe each cause in a few words.
var labels = map[Cause]string{
	Saturation:      "NIC saturation",
	UnstableBuffers: "Windows guests without rxbounce",
	BadMemory:       "memory errors of this host",
	SparseRead:      "the kernel's sparse-read bug",
	OneOSD:          "one OSD or the path to it",
	OneHost:         "one OSD host or the path to it",
	Wire:            "corrupted frames on the wire",
	ClusterFull:     "the cluster is full",
	ClusterDown:     "the OSDs are down or unreachable",
	PathMTU:         "large packets lost on the path (MTU)",
	Refused:         "the cluster refuses this client",
	NoMemory:        "no memory on this host to receive",
	NoOSD:           "CRUSH gives no OSD",
	Lock:            "the image's exclusive lock, held by another client",
	Unknown:         "unknown",
}

// String describes the cause in a few words.
func (c Cause) String() string { return labels[c] }

// separates contains, for each cause, the check that distinguishes it from others.
var separates = map[Cause]string{
	Saturation:      "whether a storage NIC was saturated before the first fault",
	UnstableBuffers: "whether the faults stop when the Windows guests' disks are mapped with rxbounce",
	BadMemory:       "whether the memory errors continue, and other programs fail too",
	SparseRead:      "whether the kernel log has the lines of this loop",
	OneOSD:          "whether other nodes lose sessions to the same OSD",
	OneHost:         "whether other nodes lose sessions to the same OSD host",
	Wire:            "whether rx_crc_errors keep rising",
	ClusterFull:     "ceph df",
	ClusterDown:     "ceph -s from another host",
	PathMTU:         "a ping with the largest packet to the OSD hosts",
	Refused:         "ceph auth get of the client's user",
	NoMemory:        "free memory and page allocation failures of this host",
	NoOSD:           "the CRUSH rule of the pool",
	Lock:            "rbd lock ls of the image",
}

// Separates returns the check that distinguishes the cause from others.
func (c Cause) Separates() string { return separates[c] }

// The scores from which causes are concluded.
const (
	enough    = 3 // minimum score of a conclusion
	clearLead = 2 // minimum lead over the next cause
	likely    = 2 // minimum score of a likely cause
)

// Evidence is one fact for or against a cause.
type Evidence struct {
	Source  string
	Subject string
	Fact    string
	At      time.Time
	Weight  int // positive: for; negative: against; 0: for information only
}

// A Candidate is one possible cause with its evidence.
type Candidate struct {
	Cause    Cause
	Evidence []Evidence
}

// Score returns the sum of the weights.
func (c Candidate) Score() int {
	sum := 0
	for _, e := range c.Evidence {
		sum += e.Weight
	}
	return sum
}

// An Analysis weighs the causes of one fault.
type Analysis struct {
	Candidates []Candidate // likeliest first; equal scores in a fixed order
}

// weigh sorts the candidates.
func weigh(all map[Cause][]Evidence) Analysis {
	var a Analysis
	for _, c := range order {
		if len(all[c]) > 0 {
			a.Candidates = append(a.Candidates, Candidate{c, all[c]})
		}
	}
	slices.SortStableFunc(a.Candidates, func(x, y Candidate) int { return cmp.Compare(y.Score(), x.Score()) })
	return a
}

// Concluded returns the cause with a clear lead; Unknown if there is none. Unknowns
// about another cause never prevent a conclusion.
func (a Analysis) Concluded() Cause {
	if len(a.Candidates) == 0 || a.Candidates[0].Score() < enough {
		return Unknown
	}
	if len(a.Candidates) > 1 && a.Candidates[0].Score()-max(a.Candidates[1].Score(), 0) < clearLead {
		return Unknown
	}
	return a.Candidates[0].Cause
}

// Likely returns the likeliest causes: the concluded one, or else at most two.
func (a Analysis) Likely() []Cause {
	if c := a.Concluded(); c != Unknown {
		return []Cause{c}
	}
	var list []Cause
	for _, c := range a.Candidates {
		if len(list) < 2 && c.Score() >= likely {
			list = append(list, c.Cause)
		}
	}
	return list
}

// Supports reports whether a cause is among the likely ones.
func (a Analysis) Supports(c Cause) bool { return slices.Contains(a.Likely(), c) }

// String describes the conclusion as part of a sentence; empty if there is none.
func (a Analysis) String() string {
	list := a.Likely()
	switch {
	case len(list) == 0:
		return ""
	case a.Concluded() != Unknown:
		return "likely cause: " + list[0].String()
	case len(list) == 1:
		return "possible cause: " + list[0].String()
	}
	return "likely cause: " + list[0].String() + " or " + list[1].String()
}

// For returns the evidence for likely causes, and evidence for information only, in
// the order of the causes.
func (a Analysis) For() []Evidence {
	var list []Evidence
	for _, c := range a.Candidates {
		for _, e := range c.Evidence {
			if e.Weight >= 0 {
				list = append(list, e)
			}
		}
	}
	return list
}

// Against returns the evidence against causes.
func (a Analysis) Against() []Evidence {
	var list []Evidence
	for _, c := range a.Candidates {
		for _, e := range c.Evidence {
			if e.Weight < 0 {
				list = append(list, e)
			}
		}
	}
	return list
}

// someNames is the maximum number of OSDs that names lists.
const someNames = 4

func names(list []string) string { return human.Names(list, someNames) }
