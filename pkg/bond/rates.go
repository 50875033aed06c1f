package bond

import "time"

// Rates are what a link carried between two readings of its Counters, per second.
type Rates struct {
	RxBits    float64 `json:"rx_bits"` // bit/s without preamble, gap and FCS: about 98.4 % of line rate is the ceiling at MTU 1500
	TxBits    float64 `json:"tx_bits"`
	RxPackets float64 `json:"rx_packets"`
	TxPackets float64 `json:"tx_packets"`
	Overload  float64 `json:"overload"` // frames dropped for lack of buffers
	RxCRC     float64 `json:"rx_crc"`   // frames damaged on the wire
	TxDropped float64 `json:"tx_dropped"`
}

// fastest is the most any link is believed to carry, in bit/s. A higher rate is
// an absurd counter, not traffic.
const fastest = 2e12

// Between returns the rates between two readings of the same link that are d
// apart. It returns false, and no rates, when they cannot be told: no time
// passed, the ifindex differs, a counter went down (driver reload, replaced NIC)
// or rose faster than any link can.
func Between(before, after Counters, d time.Duration) (Rates, bool) {
	s := d.Seconds()
	if s <= 0 || before.Index != after.Index {
		return Rates{}, false
	}
	ok := true
	per := func(a, b uint64) float64 {
		if b < a {
			ok = false
			return 0
		}
		return float64(b-a) / s
	}
	r := Rates{
		RxBits:    8 * per(before.RxBytes, after.RxBytes),
		TxBits:    8 * per(before.TxBytes, after.TxBytes),
		RxPackets: per(before.RxPackets, after.RxPackets),
		TxPackets: per(before.TxPackets, after.TxPackets),
		Overload:  per(before.Overload(), after.Overload()),
		RxCRC:     per(before.RxCRC, after.RxCRC),
		TxDropped: per(before.TxDropped, after.TxDropped),
	}
	if !ok || r.RxBits > fastest || r.TxBits > fastest {
		return Rates{}, false
	}
	return r, true
}
