package node

import (
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// SawDrops is a reading of the drivers' own drop counters (ethtool -S).
type SawDrops struct{ Reading[[]bond.Drops] }

// Apply implements Observation. It must follow the counters of the same NICs:
// drops of a NIC that is not watched are left out.
func (o SawDrops) Apply(s Snapshot) Snapshot {
	s = s.recordReading(SourceDrops, o.At, o.Every, o.after(Reading[[]bond.Drops]{Err: s.sourceErr(SourceDrops)}).Err)
	if o.Err != nil {
		return s
	}
	s.NICs = slices.Clone(s.NICs)
	for i := range s.NICs {
		at := slices.IndexFunc(o.Value, func(d bond.Drops) bool { return d.Name == s.NICs[i].Name })
		if at < 0 {
			s.NICs[i].Drops, s.NICs[i].DropRate, s.NICs[i].DropsAt, s.NICs[i].DropSince = bond.Drops{}, 0, time.Time{}, time.Time{}
			continue
		}
		s.NICs[i] = s.NICs[i].dropped(o.Value[at], o.At)
	}
	return s
}

// dropped returns the NIC after a reading of its driver's drop counters.
func (n NIC) dropped(d bond.Drops, at time.Time) NIC {
	rate := 0.0
	seconds := at.Sub(n.DropsAt).Seconds()
	if !n.DropsAt.IsZero() && seconds > 0 && d.Index == n.Drops.Index {
		rate = float64(dropped(n.Drops, d)) / seconds
	}
	switch {
	case rate == 0:
		n.DropSince = time.Time{}
	case n.DropSince.IsZero():
		n.DropSince = n.DropsAt
	}
	n.Drops, n.DropRate, n.DropsAt = d, rate, at
	return n
}

// dropped returns the number of frames that the driver dropped (buffers exhausted)
// between two readings. It uses the counter that rose most, because drivers count one
// frame under several names. A counter that went down has been reset and is ignored.
func dropped(before, after bond.Drops) uint64 {
	var most uint64
	for name, n := range after.Counts {
		if old, known := before.Counts[name]; known && n > old && !bond.Pause(name) {
			most = max(most, n-old)
		}
	}
	return most
}
