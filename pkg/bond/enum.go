package bond

import (
	"slices"
	"strconv"
	"strings"
)

// A spelling lists the names of a kernel enumeration by number, as the kernel and
// iproute2 print them. A number without a name is printed as a number.
type spelling []string

// The enumerations of include/uapi/linux/if_bonding.h and of the bonding driver's
// option tables (drivers/net/bonding/bond_options.c). Note the order of the hash
// policies: 1 is layer3+4, 2 is layer2+3.
var (
	modes = spelling{
		string(BalanceRR), string(ActiveBackup), string(BalanceXOR), string(Broadcast),
		string(LACP), string(BalanceTLB), string(BalanceALB),
	}
	policies = spelling{
		string(Layer2), string(Layer34), string(Layer23),
		string(Encap23), string(Encap34), string(VLANSrcMAC),
	}
	adSelects   = spelling{"stable", "bandwidth", "count", "actor_port_prio"}
	lacpRates   = spelling{"slow", "fast"}
	lacpActives = spelling{"off", "on"}
	slaveStates = spelling{"ACTIVE", "BACKUP"}
	miiStatuses = spelling{"UP", "GOING_DOWN", "DOWN", "GOING_BACK"}
	churns      = spelling{"monitoring", "churned", "none"}
	portBits    = spelling{
		"active", "short_timeout", "aggregating", "in_sync",
		"collecting", "distributing", "defaulted", "expired",
	}
)

// of returns the spelling of n. It is empty for a negative n, which means "unknown".
func (s spelling) of(n int) string {
	if n < 0 {
		return ""
	}
	if n < len(s) {
		return s[n]
	}
	return strconv.Itoa(n)
}

// number is the inverse of of.
func (s spelling) number(text string) (int, bool) {
	if n := slices.Index(s, text); n >= 0 {
		return n, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || s.of(n) != text {
		return 0, false
	}
	return n, true
}

// ModeOf returns the spelling of an IFLA_BOND_MODE.
func ModeOf(n int) Mode { return Mode(modes.of(n)) }

// Number returns the kernel's number of the mode; false for modes that only Open
// vSwitch has.
func (m Mode) Number() (int, bool) { return modes.number(string(m)) }

// PolicyOf returns the spelling of an IFLA_BOND_XMIT_HASH_POLICY.
func PolicyOf(n int) HashPolicy { return HashPolicy(policies.of(n)) }

// Number returns the kernel's number of the policy; false if it has none.
func (p HashPolicy) Number() (int, bool) { return policies.number(string(p)) }

// String lists the set bits as iproute2 names them, separated by commas:
// "active,short_timeout,aggregating". It returns "none" if no bit is set.
func (s PortState) String() string {
	if s == 0 {
		return "none"
	}
	var set []string
	for i, name := range portBits {
		if s&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, ",")
}

// Healthy reports whether the port is in an aggregate and carries frames both ways.
// It ignores the LACP activity and timeout bits.
func (s PortState) Healthy() bool {
	const want = PortAggregating | PortInSync | PortCollecting | PortDistributing
	const never = PortDefaulted | PortExpired
	return s&want == want && s&never == 0
}
