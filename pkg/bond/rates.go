package bond

import "time"

// Rates are the traffic of a link between two readings of its Counters, per second.
type Rates struct {
	RxBits    float64 `json:"rx_bits"` // bit/s without preamble, gap and FCS: the ceiling is about 98.4 % of line rate at MTU 1500
	TxBits    float64 `json:"tx_bits"`
	RxPackets float64 `json:"rx_packets"`
	TxPackets float64 `json:"tx_packets"`
	Overload  float64 `json:"overload"` // lower bound of the frames dropped (buffers exhausted)
	RxCRC     float64 `json:"rx_crc"`   // frames damaged in transit
	TxDropped float64 `json:"tx_dropped"`
}

// The highest plausible rate of any link. A higher rate is a counter error, not
// traffic.
const (
	fastest       = 2e12             // bit/s
	fastestFrames = fastest / 8 / 64 // frames/s, of the smallest Ethernet frame
	slack         = 1.1              // allowed excess over the link's speed, as readings are never exact
	wrap32        = uint64(1) << 32  // where a 32-bit counter wraps
	frameBits     = 8 * (64 + 20)    // bits on the wire of the smallest frame, with preamble and gap
)

// Between returns the rates between two readings of the same link that are d apart. It
// returns false and no rates if they are unknown: no time passed, the ifindex differs,
// or a counter went down (driver reload, replaced NIC) or rose faster than any link
// can.
//
// A 32-bit counter wraps to zero, at 10 Gbit/s every 3.4 s. A byte or packet counter
// that went down is treated as wrapped only if nothing else explains it: the link's
// speed is known and allows just one wrap in that time, both readings fit into 32
// bits, the rate is possible, and the direction's other counter rose. A reset lowers
// both.
func Between(before, after Counters, d time.Duration) (Rates, bool) {
	s := d.Seconds()
	if s <= 0 || before.Index != after.Index {
		return Rates{}, false
	}
	bits := float64(max(before.Speed, after.Speed)) * 1e6 * slack * s
	rxBytes, rxPackets, okRx := traffic(before.RxBytes, after.RxBytes, before.RxPackets, after.RxPackets, bits)
	txBytes, txPackets, okTx := traffic(before.TxBytes, after.TxBytes, before.TxPackets, after.TxPackets, bits)
	missed, ok1 := rise(before.RxMissed, after.RxMissed)
	fifo, ok2 := rise(before.RxFIFO, after.RxFIFO)
	over, ok3 := rise(before.RxOver, after.RxOver)
	crc, ok4 := rise(before.RxCRC, after.RxCRC)
	dropped, ok5 := rise(before.TxDropped, after.TxDropped)
	if !okRx || !okTx || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return Rates{}, false
	}
	r := Rates{
		RxBits:    8 * rxBytes / s,
		TxBits:    8 * txBytes / s,
		RxPackets: rxPackets / s,
		TxPackets: txPackets / s,
		Overload:  max(missed, fifo, over) / s, // many drivers count one frame in both of these
		RxCRC:     crc / s,
		TxDropped: dropped / s,
	}
	frames := max(r.RxPackets, r.TxPackets, r.Overload, r.RxCRC, r.TxDropped)
	if max(r.RxBits, r.TxBits) > fastest || frames > fastestFrames {
		return Rates{}, false
	}
	return r, true
}

// rise returns how far a counter rose; false if it went down.
func rise(before, after uint64) (float64, bool) {
	return float64(after - before), after >= before
}

// traffic returns how far one direction's byte and packet counters rose. bits is what
// the link could carry in the time; 0 if its speed is unknown.
func traffic(bytes0, bytes1, packets0, packets1 uint64, bits float64) (bytes, packets float64, ok bool) {
	bytes, okBytes := rise(bytes0, bytes1)
	packets, okPackets := rise(packets0, packets1)
	switch {
	case !okBytes && okPackets:
		bytes, okBytes = wrapped(bytes0, bytes1, bits/8)
	case okBytes && !okPackets:
		packets, okPackets = wrapped(packets0, packets1, bits/frameBits)
	}
	return bytes, packets, okBytes && okPackets
}

// wrapped returns how far a 32-bit counter rose that wrapped once. It returns false
// if the counter may have wrapped not at all or cannot have risen so far. most is the
// most it can rise.
func wrapped(before, after uint64, most float64) (float64, bool) {
	if before >= wrap32 || after >= wrap32 || most >= float64(wrap32) {
		return 0, false
	}
	by := float64(after + wrap32 - before)
	return by, by <= most
}
