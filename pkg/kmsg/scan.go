package kmsg

import "strings"

// The scanners below cut a token from the front of a string. Each is as strict as the
// kernel's format, so that free text is not mistaken for a name.

// cutDigits cuts a number of 1 to max digits.
func cutDigits(s string, limit int) (digits, rest string, ok bool) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == 0 || i > limit {
		return "", s, false
	}
	return s[:i], s[i:], true
}

// cutName cuts the name of a network interface, disk or partition.
func cutName(s string, limit int) (name, rest string, ok bool) {
	i := 0
	for i < len(s) && isName(s[i]) {
		i++
	}
	if i == 0 || i > limit {
		return "", s, false
	}
	return s[:i], s[i:], true
}

const (
	maxIface = 15 // IFNAMSIZ without its terminating zero
	maxDisk  = 31 // DISK_NAME_LEN without its terminating zero
	maxBus   = 63
)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isName(c byte) bool {
	switch {
	case isDigit(c), 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return true
	}
	switch c {
	case '_', '.', '-', '@', '+', '!':
		return true
	}
	return false
}

// isIface reports whether all of s may be the name of a network interface.
func isIface(s string) bool {
	_, rest, ok := cutName(s, maxIface)
	return ok && rest == ""
}

// isBus reports whether all of s may be a bus id such as 0000:01:00.0 or virtio1.
func isBus(s string) bool {
	for i := range len(s) {
		if !isName(s[i]) && s[i] != ':' {
			return false
		}
	}
	return s != "" && len(s) <= maxBus && s[len(s)-1] != ':'
}

// ends reports whether the word before rest ends there.
func ends(rest string) bool { return rest == "" || !isWord(rest[0]) }

func isWord(c byte) bool {
	return isDigit(c) || c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// number returns the value of at most ten digits.
func number(digits string) uint64 {
	var n uint64
	for i := range len(digits) {
		n = n*10 + uint64(digits[i]-'0')
	}
	return n
}

// The largest errno (MAX_ERRNO in include/linux/err.h).
const maxErrno = 4095

// lastErrno returns the last negative number in s that may be an errno: it follows a
// blank, and no letter or digit follows it. It returns 0 if there is none.
func lastErrno(s string) int {
	for {
		i := strings.LastIndex(s, " -")
		if i < 0 {
			return 0
		}
		if n := errnoAt(s[i+1:]); n != 0 {
			return n
		}
		s = s[:i]
	}
}

// errnoAt returns the negative errno at the front of s, or 0.
func errnoAt(s string) int {
	after, minus := strings.CutPrefix(s, "-")
	digits, rest, ok := cutDigits(after, 4)
	if !minus || !ok || !ends(rest) {
		return 0
	}
	if n := int(number(digits)); n <= maxErrno {
		return -n
	}
	return 0
}

// A phrase is the beginning of a line, or of a part of it, with its meaning.
type phrase struct {
	begins string
	class  Class
	detail string
}

// lookUp returns the first of phrases that s begins with. No phrase is empty.
func lookUp(phrases []phrase, s string) (*phrase, bool) {
	if s == "" {
		return nil, false
	}
	for i := range phrases {
		if p := &phrases[i]; p.begins[0] == s[0] && strings.HasPrefix(s, p.begins) {
			return p, true
		}
	}
	return nil, false
}
