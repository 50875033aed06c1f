package kmsg

import "strings"

// What rbd_warn and pr_info say of a device or image (drivers/block/rbd.c).
var rbdLines = []phrase{
	{"encountered watch error: ", RBDWatch, "error"},
	{"failed to reregister watch: ", RBDWatch, "reregister"},
	{"reregistration refresh failed: ", RBDWatch, "refresh"},
	{"failed to unwatch: ", RBDWatch, "unwatch"},
	{"capacity ", RBDMapped, ""},
	{"image uses unsupported features", RBDMapFail, "features"},
	{"exclusive-lock feature is not enabled", RBDMapFail, "features"},
	{"no pool with id ", RBDMapFail, "pool"},
	{"parent chain is too long", RBDMapFail, "parents"},
}

// The words of a line about the exclusive lock or the object map.
var lockWords = [...]string{" lock", "unlock", "locked by", "locker", "object map", "blocklist", "blacklist", "post-acquire"}

// rbd says what a line of rbd means: "rbd: rbd0: TEXT", before there is a disk
// "rbd: image NAME: TEXT" or "rbd: id ID: TEXT", and else "rbd: TEXT".
func rbd(text string) Line {
	body, ok := strings.CutPrefix(text, "rbd:")
	if !ok {
		return Line{}
	}
	device, body := cutDevice(strings.TrimLeft(body, " "))
	l := ofImage(body)
	l.Device = device
	return l
}

// cutDevice cuts what the line is about: only a disk has a name to keep.
func cutDevice(s string) (device, rest string) {
	if after, ok := strings.CutPrefix(s, "rbd"); ok {
		if n, rest, ok := cutDigits(after, 10); ok && strings.HasPrefix(rest, ": ") {
			return s[:len("rbd")+len(n)], rest[2:]
		}
	}
	for _, begins := range [...]string{"image ", "id "} {
		if after, ok := strings.CutPrefix(s, begins); ok {
			if _, rest, ok := strings.Cut(after, ": "); ok {
				return "", rest
			}
		}
	}
	return "", s
}

func ofImage(body string) Line {
	if l, ok := result(body); ok {
		return l
	}
	l := Line{Class: RBDOther, Errno: lastErrno(body)}
	if p, ok := lookUp(rbdLines, body); ok {
		l.Class, l.Detail = p.class, p.detail
		return l
	}
	switch {
	case (strings.HasPrefix(body, "image ") || strings.HasPrefix(body, "pool ")) && strings.Contains(body, " does not exist"):
		l.Class, l.Detail = RBDMapFail, body[:strings.IndexByte(body, ' ')]
	case containsAny(body, lockWords[:]):
		l.Class = RBDLock
	case strings.Contains(body, " watch"):
		l.Class = RBDWatch
	}
	return l
}

// result recognizes I/O that failed: "write result -108" of the whole request,
// and before it a "write at objno 1 0~65536 result -108" for each object of the
// image, whose Detail is "write object". A clone's parent adds "child ". Up to
// 4.16 the result has a line of its own.
func result(body string) (Line, bool) {
	op, rest, ok := strings.Cut(body, "result -")
	if !ok {
		return Line{}, false
	}
	l := Line{Class: RBDResult, Errno: errnoAt(body[len(body)-len(rest)-1:])}
	if strings.TrimLeft(op, " ") == "" {
		return l, l.Errno != 0
	}
	op, ok = strings.CutSuffix(op, " ")
	op, object, ofObject := strings.Cut(op, " at objno ")
	if !ok || ofObject && !isObject(object) {
		return Line{}, false
	}
	l.Detail = operation(op, ofObject)
	return l, l.Errno != 0 && l.Detail != ""
}

// isObject reports whether s is the "NUMBER OFFSET~LENGTH" of an object request.
func isObject(s string) bool {
	_, s, ok := cutDigits(s, 20)
	if !ok || !strings.HasPrefix(s, " ") {
		return false
	}
	_, s, ok = cutDigits(s[1:], 20)
	if !ok || !strings.HasPrefix(s, "~") {
		return false
	}
	_, s, ok = cutDigits(s[1:], 20)
	return ok && s == ""
}

// The operations of obj_op_name, and how they are told apart: of a whole
// request, of one object, and both for a clone's parent.
var operations = [...][4]string{
	{"read", "read object", "child read", "child read object"},
	{"write", "write object", "child write", "child write object"},
	{"discard", "discard object", "child discard", "child discard object"},
	{"zeroout", "zeroout object", "child zeroout", "child zeroout object"},
}

// operation returns the Detail of a failed operation, or nothing.
func operation(op string, ofObject bool) string {
	name, child := strings.CutPrefix(op, "child ")
	form := 0
	if ofObject {
		form = 1
	}
	if child {
		form += 2
	}
	for i := range operations {
		if operations[i][0] == name {
			return operations[i][form]
		}
	}
	return ""
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
