package kmsg

import "strings"

// The parts of a message that carry a checksum of their own. Only data is ever
// received into a guest's pages: a storm of data alone speaks of unstable
// buffers, any other part of damage on the way.
var crcParts = [...]string{"data", "front", "middle", "control", "preamble"}

// why recognizes the lines that give the reason of the lost session that the
// next line names: of a CRC failure, or of a connect that failed.
func why(body string) (Line, way) {
	if after, ok := strings.CutPrefix(body, "read_partial_message "); ok {
		if part := msgr1Part(after); part != "" {
			return Line{Class: crcDetail, Detail: part}, msgr1
		}
		return Line{}, noWay
	}
	if after, ok := strings.CutPrefix(body, "bad "); ok {
		for _, part := range crcParts {
			if rest, ok := strings.CutPrefix(after, part); ok && strings.HasPrefix(rest, " crc, calculated") {
				return Line{Class: crcDetail, Detail: part}, msgr2
			}
		}
		return Line{}, noWay
	}
	if after, ok := strings.CutPrefix(body, "connect "); ok {
		if addr, rest, ok := cutAddr(after); ok && strings.HasPrefix(rest, " error ") {
			return Line{Class: connectDetail, Addr: addr, Errno: lastErrno(rest)}, connect
		}
	}
	return Line{}, noWay
}

// msgr1Part returns the part of a message that failed its check, or nothing: the
// text is "bad hdr crc N", or a pointer and then "PART crc N" or "signature check failed".
func msgr1Part(s string) string {
	if strings.HasPrefix(s, "bad hdr crc ") {
		return "header"
	}
	_, after, ok := strings.Cut(s, " ")
	if !ok {
		return ""
	}
	if strings.HasPrefix(after, "signature check failed") {
		return "signature"
	}
	for _, part := range crcParts[:3] {
		if rest, ok := strings.CutPrefix(after, part); ok && strings.HasPrefix(rest, " crc ") {
			return part
		}
	}
	return ""
}

// numbered says what the lines mean that begin with, or turn on, a number.
func numbered(body string) Line {
	if l := ofRequest(body); l.Class != Other {
		return l
	}
	if after, ok := strings.CutPrefix(body, "pool "); ok {
		if _, rest, ok := cutDigits(after, 20); ok && strings.HasPrefix(rest, " is full") {
			return Line{Class: Full, Detail: "pool"}
		}
	}
	if strings.HasPrefix(body, "error -") && strings.Contains(body, " auth ") { // up to 5.10
		return Line{Class: AuthFault, Errno: errnoAt(body[len("error "):])}
	}
	if l := sparseRead(body); l.Class != Other {
		return l
	}
	return otherCeph(body)
}

// sparseRead recognizes what osd_sparse_read says of a reply it cannot follow:
// "[OSD] got 0 extents", "data len N != extent len 0".
func sparseRead(body string) Line {
	if strings.HasPrefix(body, "[") {
		n, rest, ok := cutDigits(body[1:], 10)
		rest, got := strings.CutPrefix(rest, "] got ")
		_, rest, number := cutDigits(rest, 10)
		if ok && got && number && strings.HasPrefix(rest, " extents") {
			return Line{Class: SparseRead, Peer: "osd" + n}
		}
	}
	if strings.Contains(body, " != extent len ") || strings.Contains(body, "sparse read") || strings.Contains(body, "sparse_read") {
		return Line{Class: SparseRead}
	}
	return Line{}
}

// ofRequest says what "tid N ..." and "linger_id N ..." mean.
func ofRequest(body string) Line {
	if !strings.HasPrefix(body, "tid ") && !strings.HasPrefix(body, "linger_id ") {
		return Line{}
	}
	_, rest, _ := strings.Cut(body, " ")
	_, rest, ok := cutDigits(rest, 20)
	switch {
	case !ok:
	case strings.HasPrefix(rest, " pool does not exist"):
		return Line{Class: PoolGone}
	case strings.HasPrefix(rest, " on osd"):
		if peer, after, ok := cutPeer(rest[len(" on "):]); ok && strings.HasPrefix(after, "timeout") {
			return Line{Class: Timeout, Peer: peer}
		}
	}
	return Line{}
}

// What comes before the peer or address in lines of no class of their own.
var beforePeer = [...]string{"skipping ", "reset on ", "connect to ", "wrong peer, want ", "bad peer addr/nonce, want "}

func otherCeph(body string) Line {
	l := Line{Class: CephOther, Errno: lastErrno(body)}
	for _, begins := range beforePeer {
		rest, ok := strings.CutPrefix(body, begins)
		if !ok {
			continue
		}
		if peer, after, ok := cutPeer(rest); ok {
			l.Peer, rest = peer, after
		}
		if addr, _, ok := cutAddr(rest); ok {
			l.Addr = addr
		}
	}
	return l
}
