package node

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// SawDrops is a reading of the drivers' own drop counters (ethtool -S).
type SawDrops struct{ Reading[[]bond.Drops] }

// Apply implements Observation. It must follow the counters of the same NICs:
// drops of a NIC that is not watched are left out.
func (o SawDrops) Apply(s Snapshot) Snapshot {
	s = s.heard(SourceDrops, o.At, o.Every, o.after(Reading[[]bond.Drops]{Err: s.sourceErr(SourceDrops)}).Err)
	if o.Err != nil {
		return s
	}
	s.NICs = slices.Clone(s.NICs)
	for i := range s.NICs {
		for _, d := range o.Value {
			if d.Name == s.NICs[i].Name {
				s.NICs[i] = s.NICs[i].dropped(d, o.Reading)
			}
		}
	}
	return s
}

// dropped returns the NIC once its driver's drop counters have been read.
func (n NIC) dropped(d bond.Drops, r Reading[[]bond.Drops]) NIC {
	rate := 0.0
	seconds := r.At.Sub(n.DropsAt).Seconds()
	if !n.DropsAt.IsZero() && seconds > 0 && d.Index == n.Drops.Index {
		if before, after := overload(n.Drops), overload(d); after >= before {
			rate = float64(after-before) / seconds
		}
	}
	switch {
	case rate == 0:
		n.DropSince = time.Time{}
	case n.DropSince.IsZero():
		n.DropSince = n.DropsAt
	}
	n.Drops, n.DropRate, n.DropsAt = d, rate, r.At
	return n
}

// overload sums what the driver dropped for lack of buffers. Pause frames are
// counted beside it but are no drops.
func overload(d bond.Drops) uint64 {
	var sum uint64
	for name, n := range d.Counts {
		if !strings.Contains(name, "pause") && !strings.Contains(name, "xon") && !strings.Contains(name, "xoff") {
			sum += n
		}
	}
	return sum
}
