package libvirt

import (
	"encoding/binary"
	"fmt"
)

// The calls in use, by their numbers in src/remote/remote_protocol.x.
const (
	connectOpen  = 1
	getXMLDesc   = 14
	authList     = 66
	authPolkit   = 70
	listDomains  = 273
	getAllStats  = 344
	domainsMax   = 4096 // REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX
	paramsMax    = 4096 // REMOTE_DOMAIN_STATS_PARAMS_MAX
	statusOK     = 0
	statusError  = 1
	authTypesMax = 64
)

// checkReply checks that no count and no length in a reply exceeds the reply's size,
// so that decoding it takes no more memory than the reply.
func checkReply(procedure, status uint32, payload []byte) error {
	x := xdr{rest: payload}
	switch {
	case status == statusError:
		x.skip(12) // code, domain, presence of a message
		x.text()
	case status != statusOK:
		return fmt.Errorf("%w: status %d", errVirtWire, status)
	case procedure == connectOpen, procedure == authPolkit:
	case procedure == eventRegister:
		x.skip(4) // the callback's ID
	case procedure == authList:
		x.skip(4 * x.count(authTypesMax))
	case procedure == getXMLDesc:
		x.text()
	case procedure == listDomains:
		for range x.count(domainsMax) {
			x.domain()
		}
	case procedure == getAllStats:
		x.stats()
	default:
		return fmt.Errorf("%w: a reply to procedure %d", errVirtWire, procedure)
	}
	if x.short {
		return fmt.Errorf("%w: a reply that is shorter than it declares", errVirtWire)
	}
	return nil
}

// An xdr walks over XDR (RFC 4506) without decoding it.
type xdr struct {
	rest  []byte
	short bool // the data ended too early, or a count was too large
}

func (x *xdr) skip(n int) {
	if x.short = x.short || n < 0 || n > len(x.rest); x.short {
		x.rest = nil
		return
	}
	x.rest = x.rest[n:]
}

// number reads an unsigned integer. It returns 0 at the end.
func (x *xdr) number() uint32 {
	var n uint32
	if len(x.rest) >= 4 {
		n = binary.BigEndian.Uint32(x.rest)
	}
	x.skip(4)
	return n
}

// count reads the number of elements that follow; each takes at least 4 bytes.
func (x *xdr) count(limit int) int {
	n := x.number()
	if int64(n) > int64(limit) || int64(n)*4 > int64(len(x.rest)) {
		x.short = true
		return 0
	}
	return int(n)
}

// text skips a string, padded to a multiple of 4 bytes.
func (x *xdr) text() {
	n := int64(x.number())
	if n > int64(len(x.rest)) {
		x.short = true
		return
	}
	x.skip(int(n+3) &^ 3)
}

// domain skips a remote_nonnull_domain: name, UUID, ID.
func (x *xdr) domain() {
	x.text()
	x.skip(16 + 4)
}

// stats skips the records of all domains, each a domain and its typed parameters.
func (x *xdr) stats() {
	for range x.count(domainsMax) {
		x.domain()
		for range x.count(paramsMax) {
			x.text()
			switch x.number() {
			case 1, 2, 6: // int, unsigned int, boolean
				x.skip(4)
			case 3, 4, 5: // long long, unsigned long long, double
				x.skip(8)
			case 7:
				x.text()
			default:
				x.short = true
			}
		}
		if x.short {
			return
		}
	}
}
