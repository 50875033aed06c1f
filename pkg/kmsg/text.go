package kmsg

import (
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// The maximum length of a log line in a Batch, in bytes.
const maxKept = 300

// sanitize returns a copy of s that can be shown: valid UTF-8 of at most max bytes,
// with a blank for each line break or tab and a question mark for every other
// unprintable character. Any user can choose the name of a process, and so a part of
// what the kernel logs.
func sanitize(s string, limit int) string {
	if len(s) <= limit && plain(s) {
		return strings.Clone(s)
	}
	var b strings.Builder
	b.Grow(min(len(s), limit))
	for _, r := range s {
		switch {
		case r == '\n', r == '\t', r == '\r':
			r = ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			r = '?'
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// unsafeString returns b as a string without a copy: it is valid only until b
// changes. This avoids an allocation for each of millions of records. sanitize copies
// what is kept.
func unsafeString(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}
