package guest

import "github.com/nodewatch/nodewatch/pkg/rbd"

// Limits returns nil for a throttle that limits nothing.
func Limits(t rbd.Throttle) *rbd.Throttle {
	if t == (rbd.Throttle{}) {
		return nil
	}
	return &t
}

// Tighter returns the tighter of two throttles on one disk, limit by limit.
func Tighter(a, b rbd.Throttle) rbd.Throttle {
	low := func(x, y uint64) uint64 {
		if x == 0 || y != 0 && y < x {
			return y
		}
		return x
	}
	return rbd.Throttle{
		BytesPerSec: low(a.BytesPerSec, b.BytesPerSec), ReadBytesPerSec: low(a.ReadBytesPerSec, b.ReadBytesPerSec),
		WriteBytesPerSec: low(a.WriteBytesPerSec, b.WriteBytesPerSec), IOPS: low(a.IOPS, b.IOPS),
		ReadIOPS: low(a.ReadIOPS, b.ReadIOPS), WriteIOPS: low(a.WriteIOPS, b.WriteIOPS),
	}
}
