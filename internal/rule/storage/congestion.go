package storage

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// congestionLimits define when a saturated storage NIC affects krbd. Two rules have
// them, each with its own values.
type congestionLimits struct {
	Full          float64       `json:"full" doc:"share of a slave's line rate, in one direction, at which it counts as saturated" min:"0.5" max:"0.98"`
	FullFor       time.Duration `json:"full_for" doc:"how long a slave is saturated before it counts" min:"2s" max:"60s"`
	LatencyFactor float64       `json:"latency_factor" doc:"multiple of its baseline latency at which a krbd disk counts as slow" min:"1.5" max:"100"`
	Latency       time.Duration `json:"latency" doc:"latency below which a krbd disk never counts as slow" min:"1ms" max:"10s"`
	SlowShare     float64       `json:"slow_share" doc:"share of the krbd disks behind it that must be slow; at least two, unless there is only one" min:"0.01" max:"1"`
	Drops         time.Duration `json:"drops" doc:"how long a slave must drop frames (buffers exhausted) to count" min:"2s" max:"60s"`
	DropRate      float64       `json:"drop_rate" doc:"dropped frames per second needed to count; a few follow any burst" min:"1" max:"1000000"`
	Faults        int           `json:"faults" doc:"lost sessions to one OSD within a minute needed to count; one CRC fault is enough" min:"1" max:"1000"`
}

func newCongestionLimits() *congestionLimits {
	return &congestionLimits{Full: node.FullShare, FullFor: 5 * time.Second, LatencyFactor: 10, Latency: 50 * time.Millisecond,
		SlowShare: 0.25, Drops: 5 * time.Second, DropRate: 1000, Faults: 2}
}

// longStall is the duration from which a disk on a saturated NIC counts as stalled
// and not only as slow.
const longStall = 10 * time.Second

// A saturation is a full slave with the evidence that krbd is affected.
type saturation struct {
	nic   *facts.NIC
	load  facts.Load
	hits  rule.Hits // the krbd devices that are slow or stalled
	signs []report.Evidence
	rests []string
}

// saturated returns the slave that has been full for long enough while the krbd devices
// that use it are affected.
func (l *congestionLimits) saturated(in rule.Input, nics []*facts.NIC, behind map[string]bool) saturation {
	for _, n := range nics {
		for _, direction := range []string{"rx", "tx"} {
			load := n.FullAt(direction, l.Full)
			if !load.Full || n.At.Sub(load.Since) < l.FullFor {
				continue
			}
			s := saturation{nic: n, load: load, rests: []string{node.SourceNIC}}
			l.slowDisks(in, behind, &s)
			l.dropping(in, n, &s)
			l.losing(in, &s)
			if len(s.signs) > 0 {
				return s
			}
		}
	}
	return saturation{}
}

// congested reports whether a slave of the bond is full or drops frames.
func (l *congestionLimits) congested(in rule.Input, carrier string) bool {
	for _, n := range in.NICsOf(carrier) {
		_, drops := in.Dropping(n)
		if drops || n.FullAt("rx", l.Full).Full || n.FullAt("tx", l.Full).Full {
			return true
		}
	}
	return false
}

func (l *congestionLimits) slowDisks(in rule.Input, behind map[string]bool, s *saturation) {
	slow := in.SlowDisks(facts.SlowLimits{Factor: l.LatencyFactor, Floor: l.Latency, Ceiling: facts.DefaultSlow.Ceiling})
	slow = slices.DeleteFunc(slow, func(d *facts.Latency) bool { return !behind[d.Device] })
	if len(slow) < min(2, len(behind)) || float64(len(slow)) < l.SlowShare*float64(len(behind)) {
		return
	}
	for _, d := range slow {
		if d.Disk.StalledFor() < longStall {
			s.hits.Slow = append(s.hits.Slow, d.Device)
			continue
		}
		s.hits.Stalled = append(s.hits.Stalled, d.Device)
		if s.hits.Since.IsZero() || d.Disk.LastProgress.Before(s.hits.Since) {
			s.hits.Since = d.Disk.LastProgress
		}
	}
	s.signs = append(s.signs, rule.FactAt(node.SourceIO, "", slowText(in, slow, len(behind)), slow[0].Disk.At))
	s.rests = append(s.rests, node.SourceIO)
}

func (l *congestionLimits) dropping(in rule.Input, n *facts.NIC, s *saturation) {
	if d, is := in.Dropping(n); is && d.Rate >= l.DropRate && in.Now.Sub(d.Since) >= l.Drops {
		s.signs = append(s.signs, rule.FactAt(d.Source, n.Name,
			fmt.Sprintf("%s has been dropping frames (receive buffers exhausted) since %s, now %s", n.Label, human.Clock(d.Since),
				human.Rate(d.Rate, "frame")), n.At))
		s.rests = append(s.rests, d.Source)
	}
}

func (l *congestionLimits) losing(in rule.Input, s *saturation) {
	losses := in.SessionLosses(time.Minute)
	var osds []*facts.OSDLosses
	for i := range losses.OSDs {
		if o := losses.OSDs[i]; o.Broken() > 0 || o.Ended() >= uint64(l.Faults) {
			osds = append(osds, o)
		}
	}
	if len(osds) > 0 {
		s.signs = append(s.signs, lossEvidence(losses, osds)...)
		s.rests = append(s.rests, node.SourceKmsg)
	}
}
