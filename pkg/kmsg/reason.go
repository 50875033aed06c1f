package kmsg

// A Reason is why a session with a Ceph daemon ended or was refused.
type Reason string

// The reasons for the end of an established session. In-flight requests are resent.
const (
	ReasonCRC        Reason = "crc"         // a checksum failed on receive
	ReasonAuthTag    Reason = "auth-tag"    // an authentication tag or message signature failed
	ReasonClosed     Reason = "closed"      // the peer closed it: it is down, restarted, or received damaged data
	ReasonSocket     Reason = "socket"      // TCP failed (reset, timeout, unreachable), or msgr2's processing did
	ReasonProtocol   Reason = "protocol"    // an invalid message
	ReasonSequence   Reason = "sequence"    // a message is missing
	ReasonSparseRead Reason = "sparse-read" // an invalid sparse-read reply
	ReasonMemory     Reason = "memory"      // no memory to receive
	ReasonReset      Reason = "reset"       // the peer no longer has the session
)

// The reasons for a session that was not established.
const (
	ReasonConnect        Reason = "connect"        // connect() failed
	ReasonClosedEarly    Reason = "closed-early"   // the peer closed it before it was open
	ReasonAuthentication Reason = "authentication" // cephx: key, caps, ticket or clock
	ReasonFeatures       Reason = "features"       // this kernel or the peer lacks a required feature
	ReasonVersion        Reason = "version"        // msgr1 where msgr2 is required, or another protocol version
	ReasonWrongPeer      Reason = "wrong-peer"     // another daemon uses the address
)

// Refused reports whether the session was not established.
func (r Reason) Refused() bool {
	switch r {
	case ReasonConnect, ReasonClosedEarly, ReasonAuthentication, ReasonFeatures, ReasonVersion, ReasonWrongPeer:
		return true
	}
	return false
}

// SessionReason returns why a line of this class and detail ended or refused a
// session, or an empty Reason if it did neither. Each session that ends or is refused
// has one such line, which names the peer: lines that only explain it have no reason.
func SessionReason(class Class, detail string) Reason {
	switch class {
	case CRC:
		if detail == "signature" {
			return ReasonAuthTag
		}
		return ReasonCRC
	case Integrity:
		return ReasonAuthTag
	case ClosedOpen:
		return ReasonClosed
	case Closed:
		return ReasonClosedEarly
	case ConnectError:
		return ReasonConnect
	case SessionReset:
		return ReasonReset
	case WrongPeer:
		return ReasonWrongPeer
	case SocketError, ProtocolFault:
		return lossReason(class, detail)
	case AuthFault:
		if detail == "authorizer" {
			return ReasonAuthentication
		}
	case NoMemory:
		if detail == "" {
			return ReasonMemory
		}
	}
	return ""
}

// lossReason returns the reason for lines whose class does not determine it.
func lossReason(class Class, detail string) Reason {
	switch detail {
	case "sparse read":
		return ReasonSparseRead
	case "authentication":
		return ReasonAuthentication
	case "memory":
		return ReasonMemory
	case "sequence":
		return ReasonSequence
	case "features":
		return ReasonFeatures
	case "msgr1", "version":
		return ReasonVersion
	case "read", "write", "read processing", "write processing", "":
		if class == SocketError {
			return ReasonSocket
		}
	}
	return ReasonProtocol
}
