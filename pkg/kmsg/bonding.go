package kmsg

import "strings"

// The messages of a bond about a slave, in the wording of 5.3 and later: "bond0:
// (slave eth0): TEXT" (drivers/net/bonding/bond_main.c, bond_3ad.c).
var slaveLines = []phrase{
	{"link status definitely down", BondSlaveDown, ""},
	{"interface is now down", BondSlaveDown, ""},
	{"backup interface is now down", BondSlaveDown, ""}, // ARP monitor, active-backup
	{"link status definitely up", BondSlaveUp, ""},
	{"interface is now up", BondSlaveUp, ""},
	{"link status ", BondOther, "pending"}, // up or down, but the delay has not passed
	{"making interface the new active one", BondOther, "new active"},
	{"failed to get link speed/duplex", BondOther, "speed"},
	{"speed changed to 0 on port", BondOther, "speed"},
	{"unknown ethtool speed", BondOther, "speed"},
	{"An illegal loopback occurred on ", BondOther, "loopback"},
	{"unbinding aggregator, and could not find a new aggregator", BondOther, "aggregator"},
	{"Warning: Port ", BondOther, "aggregator"}, // followed by: is related to an aggregator that does not have it
	{"Enslaving as ", BondOther, "enslaved"},
	{"Releasing ", BondOther, "released"},
	{"Removing ", BondOther, "released"},
}

// The messages of a bond about itself.
var bondLines = []phrase{
	{"Warning: No 802.3ad response from the link partner", BondNoPartner, ""},
	{"No 802.3ad response from the link partner", BondNoPartner, ""},
	{"now running without any active interface!", BondOther, "no active"},
	{"active interface up!", BondOther, "active"},
	{"first active interface up!", BondOther, "active"},
	{"Released all slaves", BondOther, "released"},
}

// The messages of a 4.19 bond about a slave: the slave's name is in the middle.
var oldSlaveLines = []phrase{
	{"link status definitely down for interface ", BondSlaveDown, ""},
	{"link status definitely up for interface ", BondSlaveUp, ""},
	{"link status down for active interface ", BondOther, "pending"},
	{"link status down for backup interface ", BondOther, "pending"},
	{"link status down for interface ", BondOther, "pending"},
	{"link status up for interface ", BondOther, "pending"},
	{"link status up again after ", BondOther, "pending"},
	{"link status down again after ", BondOther, "pending"},
	{"making interface ", BondOther, "new active"},
	{"failed to get link speed/duplex for ", BondOther, "speed"},
	{"An illegal loopback occurred on adapter (", BondOther, "loopback"},
	{"Enslaving ", BondOther, "enslaved"},
	{"Adding slave ", BondOther, "enslaved"},
	{"Releasing active interface ", BondOther, "released"},
	{"Releasing backup interface ", BondOther, "released"},
	{"Removing slave ", BondOther, "released"},
}

// bonding classifies the line of an interface if that is a bond. Up to 3.x the
// module's name comes first, "bonding: bond0: TEXT".
func bonding(name, says string) Line {
	if name == "bonding" {
		bond, after, ok := strings.Cut(says, ": ")
		if !ok {
			return Line{}
		}
		name, says = bond, after
	}
	bond := strings.TrimSuffix(name, " (unregistering)")
	if !isIface(bond) {
		return Line{}
	}
	if before, rest, ok := strings.Cut(says, ": "); ok && isIface(before) && strings.HasPrefix(rest, "(slave ") {
		says = rest // it names the slave twice
	}
	if after, ok := strings.CutPrefix(says, "(slave "); ok {
		slave, text, ok := strings.Cut(after, "): ")
		if !ok || !isIface(slave) {
			return Line{}
		}
		return ofSlave(bond, slave, text)
	}
	if p, ok := lookUp(bondLines, says); ok {
		return Line{Class: p.class, Device: bond, Detail: p.detail}
	}
	return oldSlave(bond, says)
}

func ofSlave(bond, slave, text string) Line {
	l := Line{Class: BondOther, Device: bond + "/" + slave}
	p, ok := lookUp(slaveLines, text)
	switch {
	case ok:
		l.Class, l.Detail = p.class, p.detail
	case strings.HasPrefix(text, "Port ") && strings.Contains(text, "did not find a suitable aggregator"):
		l.Detail = "aggregator"
	}
	return l
}

// oldSlave classifies a line of 4.19. Other drivers report an Ethernet interface that
// is down in similar words, so only these exact words count.
func oldSlave(bond, says string) Line {
	if after, ok := strings.CutPrefix(strings.TrimPrefix(says, "backup "), "interface "); ok {
		slave, rest, named := cutName(after, maxIface)
		switch {
		case named && strings.HasPrefix(rest, " is now down"):
			return Line{Class: BondSlaveDown, Device: bond + "/" + slave}
		case named && strings.HasPrefix(rest, " is now up"):
			return Line{Class: BondSlaveUp, Device: bond + "/" + slave}
		}
		return Line{}
	}
	p, ok := lookUp(oldSlaveLines, says)
	if !ok {
		return Line{}
	}
	rest := says[len(p.begins):]
	delayed := true
	if strings.HasSuffix(p.begins, " after ") {
		_, rest, _ = cutDigits(rest, 10)
		rest, delayed = strings.CutPrefix(rest, " ms for interface ")
	}
	slave, _, ok := cutName(rest, maxIface)
	if !ok || !delayed {
		return Line{}
	}
	return Line{Class: p.class, Device: bond + "/" + slave, Detail: p.detail}
}
