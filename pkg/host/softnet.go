package host

import (
	"bytes"
	"fmt"
	"strconv"
)

// parseSoftnet sums /proc/net/softnet_stat (net/core/net-procfs.c): one line per
// online CPU, with columns of 32-bit hexadecimal numbers. The second is dropped, the
// third time_squeeze; the number of columns depends on the kernel (13 in 5.10, 15 in
// 6.1).
func parseSoftnet(b []byte) (Softnet, error) {
	var sum Softnet
	for line := range bytes.Lines(b) {
		words := bytes.Fields(line)
		if len(words) < 3 {
			return Softnet{}, fmt.Errorf("%d columns in %.40q", len(words), line)
		}
		dropped, err := strconv.ParseUint(string(words[1]), 16, 32)
		if err != nil {
			return Softnet{}, fmt.Errorf("bad count of drops: %w", err)
		}
		squeezed, err := strconv.ParseUint(string(words[2]), 16, 32)
		if err != nil {
			return Softnet{}, fmt.Errorf("bad count of squeezes: %w", err)
		}
		sum.Dropped += dropped
		sum.Squeezed += squeezed
	}
	return sum, nil
}
