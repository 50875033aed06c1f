package rbd

import (
	"encoding/binary"
	"fmt"
)

// The calls that are made, by their numbers in src/remote/remote_protocol.x.
const (
	virtConnectOpen  = 1
	virtGetXMLDesc   = 14
	virtAuthList     = 66
	virtAuthPolkit   = 70
	virtListDomains  = 273
	virtGetAllStats  = 344
	virtDomainsMax   = 4096 // REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX
	virtParamsMax    = 4096 // REMOTE_DOMAIN_STATS_PARAMS_MAX
	virtStatusOK     = 0
	virtStatusError  = 1
	virtAuthTypesMax = 64
)

// virtCheckReply makes sure that no count and no length in an answer is more than
// the answer holds, so that decoding it takes no more memory than it does.
func virtCheckReply(procedure, status uint32, payload []byte) error {
	x := virtXDR{rest: payload}
	switch {
	case status == virtStatusError:
		x.skip(12) // code, domain, whether there is a message
		x.text()
	case status != virtStatusOK:
		return fmt.Errorf("%w: status %d", errVirtWire, status)
	case procedure == virtConnectOpen, procedure == virtAuthPolkit:
	case procedure == virtEventRegister:
		x.skip(4) // the callback's ID
	case procedure == virtAuthList:
		x.skip(4 * x.count(virtAuthTypesMax))
	case procedure == virtGetXMLDesc:
		x.text()
	case procedure == virtListDomains:
		for range x.count(virtDomainsMax) {
			x.domain()
		}
	case procedure == virtGetAllStats:
		x.stats()
	default:
		return fmt.Errorf("%w: an answer to procedure %d", errVirtWire, procedure)
	}
	if x.short {
		return fmt.Errorf("%w: an answer that holds less than it says", errVirtWire)
	}
	return nil
}

// A virtXDR walks over XDR (RFC 4506) without decoding it.
type virtXDR struct {
	rest  []byte
	short bool // it ended too early, or a count was too large
}

func (x *virtXDR) skip(n int) {
	if x.short = x.short || n < 0 || n > len(x.rest); x.short {
		x.rest = nil
		return
	}
	x.rest = x.rest[n:]
}

// number reads an unsigned integer; 0 at the end.
func (x *virtXDR) number() uint32 {
	var n uint32
	if len(x.rest) >= 4 {
		n = binary.BigEndian.Uint32(x.rest)
	}
	x.skip(4)
	return n
}

// count reads how many elements follow; each takes 4 bytes or more.
func (x *virtXDR) count(limit int) int {
	n := x.number()
	if int64(n) > int64(limit) || int64(n)*4 > int64(len(x.rest)) {
		x.short = true
		return 0
	}
	return int(n)
}

// text skips a string, padded to a multiple of 4 bytes.
func (x *virtXDR) text() {
	n := int64(x.number())
	if n > int64(len(x.rest)) {
		x.short = true
		return
	}
	x.skip(int(n+3) &^ 3)
}

// domain skips a remote_nonnull_domain: name, UUID, ID.
func (x *virtXDR) domain() {
	x.text()
	x.skip(16 + 4)
}

// stats skips the records of all domains, each a domain and its typed parameters.
func (x *virtXDR) stats() {
	for range x.count(virtDomainsMax) {
		x.domain()
		for range x.count(virtParamsMax) {
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
