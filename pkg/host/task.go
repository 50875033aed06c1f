package host

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxComm is the maximum length of a name in bytes. The kernel's own limit is 15, and
// 63 for a worker whose name includes its work queue's (WQ_WORKER comm,
// kernel/workqueue.c).
const maxComm = 64

// parseTask parses name and state from the front of a stat file of /proc, "1234 (CPU
// 0/KVM) D 1 1234 ...". The name may contain blanks and parentheses, and only numbers
// follow it, so it ends at the last parenthesis.
func parseTask(b []byte) (comm string, state byte, ok bool) {
	open := bytes.IndexByte(b, '(')
	end := bytes.LastIndexByte(b, ')')
	if open < 0 || end < open || end+2 >= len(b) || b[end+1] != ' ' {
		return "", 0, false
	}
	return cleanComm(b[open+1 : end]), b[end+2], true
}

// cleanComm makes a name printable: any process can choose its name, terminal escapes
// included.
func cleanComm(b []byte) string {
	clean := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, string(b))
	for len(clean) > maxComm {
		_, size := utf8.DecodeLastRuneInString(clean)
		clean = clean[:len(clean)-size]
	}
	return clean
}
