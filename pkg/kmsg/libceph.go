package kmsg

import "strings"

// A way is how a line that tells why finds the line that tells what: the lost
// session's line follows its reason within the same call of the messenger.
type way uint8

const (
	noWay   way = iota
	msgr1       // "read_partial_message ... crc", then "bad crc/signature"
	msgr2       // "bad ... crc, calculated", then "integrity error, bad crc"
	connect     // "connect ADDR error -N", then "connect error"
)

// The reasons con_fault gives for a lost session (net/ceph/messenger.c,
// messenger_v1.c, messenger_v2.c), and what mon_client.c and osd_client.c say of
// one. A line that only explains the next is not one of its class as well: it
// would count the session twice.
var sessions = []phrase{
	{"bad crc/signature", CRC, ""},
	{"integrity error, bad crc", CRC, ""},
	{"integrity error, bad preamble auth tag", Integrity, "preamble"},
	{"integrity error, bad control remainder auth tag", Integrity, "control"},
	{"integrity error, bad epilogue auth tag", Integrity, "epilogue"},
	{"integrity error, bad auth signature", Integrity, "signature"},
	{"integrity error", Integrity, ""},
	{"socket error on read", SocketError, "read"},
	{"socket error on write", SocketError, "write"},
	{"read processing error", SocketError, "read processing"},
	{"write processing error", SocketError, "write processing"},
	{"connect error", ConnectError, ""},
	{"io error", ProtocolFault, "io error"},
	{"bad message sequence # for incoming message", ProtocolFault, "sequence"},
	{"protocol error", ProtocolFault, ""},
	{"server is speaking msgr1 protocol", ProtocolFault, "msgr1"},
	{"missing required protocol features", ProtocolFault, "features"},
	{"protocol version mismatch, my", CephOther, ""},
	{"protocol version mismatch", ProtocolFault, "version"},
	{"wrong peer at address", WrongPeer, ""},
	{"connect authorization failure", AuthFault, ""},
	{"bad authorize reply", AuthFault, ""},
	{"error allocating memory for incoming message", NoMemory, ""},
	{"session reset", SessionReset, ""},
	{"connection reset", SessionReset, ""}, // up to 5.10
	{"session lost", MonLost, ""},
	{"session established", MonFound, ""},
}

// What an OSD's state in the map changed to (net/ceph/osdmap.c).
var mapChanges = []phrase{
	{"down", OSDDown, ""},
	{"does not exist", OSDDown, "does not exist"},
	{"up", OSDUp, ""},
	{"weight", OSDWeight, ""},
	{"primary-affinity", OSDWeight, "primary-affinity"},
}

// Lines that name no peer (osd_client.c, osdmap.c, mon_client.c, auth.c, auth_x.c).
var cephLines = []phrase{
	{"FULL or reached pool quota", Full, ""}, // up to 5.10
	{"cluster is full", Full, "cluster"},
	{"corrupt ", MapCorrupt, ""},
	{"got corrupt ", MapCorrupt, ""},
	{"osdc handle_map corrupt", MapCorrupt, ""},
	{"problem decoding monmap", MapCorrupt, ""},
	{"failed to decode MOSDOpReply", MapCorrupt, ""},
	{"failed to allocate bounce page", NoMemory, "bounce page"},
	{"auth method '", AuthFault, ""}, // up to 5.10
	{"auth protocol '", AuthFault, ""},
	{"preferred mode '", AuthFault, ""},
	{"fallback mode '", AuthFault, ""},
	{"no fallback mode", AuthFault, ""},
	{"no secret set", AuthFault, ""},
	{"failed to authenticate server", AuthFault, ""},
	{"global_id changed from", AuthFault, ""},
}

// libceph says what a line of libceph means. Since 6.0 the map changes are marked
// with the cluster and epoch, "libceph (FSID eN): ".
func libceph(text string) (Line, way) {
	body, ok := cephBody(text)
	if !ok {
		return Line{}, noWay
	}
	if peer, rest, ok := cutPeer(body); ok {
		return ofPeer(peer, rest)
	}
	if l, w := why(body); w != noWay {
		return l, w
	}
	if p, ok := lookUp(cephLines, body); ok {
		return Line{Class: p.class, Detail: p.detail, Errno: lastErrno(body)}, noWay
	}
	return numbered(body), noWay
}

// cephBody strips the prefix, and the "[FSID CLIENT]: " that a later kernel may add.
func cephBody(text string) (string, bool) {
	body, ok := strings.CutPrefix(text, "libceph")
	if !ok {
		return "", false
	}
	if after, found := strings.CutPrefix(body, " ("); found {
		_, body, ok = strings.Cut(after, ")")
	}
	body, colon := strings.CutPrefix(body, ":")
	if !ok || !colon {
		return "", false
	}
	body = strings.TrimLeft(body, " ")
	if strings.HasPrefix(body, "[") {
		if head, after, found := strings.Cut(body, "]: "); found && !strings.Contains(head, "]") {
			return after, true
		}
	}
	return body, true
}

// ofPeer says what a line means that begins with a peer, and mostly its address.
func ofPeer(peer, rest string) (Line, way) {
	l := Line{Class: CephOther, Peer: peer}
	addr, reason, ok := cutAddr(rest)
	if !ok || reason != "" && reason[0] != ' ' {
		l.Class, l.Detail = mapChange(peer, rest)
		return l, noWay
	}
	l.Addr = addr
	reason = strings.TrimPrefix(reason, " ")
	if after, ok := strings.CutPrefix(reason, "socket closed"); ok {
		l.Class, l.Detail = closed(after)
		return l, noWay
	}
	p, ok := lookUp(sessions, reason)
	if !ok {
		return l, noWay
	}
	l.Class, l.Detail = p.class, p.detail
	switch p.begins {
	case "bad crc/signature":
		return l, msgr1
	case "integrity error, bad crc":
		return l, msgr2
	case "connect error":
		return l, connect
	}
	return l, noWay
}

// closed tells a working session that the peer closed from any other.
func closed(after string) (Class, string) {
	state, ok := strings.CutPrefix(after, " (con state ")
	if !ok {
		return Closed, ""
	}
	i := 0
	for i < len(state) && i < 32 && (isDigit(state[i]) || 'A' <= state[i] && state[i] <= 'Z' || state[i] == '_') {
		i++
	}
	switch {
	case i == 0 || i == len(state) || state[i] != ')':
		return Closed, ""
	case state[:i] == "OPEN":
		return ClosedOpen, ""
	}
	return Closed, state[:i]
}

// mapChange says what a line of a peer without an address means.
func mapChange(peer, rest string) (Class, string) {
	if strings.HasPrefix(peer, "client") {
		fsid, ok := strings.CutPrefix(rest, "fsid ")
		if !ok {
			return CephOther, ""
		}
		return ClientMade, cutFSID(fsid)
	}
	if p, ok := lookUp(mapChanges, rest); ok && strings.HasPrefix(peer, "osd") && ends(rest[len(p.begins):]) {
		return p.class, p.detail
	}
	return CephOther, ""
}

// cutFSID returns the UUID at the front of s, or nothing.
func cutFSID(s string) string {
	const size = len("00000000-0000-0000-0000-000000000000")
	if len(s) < size || !ends(s[size:]) {
		return ""
	}
	for i := range size {
		if _, hex := hexDigit(s[i]); !hex && s[i] != '-' {
			return ""
		}
	}
	return s[:size]
}
