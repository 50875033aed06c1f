package kmsg

import (
	"bytes"
	"time"
)

// The kernel logs at most 1 KiB as one message (PRINTKRB_RECORD_MAX and, before 5.15,
// LOG_LINE_MAX in kernel/printk/printk.c) and truncates longer ones.
const maxText = 1 << 10

// A head is the part of a record before the semicolon.
type head struct {
	facility, level int
	seq             uint64
	stamp           time.Duration
}

// cutHead parses one read of /dev/kmsg:
//
//	PRIORITY,SEQUENCE,MICROSECONDS[,FLAG[,more...]];TEXT\n
//
// up to the semicolon. It returns the rest: the text and any lines " KEY=VALUE\n" after it.
func cutHead(b []byte) (h head, rest []byte, ok bool) {
	prio, b, ok := cutField(b, 1<<19-1) // the facility is 16 bits wide, the level 3
	if !ok || len(b) == 0 || b[0] != ',' {
		return h, nil, false
	}
	seq, b, ok := cutField(b[1:], 1<<64-1)
	if !ok || len(b) == 0 || b[0] != ',' {
		return h, nil, false
	}
	usec, b, ok := cutField(b[1:], (1<<63-1)/uint64(time.Microsecond))
	if !ok || len(b) == 0 || b[0] != ',' && b[0] != ';' {
		return h, nil, false
	}
	end := bytes.IndexByte(b, ';')
	if end < 0 || bytes.IndexByte(b[:end], '\n') >= 0 {
		return h, nil, false
	}
	h = head{int(prio >> 3), int(prio & 7), seq, time.Duration(usec) * time.Microsecond}
	return h, b[end+1:], true
}

// cutField cuts a decimal number of at most max from the front of b.
func cutField(b []byte, limit uint64) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		d := uint64(b[i] - '0')
		if n > (limit-d)/10 {
			return 0, nil, false
		}
		n = n*10 + d
	}
	return n, b[i:], i > 0
}

// unescape returns the text at the front of rest, up to the end of its line. It
// returns a part of rest if nothing is escaped; otherwise it builds the text in buf.
func unescape(buf, rest []byte) []byte {
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	i := bytes.IndexByte(rest, '\\')
	if i < 0 || i >= maxText {
		return rest[:min(len(rest), maxText)]
	}
	buf = append(buf[:0], rest[:i]...)
	for ; i < len(rest) && len(buf) < maxText; i++ {
		c := rest[i]
		if c == '\\' && i+3 < len(rest) && rest[i+1] == 'x' {
			if v, ok := hexByte(rest[i+2], rest[i+3]); ok {
				c, i = v, i+3
			}
		}
		buf = append(buf, c)
	}
	return buf
}

func hexByte(hi, lo byte) (byte, bool) {
	h, ok1 := hexDigit(hi)
	l, ok2 := hexDigit(lo)
	return h<<4 | l, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
