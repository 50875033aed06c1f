package kmsg

import (
	"regexp"
	"strconv"
	"strings"
)

// The reference returns the same as classify, but slowly: it is a list of patterns,
// of which the first match decides. It shares no code with the classifier.

// A form is one pattern. Its named groups fill the Line: peer, addr, dev, slave,
// detail, n, errno; osd is a number.
type form struct {
	class  Class
	detail string
	errno  bool // take the last errno anywhere in the body
	re     *regexp.Regexp
}

func f(class Class, detail, pattern string) form {
	return form{class, detail, false, compile(pattern)}
}

func fe(class Class, detail, pattern string) form {
	return form{class, detail, true, compile(pattern)}
}

var shorthand = strings.NewReplacer(
	"PEER", `(?P<peer>(?:osd|mon|mds|mgr|client|auth|unknown)\d{1,20})`,
	"ADDR", `(?:(?:\(\d{1,10}\))?(?P<addr>(?:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[[0-9a-fA-F:.]{2,45}\]):\d{1,5})|\(unknown sockaddr family \d{1,10}\))`,
	"FSID", `[0-9a-fA-F-]{36}`,
	"DISK", `(?P<dev>[A-Za-z0-9_.@+!-]{1,31})`,
	"BOND", `(?:bonding: )?(?P<dev>[A-Za-z0-9_.@+!-]{1,15})(?: \(unregistering\))?: `,
	"SLAVE", `(?P<slave>[A-Za-z0-9_.@+!-]{1,15})`,
	"IFACE", `(?P<dev>[A-Za-z0-9_.@+!-]{1,15})`,
	"STATE", `(?: \((?:unregistering|uninitialized|unregistered|released)\))?`,
	"BUSID", `[A-Za-z0-9_.@+!:-]{0,62}[A-Za-z0-9_.@+!-]`,
	"JOURNAL", `(?P<journal>[A-Za-z0-9_.@+!-]*[A-Za-z0-9_@+!-])\.*$`,
	"END", `(?:[^A-Za-z0-9_.@+!-]|$)`,
	"FUNC", `(?:[^ :]*:\d{1,10}:\(pid \d{1,10}\): )?`,
)

func compile(pattern string) *regexp.Regexp {
	pattern = strings.ReplaceAll(pattern, "MARK", `\[[^ \](:]*:\d{1,10}\((?P<dev>BUSID)\)\]`)
	return regexp.MustCompile(`(?s)^(?:` + shorthand.Replace(pattern) + `)`)
}

var (
	refCephPrefix = regexp.MustCompile(`^libceph(?: \([^)]*\))?: *`)
	refClientMark = regexp.MustCompile(`^\[[^\]]*\]: `)
	refRBDPrefix  = regexp.MustCompile(`^rbd: *`)
	refRBDDisk    = regexp.MustCompile(`^(rbd[0-9]{1,10}): `)
	refRBDImage   = regexp.MustCompile(`(?s)^(?:image|id) .*?: `)
	refJournal    = regexp.MustCompile(`^(.+)-[0-9]{1,20}$`)
	refErrno      = regexp.MustCompile(` -[0-9]{1,4}\b`)
)

// reference classifies by patterns.
func reference(text string) Line {
	if m := refCephPrefix.FindString(text); m != "" {
		body := text[len(m):]
		body = body[len(refClientMark.FindString(body)):]
		l, _ := match(cephForms, body)
		return l
	}
	if m := refRBDPrefix.FindString(text); m != "" {
		return refRBD(text[len(m):])
	}
	l, _ := match(hostForms, text)
	return l
}

func refRBD(body string) Line {
	device := ""
	if m := refRBDDisk.FindStringSubmatch(body); m != nil {
		device, body = m[1], body[len(m[0]):]
	} else {
		body = body[len(refRBDImage.FindString(body)):]
	}
	l, _ := match(rbdForms, body)
	l.Device = device
	return l
}

func match(forms []form, body string) (Line, bool) {
	for _, f := range forms {
		m := f.re.FindStringSubmatch(body)
		if m == nil {
			continue
		}
		if l, ok := f.line(m, body); ok {
			return l, true
		}
	}
	return Line{}, false
}

// line fills a Line from the matched groups. It returns false if their content does
// not fit the form.
func (f form) line(m []string, body string) (Line, bool) {
	l := Line{Class: f.class, Detail: f.detail, Count: 1}
	if f.errno {
		l.Errno = refLastErrno(body)
	}
	for i, name := range f.re.SubexpNames() {
		if m[i] == "" {
			continue
		}
		switch name {
		case "peer":
			l.Peer = m[i]
		case "osd":
			l.Peer = "osd" + m[i]
		case "addr":
			l.Addr = m[i]
		case "dev":
			l.Device = m[i]
		case "slave":
			l.Device += "/" + m[i]
		case "detail":
			l.Detail = m[i]
		case "object":
			l.Detail = m[i] + " object"
		case "journal":
			l.Device = m[i]
			if inside := refJournal.FindStringSubmatch(m[i]); inside != nil && inside[1] != "dm" {
				l.Device = inside[1]
			}
			if len(m[i]) > 31 {
				return Line{}, false
			}
		case "n":
			l.Count, _ = strconv.ParseUint(m[i], 10, 64)
		case "errno":
			if l.Errno, _ = strconv.Atoi(m[i]); l.Errno < -4095 {
				l.Errno = 0
			}
		}
	}
	return l, f.holds(l)
}

func (f form) holds(l Line) bool {
	switch f.class {
	case HungTask, HungOwner:
		return len(l.Detail) <= 64 && !strings.Contains(l.Detail, " blocked for more than ") &&
			!strings.Contains(l.Detail, " blocked in I/O wait for more than ") && !strings.Contains(l.Detail, " blocked on a")
	case Suppressed:
		return l.Count > 0 && len(l.Detail) <= 128
	case RBDResult:
		return l.Errno != 0
	}
	return true
}

func refLastErrno(s string) int {
	all := refErrno.FindAllString(s, -1)
	for i := len(all) - 1; i >= 0; i-- {
		if n, _ := strconv.Atoi(all[i][1:]); -4095 <= n && n < 0 {
			return n
		}
	}
	return 0
}
