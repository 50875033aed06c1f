package kmsg

import "strings"

// The parts of a message with a separate checksum. Only data is received into a
// guest's pages: a storm of data errors alone indicates unstable buffers; an error in
// any other part indicates damage in transit.
var crcParts = [...]string{"data", "front", "middle", "control", "preamble"}

// reasonLine classifies the lines with the reason of the lost session that the next
// line names: a CRC failure, or a failed connect.
func reasonLine(body string) (Line, pairing) {
	if after, ok := strings.CutPrefix(body, "read_partial_message "); ok {
		if part := msgr1Part(after); part != "" {
			return Line{Class: crcDetail, Detail: part}, msgr1
		}
		return Line{}, unpaired
	}
	if after, ok := strings.CutPrefix(body, "bad "); ok {
		for _, part := range crcParts {
			if rest, ok := strings.CutPrefix(after, part); ok && strings.HasPrefix(rest, " crc, calculated") {
				return Line{Class: crcDetail, Detail: part}, msgr2
			}
		}
		return Line{}, unpaired
	}
	if after, ok := strings.CutPrefix(body, "connect "); ok {
		if addr, rest, ok := cutAddr(after); ok && strings.HasPrefix(rest, " error ") {
			return Line{Class: connectDetail, Addr: addr, Errno: lastErrno(rest)}, connect
		}
	}
	return Line{}, unpaired
}

// msgr1Part returns the part of a message that failed its check, or an empty string: the
// text is "bad hdr crc N", or a pointer followed by "PART crc N" or "signature check
// failed".
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

// unlisted classifies the lines that begin with a number, a name or the name of the
// function that logs them.
func unlisted(body string) (Line, pairing) {
	if l := ofRequest(body); l.Class != Other {
		return l, unpaired
	}
	if l := noOSD(body); l.Class != Other {
		return l, unpaired
	}
	if after, ok := strings.CutPrefix(body, "pool "); ok {
		if _, rest, ok := cutDigits(after, 20); ok && strings.HasPrefix(rest, " is full") {
			return Line{Class: Full, Detail: "pool"}, unpaired
		}
	}
	if l, w := authLine(body); l.Class != Other {
		return l, w
	}
	if l := sparseRead(body); l.Class != Other {
		return l, explains
	}
	if says, ok := cutFunction(body); ok {
		if l, w := ofFunction(says); l.Class != Other {
			return l, w
		}
	}
	return otherCeph(body), unpaired
}

// noOSD recognizes the messages of calc_target's CRUSH run if it finds no OSD: "error
// -22 from crush rule 3", "pool 5 ruleset 1 type 1 too wide".
func noOSD(body string) Line {
	if after, ok := strings.CutPrefix(body, "error "); ok && strings.Contains(after, " from crush rule ") {
		return Line{Class: NoOSD, Errno: errnoAt(after)}
	}
	if strings.HasPrefix(body, "pool ") && strings.Contains(body, " too wide: size ") {
		return Line{Class: NoOSD}
	}
	return Line{}
}

// authLine recognizes the messages of auth.c about the protocol's outcome: "auth
// protocol 'cephx' mauth authentication failed: -13", "error -5 on auth protocol 2
// init".
func authLine(body string) (Line, pairing) {
	if after, ok := strings.CutPrefix(body, "auth protocol '"); ok {
		l := Line{Class: AuthFault, Detail: "request", Errno: lastErrno(body)}
		_, says, _ := strings.Cut(after, "' ")
		switch {
		case strings.HasPrefix(says, "mauth authentication failed"):
			l.Detail = "monitor"
		case strings.HasPrefix(says, "msgr authentication failed"):
			l.Detail = "monitor"
			return l, explains
		case strings.HasPrefix(says, "authorization to "):
			kind, _, _ := strings.Cut(says[len("authorization to "):], " ")
			l.Detail = entityKind(kind)
			return l, explains
		case strings.HasPrefix(says, "not allowed"):
			l.Detail = "method"
			return l, explains
		}
		return l, unpaired
	}
	if strings.HasPrefix(body, "error -") && strings.Contains(body, " auth ") { // up to 5.10
		return Line{Class: AuthFault, Detail: "request", Errno: errnoAt(body[len("error "):])}, unpaired
	}
	return Line{}, unpaired
}

