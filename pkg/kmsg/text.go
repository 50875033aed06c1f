package kmsg

import (
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// The most of a log line that a Batch carries, in bytes.
const maxKept = 300

// sanitize returns a copy of s that is fit to be shown: valid UTF-8 of at most max
// bytes, with a blank for each line break or tab and a question mark for all
// else that does not print. What a process is called, and so a part of what the
// kernel logs, is for anybody to choose.
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

// unsafeString is b as a string, without a copy: good only until b changes. It lets
// millions of records be looked at without an allocation; what is kept of them
// goes through sanitize, which copies.
func unsafeString(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}
