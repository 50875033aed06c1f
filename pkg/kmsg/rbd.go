package kmsg

import "strings"

// The messages of rbd_warn and pr_info about a device or image (drivers/block/rbd.c).
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
	{"parent pool id too large", RBDMapFail, "parents"},
	{"unable to get image name", RBDOther, "parent"},
	{"short header read", RBDMapFail, "header"},
	{"invalid header", RBDMapFail, "header"},
	{"failed to get latest osdmap: ", RBDMapFail, "osdmap"},
	{"no monitor address(es) provided", RBDMapFail, "options"},
	{"no options provided", RBDMapFail, "options"},
	{"no pool name provided", RBDMapFail, "options"},
	{"no image name provided", RBDMapFail, "options"},
	{"failed to acquire lock: ", RBDLock, "acquire"},
	{"failed to blocklist ", RBDLock, "blocklist"},
	{"failed to blacklist ", RBDLock, "blocklist"}, // up to 5.9
	{"failed to lock header: ", RBDLock, "lock"},
	{"failed to unlock header: ", RBDLock, "unlock"},
	{"failed to get header lockers: ", RBDLock, "lockers"},
	{"failed to get watchers: ", RBDLock, "watchers"},
	{"failed to break header lock: ", RBDLock, "break"},
	{"breaking header lock owned by ", RBDLock, "breaking"},
	{"failed to request lock: ", RBDLock, "request"},
	{"error requesting lock: ", RBDLock, "request"},
	{"failed to decode ResponseMessage: ", RBDLock, "request"},
	{"peer will not release lock", RBDLock, "peer"},
	{"no lock owners detected", RBDLock, "owners"},
	{"duplicate lock owners detected", RBDLock, "owners"},
	{"locked by external mechanism", RBDLock, "external"},
	{"shared lock type detected", RBDLock, "external"}, // up to 5.10
	{"incompatible lock type detected", RBDLock, "external"},
	{"locker has a blank address", RBDLock, "external"},
	{"failed to update lock cookie: ", RBDLock, "cookie"},
	{"temporarily releasing lock on exclusive mapping", RBDLock, "released"},
	{"post-acquire action failed: ", RBDLock, "post-acquire"},
	{"copyup failed: ", RBDOther, "copyup"},
	{"beyond EOD ", RBDOther, "beyond end"},
	{"refresh failed: ", RBDOther, "refresh"},
	{"acknowledge_notify failed: ", RBDOther, "notify"},
	{"failed to decode NotifyMessage: ", RBDOther, "notify"},
	{"parent reference ", RBDOther, "parent"},
	{"clone is standalone", RBDOther, "parent"},
	{"clone has ", RBDOther, "parent"},
	{"alloc_size adjusted to ", RBDOther, "size"},
	{"loaded", RBDOther, "loaded"},
	{"libceph incompatibility", RBDOther, "loaded"},
}

// The objects reported as missing when an image is mapped: "image POOL/NAME does not
// exist".
var rbdMissing = []phrase{
	{"image ", RBDMapFail, "image"},
	{"pool ", RBDMapFail, "pool"},
	{"snap ", RBDMapFail, "snapshot"},
}

// The words of a line about the exclusive lock.
var lockWords = [...]string{" lock", "unlock", "locked by", "locker", "blocklist", "blacklist"}

// rbd classifies a line of rbd: "rbd: rbd0: TEXT", before the disk exists "rbd: image
// NAME: TEXT" or "rbd: id ID: TEXT", and otherwise "rbd: TEXT".
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

// cutDevice cuts the subject of the line. It returns a name only for a disk.
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
	if p, ok := lookUp(rbdMissing, body); ok && strings.Contains(body, " does not exist") {
		l.Class, l.Detail = p.class, p.detail
		return l
	}
	switch {
	case strings.Contains(body, "object map"):
		l.Class, l.Detail = RBDLock, "object map"
	case containsAny(body, lockWords[:]):
		l.Class = RBDLock
	case strings.Contains(body, " watch"):
		l.Class = RBDWatch
	case strings.HasSuffix(body, " on read-only mapping"):
		l.Detail = "read-only"
	}
	return l
}

// result recognizes failed I/O: "write result -108" for the whole request, preceded
// by "write at objno 1 0~65536 result -108" for each object of the image, whose
// Detail is "write object". A request that fails before it is split has only "write
// 1000 at 4000 result -108", with length and offset in hexadecimal. A clone's parent
// adds "child ". Up to 4.16 the result is on a separate line.
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
	if !ofObject {
		op = cutExtent(op)
	}
	l.Detail = operation(op, ofObject)
	return l, l.Errno != 0 && l.Detail != ""
}

// cutExtent cuts a " LENGTH at OFFSET" in hexadecimal off the end of s.
func cutExtent(s string) string {
	before, offset, found := strings.Cut(s, " at ")
	op, length, ok := cutLast(before, ' ')
	if !found || !ok || !isHex(offset) || !isHex(length) {
		return s
	}
	return op
}

// isHex reports whether s is a number of at most 64 bits as %llx prints it.
func isHex(s string) bool {
	for i := range len(s) {
		if _, ok := hexDigit(s[i]); !ok {
			return false
		}
	}
	return s != "" && len(s) <= 16
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

// The operations of obj_op_name by scope: of a whole request, of one object, and both
// for a clone's parent.
var operations = [...][4]string{
	{"read", "read object", "child read", "child read object"},
	{"write", "write object", "child write", "child write object"},
	{"discard", "discard object", "child discard", "child discard object"},
	{"zeroout", "zeroout object", "child zeroout", "child zeroout object"},
}

// operation returns the Detail of a failed operation, or an empty string.
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