// entityKind returns s if it is a kind of Ceph entity, otherwise "service".
func entityKind(s string) string {
	for _, kind := range entities {
		if s == kind {
			return kind
		}
	}
	return "service"
}

// sparseRead recognizes the messages of osd_sparse_read and prepare_sparse_read_cont
// about an invalid reply: "[OSD] got 0 extents", "data len N != extent len 0",
// "osd_sparse_read: failed to allocate N extents".
func sparseRead(body string) Line {
	if strings.HasPrefix(body, "[") {
		n, rest, ok := cutDigits(body[1:], 10)
		rest, got := strings.CutPrefix(rest, "] got ")
		_, rest, number := cutDigits(rest, 10)
		if ok && got && number && strings.HasPrefix(rest, " extents") {
			return Line{Class: SparseRead, Peer: "osd" + n}
		}
	}
	for _, says := range [...]string{" != extent len ", "sparse read", "sparse_read", " total_resid "} {
		if strings.Contains(body, says) {
			return Line{Class: SparseRead}
		}
	}
	if strings.Contains(body, ": failed to allocate ") && strings.Contains(body, " extents") {
		return Line{Class: SparseRead}
	}
	return Line{}
}

// ofRequest classifies "tid N ..." and "linger_id N ...".
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

// cutFunction cuts off the name of the C function that logs the line, "get_reply osd7
// ...".
func cutFunction(body string) (says string, ok bool) {
	i := 0
	for i < len(body) && isWord(body[i]) {
		i++
	}
	if i == 0 || i > maxFunction || i == len(body) || body[i] != ' ' {
		return body, false
	}
	return body[i+1:], true
}

// ofFunction classifies a line that begins with a function's name (osd_client.c,
// crypto.c, auth_x.c).
func ofFunction(says string) (Line, pairing) {
	if peer, rest, ok := cutPeer(says); ok {
		l := Line{Class: CephOther, Peer: peer, Errno: lastErrno(rest)}
		if strings.HasPrefix(rest, "tid ") && strings.Contains(rest, " > preallocated ") && strings.Contains(rest, ", skipping") {
			l.Class = ReplyDropped
		}
		return l, unpaired
	}
	switch {
	case strings.HasPrefix(says, "failed to allocate "):
		return Line{Class: NoMemory, Detail: "request"}, unpaired
	case strings.HasPrefix(says, "bad magic"), strings.HasPrefix(says, "plaintext too small "), strings.HasPrefix(says, "got bad padding "):
		return Line{Class: AuthFault, Detail: "crypto"}, explains
	case strings.HasPrefix(says, "encrypt failed: "), strings.HasPrefix(says, "decrypt failed: "),
		strings.HasPrefix(says, "crypt failed: "):
		return Line{Class: AuthFault, Detail: "crypto", Errno: lastErrno(says)}, explains
	}
	return Line{}, unpaired
}

func otherCeph(body string) Line {
	l := Line{Class: CephOther, Errno: lastErrno(body)}
	if rest, ok := strings.CutPrefix(body, "reset on "); ok { // up to 5.10, after "connection reset"
		return withPeer(l, rest)
	}
	return l
}

// withPeer stores in l the peer or address at the front of rest.
func withPeer(l Line, rest string) Line {
	if peer, after, ok := cutPeer(rest); ok {
		l.Peer, rest = peer, after
	}
	if addr, _, ok := cutAddr(rest); ok {
		l.Addr = addr
	}
	return l
}

// cephErrno returns the errno of a line; "corrupt inc osdmap (-22)" has it in brackets.
func cephErrno(body string) int {
	for _, begins := range [...]string{"corrupt full osdmap (", "corrupt inc osdmap ("} {
		if after, ok := strings.CutPrefix(body, begins); ok {
			return errnoAt(after)
		}
	}
	return lastErrno(body)
}
