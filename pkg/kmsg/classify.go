package kmsg

import "strings"

// classify returns the meaning of a record's text, and how it pairs with its neighbours.
// It covers the kernel's wording from 4.19 to 7.2, with or without the "(N)" type of a
// Ceph address, and ignores text after the significant words. The Line's strings are parts
// of text, bounded only by its length; treat them as data. Irrelevant text yields a
// Line of class Other and costs no allocation.
//
// Lines of CephFS ("ceph: ...") are irrelevant.
func classify(text string) (Line, pairing) {
	l, w := family(text)
	if l.Class != Other && l.Count == 0 {
		l.Count = 1
	}
	return l, w
}

// family determines which subsystem logged the line. Most subsystems have a fixed
// prefix; lines of bonds, NICs and processes begin with a variable name.
func family(text string) (Line, pairing) {
	if len(text) == 0 {
		return Line{}, unpaired
	}
	switch text[0] {
	case 'l':
		if l, w := libceph(text); l.Class != Other {
			return l, w
		}
	case 'r':
		if l := rbd(text); l.Class != Other {
			return l, unpaired
		}
	case '[':
		if l := marked(text); l.Class != Other {
			return l, unpaired
		}
	case 'p', 'D', 'A':
		if l := pci(text); l.Class != Other {
			return l, unpaired
		}
	}
	if l := kernel(text); l.Class != Other {
		return l, unpaired
	}
	if l := storage(text); l.Class != Other {
		return l, unpaired
	}
	return named(text), unpaired
}

// named classifies a line that begins with a name: of an interface, of a driver with
// its bus id and perhaps an interface, of a function or of a process.
func named(text string) Line {
	if l := memory(text); l.Class != Other {
		return l
	}
	name, says, ok := strings.Cut(text, ": ")
	if !ok || says == "" {
		return Line{}
	}
	if l := suppressed(name, says); l.Class != Other {
		return l
	}
	if l := bonding(name, says); l.Class != Other {
		return l
	}
	return nic(name, says)
}

// suppressed recognizes the summary of a rate limit (lib/ratelimit.c), which names
// the suppressed function. The kernel's counter is an int.
func suppressed(function, says string) Line {
	if function == "" || strings.IndexByte(function, ' ') >= 0 {
		return Line{}
	}
	digits, rest, ok := cutDigits(says, 10)
	if !ok || !strings.HasPrefix(rest, " callbacks suppressed") || number(digits) == 0 || len(function) > maxFunction {
		return Line{}
	}
	return Line{Class: Suppressed, Detail: function, Count: number(digits)}
}

// The longest accepted name of a function (KSYM_NAME_LEN before 6.1).
const maxFunction = 128
