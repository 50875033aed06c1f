package krbd

import (
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// An osdcTarget is the destination of a request or a watch: the fields with which
// both kinds of line begin, and the remaining fields.
type osdcTarget struct {
	id     uint64
	osd    int
	object string
	paused bool
	rest   []string
}

// osdcTargetOf parses the fields
//
//	ID osdN POOL.SEED SPGID [UP,..]/PRIMARY [ACTING,..]/PRIMARY eEPOCH [NS/]OBJECT 0xFLAGS [P]
//
// and at least one more. osd-1 is the homeless one. An object's name contains no tab:
// the kernel escapes unprintable characters.
func osdcTargetOf(f []string) (t osdcTarget, ok bool) {
	if len(f) < 10 || f[7] == "" || !strings.HasPrefix(f[6], "e") || !strings.HasPrefix(f[8], "0x") ||
		!strings.HasPrefix(f[4], "[") || !strings.HasPrefix(f[5], "[") {
		return t, false
	}
	var okOSD bool
	t.id, ok = parseNumber(f[0], "", 10, 64)
	t.osd, okOSD = osdcOSD(f[1])
	t.object = f[7]
	t.rest = f[9:]
	if t.rest[0] == "P" {
		t.paused, t.rest = true, t.rest[1:]
	}
	return t, ok && okOSD && len(t.rest) > 0
}

// osdcOSD parses osdN.
func osdcOSD(text string) (int, bool) {
	if text == "osd-1" {
		return -1, true
	}
	n, ok := parseNumber(text, "osd", 10, 31)
	return int(n), ok
}

// osdcRequest parses a request: a target, the attempts and the operations.
func osdcRequest(f []string) (rbd.Request, bool) {
	t, ok := osdcTargetOf(f)
	if !ok || len(t.rest) < 2 || t.rest[1] == "" {
		return rbd.Request{}, false
	}
	attempts, ok := parseNumber(t.rest[0], "", 10, 31)
	q := rbd.Request{TID: t.id, OSD: t.osd, Object: t.object, Attempts: int(attempts), Ops: t.rest[1], Paused: t.paused}
	return q, ok
}

// osdcBackoff checks a backoff: osdN SPGID ID BEGIN END.
func osdcBackoff(f []string) bool {
	if len(f) < 5 {
		return false
	}
	_, okOSD := osdcOSD(f[0])
	_, okID := parseNumber(f[2], "", 10, 64)
	return okOSD && okID
}
