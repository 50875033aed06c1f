package kmsg

import "strings"

// classify says what the text of a record means, and how it pairs with its neighbours. The
// kernel's wording from 4.19 to 7.2 is known, with or without the "(N)" type of a Ceph
// address; what follows the words that matter is ignored. The Line's strings are parts of
// text, bounded by its length only: they are data. A text of no interest gives a Line of
// class Other and costs no allocation.
//
// Lines of CephFS ("ceph: ...") are of no interest.
func classify(text string) (Line, pairing) {
	l, w := family(text)
	if l.Class != Other && l.Count == 0 {
		l.Count = 1
	}
	return l, w
}

// family finds who speaks. Most speakers are known by how a line begins; bonds,
// NICs and processes come with names of their own.
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

// named says what a line means that begins with a name: of an interface, of a
// driver, its bus id and perhaps an interface, of a function or of a process.
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

// suppressed recognizes the summary of a rate limit (lib/ratelimit.c), which
// names the function that would have logged. The kernel counts in an int.
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

// The longest name of a function that is believed (KSYM_NAME_LEN before 6.1).
const maxFunction = 128
