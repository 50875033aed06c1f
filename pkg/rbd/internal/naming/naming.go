// Package naming parses the names of RBD images, block devices and sockets on a host.
package naming

import "strings"

// Device returns the name of the device for the name of a device or of one of its
// partitions: rbd3 for rbd3 and rbd3p1.
func Device(name, kind string) (device string, ok bool) {
	rest, ok := strings.CutPrefix(name, kind)
	if !ok {
		return "", false
	}
	n, part, hasPart := strings.Cut(rest, "p")
	if !Digits(n) || hasPart && !Digits(part) {
		return "", false
	}
	return name[:len(kind)+len(n)], true
}

// Numbered reports whether a name is prefix followed by a decimal number: loop3.
func Numbered(name, prefix string) bool {
	number, ok := strings.CutPrefix(name, prefix)
	return ok && Digits(number)
}

// LinkSpec returns the image specification in the name of one of udev's
// links, without /dev/, and the FSID if it has one.
func LinkSpec(name string) (spec, fsid string, ok bool) {
	if spec, ok = strings.CutPrefix(name, "rbd/"); ok {
		return spec, "", true
	}
	rest, ok := strings.CutPrefix(name, "rbd-pve/")
	if !ok {
		return "", "", false
	}
	fsid, spec, ok = strings.Cut(rest, "/")
	return spec, fsid, ok
}

// WithoutPart cuts the -partN that udev appends for a partition.
func WithoutPart(spec string) string {
	if i := strings.LastIndex(spec, "-part"); i > 0 && Digits(spec[i+len("-part"):]) {
		return spec[:i]
	}
	return spec
}

// ParseSpec splits POOL/[NAMESPACE/]IMAGE[@SNAPSHOT].
func ParseSpec(spec string) (pool, namespace, image, snapshot string, ok bool) {
	pool, image, ok = strings.Cut(spec, "/")
	if !ok {
		return "", "", "", "", false
	}
	ns, rest, has := strings.Cut(image, "/")
	if has {
		namespace, image = ns, rest
	}
	image, snapshot, _ = strings.Cut(image, "@")
	if pool == "" || image == "" || has && namespace == "" || strings.Contains(image+snapshot, "/") {
		return "", "", "", "", false
	}
	return pool, namespace, image, snapshot, true
}

// MaxText is the maximum length of a name or path in bytes: longer ones are
// truncated.
const MaxText = 1024

// Text truncates a text from an external source to MaxText.
func Text(s string) string {
	if len(s) > MaxText {
		s = s[:MaxText]
	}
	return strings.ToValidUTF8(s, "�")
}

// RunPath returns the path with /var/run replaced by /run, its target.
func RunPath(path string) string {
	if rest, ok := strings.CutPrefix(path, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return path
}

// Digits reports whether s is one or more decimal digits.
func Digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
