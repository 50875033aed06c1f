package krbd

import (
	"errors"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// parseStat parses /sys/block/rbdN/stat (Documentation/block/stat.rst): 11 numbers,
// 15 since Linux 4.18 (discards), 17 since 5.5 (flushes); it ignores further ones. It
// returns the number of requests in flight. On an error io is unchanged.
func parseStat(b []byte, io *rbd.IO) (inFlight uint64, err error) {
	var f [17]uint64
	n := 0
	for rest := b; n < len(f); n++ {
		var ok bool
		if f[n], rest, ok = hostfs.Uint(rest); !ok {
			break
		}
	}
	if n != 11 && n != 15 && n != 17 {
		return 0, errors.New("unreadable: stat")
	}
	io.Reads, io.ReadSectors, io.ReadTicks = f[0], f[2], f[3]
	io.Writes, io.WriteSectors, io.WriteTicks = f[4], f[6], f[7]
	io.Ticks = f[9]
	io.Discards, io.Flushes = f[11], f[15]
	return f[8], nil
}

// parseInFlight parses /sys/block/rbdN/inflight: reads and writes.
func parseInFlight(b []byte) (reads, writes uint64, err error) {
	reads, rest, ok1 := hostfs.Uint(b)
	writes, _, ok2 := hostfs.Uint(rest)
	if !ok1 || !ok2 {
		return 0, 0, errors.New("unreadable: inflight")
	}
	return reads, writes, nil
}
