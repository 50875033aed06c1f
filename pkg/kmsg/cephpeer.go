package kmsg

import "strings"

// The kinds of a Ceph entity (ceph_entity_type_name in net/ceph/ceph_strings.c).
var entities = [...]string{"osd", "mon", "mds", "mgr", "client", "auth", "unknown"}

// cutPeer cuts an entity such as osd12 and the blank after it.
func cutPeer(s string) (peer, rest string, ok bool) {
	for _, kind := range entities {
		after, found := strings.CutPrefix(s, kind)
		if !found {
			continue
		}
		_, rest, ok := cutDigits(after, 20)
		if !ok || rest != "" && rest[0] != ' ' {
			return "", s, false
		}
		return s[:len(s)-len(rest)], strings.TrimPrefix(rest, " "), true
	}
	return "", s, false
}

// The length of the longest IPv6 address, one with an embedded IPv4 address.
const maxIPv6 = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// cutAddr cuts the address of a peer as ceph_pr_addr prints it: its type in brackets
// since 5.3, then 192.0.2.5:6801 or [2001:db8::5]:6801. It returns the address
// without its type; the address is empty if the kernel could not print it: "(unknown
// sockaddr family N)".
func cutAddr(s string) (addr, rest string, ok bool) {
	if after, found := strings.CutPrefix(s, "(unknown sockaddr family "); found {
		_, rest, ok := cutDigits(after, 10)
		if !ok || !strings.HasPrefix(rest, ")") {
			return "", s, false
		}
		return "", rest[1:], true
	}
	from := s
	if strings.HasPrefix(s, "(") {
		_, after, ok := cutDigits(s[1:], 10)
		if !ok || !strings.HasPrefix(after, ")") {
			return "", s, false
		}
		from = after[1:]
	}
	after, ok := cutIP(from)
	if !ok || !strings.HasPrefix(after, ":") {
		return "", s, false
	}
	_, rest, ok = cutDigits(after[1:], 5)
	if !ok {
		return "", s, false
	}
	return from[:len(from)-len(rest)], rest, true
}

// cutIP returns what follows an IPv4 address, or an IPv6 address in brackets.
func cutIP(s string) (rest string, ok bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 3 || end-1 > maxIPv6 {
			return "", false
		}
		for i := 1; i < end; i++ {
			if _, hex := hexDigit(s[i]); !hex && s[i] != ':' && s[i] != '.' {
				return "", false
			}
		}
		return s[end+1:], true
	}
	for part := range 4 {
		if part > 0 {
			if !strings.HasPrefix(s, ".") {
				return "", false
			}
			s = s[1:]
		}
		if _, s, ok = cutDigits(s, 3); !ok {
			return "", false
		}
	}
	return s, true
}
