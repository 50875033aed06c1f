package kmsg

import "strings"

// A pairing is how a line with a reason is matched to the line it explains: the
// messenger logs the lost session's line right after its cause, in the same call.
type pairing uint8

const (
	unpaired   pairing = iota
	msgr1              // "read_partial_message ... crc", then "bad crc/signature"
	msgr2              // "bad ... crc, calculated", then "integrity error, bad crc"
	connect            // "connect ADDR error -N", then "connect error"
	processing         // a session lost in "read processing error", "socket error on read" and the like
	explains           // its reason: "invalid sparse extent map", "failed to decode hello"
)

// The reasons that con_fault (net/ceph/messenger.c, messenger_v1.c, messenger_v2.c),
// mon_client.c and osd_client.c report for a lost session. A line that only explains
// the next one does not have its class: it would count the session twice.
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
	{"feature set mismatch", CephDetail, "features"},
	{"protocol feature mismatch", CephDetail, "features"},
	{"protocol version mismatch, my", CephDetail, "version"},
	{"protocol version mismatch", ProtocolFault, "version"},
	{"wrong peer at address", WrongPeer, ""},
	{"connect authorization failure", AuthFault, "authorizer"},
	{"bad authorize reply", AuthFault, "authorizer"},
	{"error allocating memory for incoming message", NoMemory, ""},
	{"session reset", SessionReset, ""},
	{"connection reset", SessionReset, ""}, // up to 5.10
	{"skipping old message", CephDetail, "old message"},
	{"session lost", MonLost, ""},
	{"session established", MonFound, ""},
}

// The new states of an OSD in the map (net/ceph/osdmap.c).
var mapChanges = []phrase{
	{"down", OSDDown, ""},
	{"does not exist", OSDGone, ""},
	{"up", OSDUp, ""},
	{"weight", OSDWeight, ""},
	{"primary-affinity", OSDWeight, "primary-affinity"},
}

// Lines that name no peer (osd_client.c, osdmap.c, mon_client.c, decode.c,
// messenger_v1.c, messenger_v2.c, auth.c).
var cephLines = []phrase{
	{"FULL or reached pool quota", Full, ""}, // up to 5.10
	{"cluster is full", Full, "cluster"},
	{"corrupt full osdmap", MapCorrupt, "osdmap"},
	{"corrupt inc osdmap", MapCorrupt, "osdmap"},
	{"corrupt ", MapCorrupt, "reply"},
	{"got corrupt ", MapCorrupt, "reply"},
	{"osdc handle_map corrupt", MapCorrupt, "osdmap"},
	{"osdc handle_watch_notify corrupt", MapCorrupt, "watch"},
	{"problem decoding monmap", MapCorrupt, "monmap"},
	{"failed to decode MOSDOpReply", MapCorrupt, "reply"},
	{"failed to decode MOSDBackoff", MapCorrupt, "backoff"},
	{"num_ops ", MapCorrupt, "reply"},
	{"sum of lens ", MapCorrupt, "reply"},
	{"no match of type ", MapCorrupt, "addresses"},
	{"bad addrvec marker ", MapCorrupt, "addresses"},
	{"bad fsid, had ", WrongCluster, ""},
	{"no crush rule: ", NoOSD, ""},
	{"msg_new can't create type ", NoMemory, "message"},
	{"failed to allocate error-lwork", NoMemory, "request"},
	{"failed to allocate notify-lwork", NoMemory, "request"},
	{"msgr_init failed to create workqueue", NoMemory, "workqueue"},
	{"bad segment count ", CephDetail, "segment"},
	{"bad control segment length ", CephDetail, "segment"},
	{"bad front segment length ", CephDetail, "segment"},
	{"bad middle segment length ", CephDetail, "segment"},
	{"bad data segment length ", CephDetail, "segment"},
	{"last segment empty", CephDetail, "segment"},
	{"bad late_status ", CephDetail, "late status"},
	{"bad tag ", CephDetail, "tag"},
	{"try_read bad tag ", CephDetail, "tag"},
	{"try_read bad con->in_tag ", CephDetail, "tag"}, // up to 5.10
	{"bad seq ", CephDetail, "sequence"},
	{"read_partial_message bad seq ", CephDetail, "sequence"},
	{"skipping ", CephDetail, "old message"},
	{"connect to ", CephDetail, "banner"},
	{"wrong peer, want ", CephDetail, "peer"},
	{"bad peer addr/nonce, want ", CephDetail, "peer"},
	{"bad peer type, want ", CephDetail, "peer"},
	{"msgr2 feature set mismatch", CephDetail, "features"},
	{"RADOS feature set mismatch", CephDetail, "features"},
	{"ceph_tcp_connect failed: ", CephDetail, "connect"},
	{"crush_decode magic ", CephDetail, "encoding"},
	{"got v ", CephDetail, "encoding"},
	{"got struct_v ", CephDetail, "encoding"},
	{"ceph_object_locator::", CephDetail, "encoding"},
	{"ceph_request_redirect::", CephDetail, "encoding"},
	{"failed to decode auth msg", AuthFault, "request"},
	{"got zero global_id", AuthFault, "global_id"},
	{"global_id changed from", AuthFault, "global_id"},
	{"no secret set", AuthFault, "no key"},
	{"cannot clone key", AuthFault, "no key"},
	{"secret too big ", AuthFault, "no key"},
	{"bad auth protocol ", AuthFault, "method"},
	{"auth method '", AuthFault, "monitor"}, // up to 5.10
}

