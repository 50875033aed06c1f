package legacy

import (
	"fmt"
	"slices"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// fullShare is which part of its line rate a NIC carries one way when it is full.
// Counters leave out preamble, gap and checksum, so that 98.4 % is all there is.
const fullShare = 0.9

// bondOf returns the bond of the given name, and whether there is one.
func bondOf(in Input, name string) (bond.Bond, bool) {
	bonds := in.Bonds()
	i := slices.IndexFunc(bonds, func(b bond.Bond) bool { return b.Name == name })
	if i < 0 {
		return bond.Bond{}, false
	}
	return bonds[i], true
}

// slaveText describes a bond's slaves: "2x10G", "10G+25G", "2 slaves".
func slaveText(b bond.Bond) string {
	speed := 0
	for i, s := range b.Slaves {
		if s.Speed == 0 {
			return counted(len(b.Slaves), "slave")
		}
		if i > 0 && s.Speed != speed {
			return mixedSpeeds(b)
		}
		speed = s.Speed
	}
	return fmt.Sprintf("%dx%s", len(b.Slaves), linkSpeed(speed))
}

func mixedSpeeds(b bond.Bond) string {
	text := ""
	for i, s := range b.Slaves {
		if i > 0 {
			text += "+"
		}
		text += linkSpeed(s.Speed)
	}
	return text
}