// Lines that explain a session lost in processing (auth.c, auth_x.c,
// messenger_v1.c, messenger_v2.c, osd_client.c).
var explanations = []phrase{
	{"invalid sparse extent map", SparseRead, ""},
	{"failed to allocate bounce page", NoMemory, "bounce page"},
	{"failed to allocate hmac tfm", CephDetail, "crypto"},
	{"failed to set hmac key", CephDetail, "crypto"},
	{"failed to allocate gcm ", CephDetail, "crypto"},
	{"failed to set gcm ", CephDetail, "crypto"},
	{"con_secret too small ", CephDetail, "crypto"},
	{"bad con_mode ", CephDetail, "crypto"},
	{"connection secret too big ", AuthFault, "crypto"},
	{"failed to decode connection secret", AuthFault, "crypto"},
	{"failed to encrypt authorizer", AuthFault, "crypto"},
	{"failed to decrypt authorize challenge", AuthFault, "crypto"},
	{"failed to decode ", CephDetail, "decode"},
	{"allowed_protos too big ", CephDetail, "decode"},
	{"allowed_modes too big ", CephDetail, "decode"},
	{"prepare_hello failed", CephDetail, "prepare"},
	{"prepare_auth_", CephDetail, "prepare"},
	{"prepare_client_ident ", CephDetail, "prepare"},
	{"prepare_session_reconnect ", CephDetail, "prepare"},
	{"prepare_keepalive2 failed", CephDetail, "prepare"},
	{"prepare_message failed", CephDetail, "prepare"},
	{"prepare_ack failed", CephDetail, "prepare"},
	{"prepare_read_banner_prefix failed", CephDetail, "prepare"},
	{"prepare_banner failed", CephDetail, "prepare"},
	{"authorizer reply too big", AuthFault, "crypto"},
	{"failed to authenticate server", AuthFault, "server"},
	{"preferred mode '", AuthFault, "method"},
	{"fallback mode '", AuthFault, "method"},
	{"no fallback mode", AuthFault, "method"},
}

// libceph classifies a line of libceph. Since 6.0 the map changes are marked with the
// cluster and epoch, "libceph (FSID eN): ".
func libceph(text string) (Line, pairing) {
	body, ok := cephBody(text)
	if !ok {
		return Line{}, unpaired
	}
	if peer, rest, ok := cutPeer(body); ok {
		return parsePeerLine(peer, rest)
	}
	if l, w := reasonLine(body); w != unpaired {
		return l, w
	}
	if p, ok := lookUp(cephLines, body); ok {
		return withPeer(Line{Class: p.class, Detail: p.detail, Errno: cephErrno(body)}, body[len(p.begins):]), unpaired
	}
	if p, ok := lookUp(explanations, body); ok {
		return Line{Class: p.class, Detail: p.detail, Errno: lastErrno(body)}, explains
	}
	return unlisted(body)
}

// cephBody strips the prefix, and the "[FSID CLIENT]: " that a later kernel may add
// after it.
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

// parsePeerLine classifies a line that begins with a peer, usually followed by its
// address.
func parsePeerLine(peer, rest string) (Line, pairing) {
	l := Line{Class: CephOther, Peer: peer}
	addr, reason, ok := cutAddr(rest)
	if !ok || reason != "" && reason[0] != ' ' {
		l.Class, l.Detail = mapChange(peer, rest)
		return l, unpaired
	}
	l.Addr = addr
	reason = strings.TrimPrefix(reason, " ")
	if after, ok := strings.CutPrefix(reason, "socket closed"); ok {
		l.Class, l.Detail = closed(after)
		return l, unpaired
	}
	p, ok := lookUp(sessions, reason)
	if !ok {
		return l, unpaired
	}
	l.Class, l.Detail = p.class, p.detail
	switch p.begins {
	case "bad crc/signature":
		return l, msgr1
	case "integrity error, bad crc":
		return l, msgr2
	case "connect error":
		return l, connect
	case "read processing error", "write processing error", "socket error on read", "socket error on write", "io error":
		return l, processing
	}
	return l, unpaired
}

// closed distinguishes an established session that the peer closed from any other.
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

// mapChange classifies a line of a peer without an address.
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

// cutFSID returns the UUID at the front of s, or an empty string.
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
