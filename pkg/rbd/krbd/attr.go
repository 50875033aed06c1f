package krbd

import (
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// maxParents is the longest chain of parents that krbd maps
// (RBD_MAX_PARENT_CHAIN_LEN).
const maxParents = 16

// The values of a parameter: every kernel has the attribute, or old kernels lack it.
const (
	required = true
	optional = false
)

// attributes reads the attributes of one device. It keeps the first error.
type attributes struct {
	*reader
	dir string
	err error
	bad []string // the attributes that could not be parsed
}

// text reads an attribute. It discards a text that contains a secret. A missing
// required attribute means that the device was removed or, if its directory still
// exists, that the kernel is unknown: the attribute is then noted.
func (a *attributes) text(name string, needed bool) string {
	if a.err != nil {
		return ""
	}
	s, err := hostfs.Text(a.sys, a.dir+name, a.buf)
	switch {
	case err != nil && !hostfs.Gone(err):
		a.err = err
	case err != nil && needed:
		if _, gone := fs.Stat(a.sys, strings.TrimSuffix(a.dir, "/")); gone != nil {
			a.err = gone
		} else {
			a.note(name)
		}
	case err != nil:
	case holdsSecret(s):
		a.note(name)
	default:
		return s
	}
	return ""
}

// holdsSecret reports whether s looks like map options with a key.
func holdsSecret(s string) bool {
	isOption := func(word string) bool {
		return strings.HasPrefix(word, "secret=") || strings.HasPrefix(word, "key=")
	}
	split := func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }
	return slices.ContainsFunc(strings.FieldsFunc(s, split), isOption)
}

// name reads a name, which may be any text of one line.
func (a *attributes) name(attr string, needed bool) string {
	return a.checked(attr, a.text(attr, needed), func(s string) bool { return !strings.ContainsRune(s, '\n') })
}

// checked returns s if it is empty or good; otherwise it notes that attr could not be
// parsed.
func (a *attributes) checked(attr, s string, good func(string) bool) string {
	if s == "" || good(s) {
		return s
	}
	a.note(attr)
	return ""
}

func (a *attributes) imageID() string {
	return a.checked("image_id", a.text("image_id", required), isID)
}

// isID reports whether s can be an image id.
func isID(s string) bool {
	return s != "" && strings.Trim(s, "0123456789-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (a *attributes) fsid() string {
	return a.checked("cluster_fsid", a.text("cluster_fsid", optional), isUUID)
}

// isUUID reports whether s is a UUID as the kernel's %pU prints one.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}

// client reads client_addr, ADDRESS:PORT/NONCE. The address is empty until the
// client has one.
func (a *attributes) client() (addr, whole string) {
	whole = a.checked("client_addr", a.text("client_addr", optional), isClient)
	if whole == "" {
		return "", ""
	}
	host, _, _ := strings.Cut(whole, "/")
	ip := netip.MustParseAddrPort(host).Addr() // isClient has already parsed it
	if ip.IsUnspecified() {
		return "", whole
	}
	return ip.String(), whole
}

// isClient reports whether s is an address as printed by %pISpc, followed by a nonce.
// A zone is free text, which %pISpc never prints.
func isClient(s string) bool {
	host, nonce, _ := strings.Cut(s, "/")
	addr, err1 := netip.ParseAddrPort(host)
	_, err2 := strconv.ParseUint(nonce, 10, 32)
	return err1 == nil && err2 == nil && addr.Addr().Zone() == ""
}

// number reads an attribute that consists of prefix and a number.
func (a *attributes) number(name, prefix string, base, bits int) uint64 {
	n, ok := parseNumber(a.text(name, required), prefix, base, bits)
	if !ok && a.err == nil {
		a.note(name)
	}
	return n
}

// parseNumber parses a number after prefix. It returns 0 for anything else.
func parseNumber(text, prefix string, base, bits int) (uint64, bool) {
	digits, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, base, bits)
	if err != nil {
		return 0, false
	}
	return n, true
}

// major reads major, which is "(none)" while the device has no block device.
func (a *attributes) major() uint32 {
	text := a.text("major", required)
	if a.err != nil || text == "(none)" {
		return 0
	}
	n, ok := parseNumber(text, "", 10, 32)
	if !ok {
		a.note("major")
	}
	return uint32(n)
}

// device returns the number of the block device: from minor, or if that is missing from
// block/DEVICE/dev. If major or minor is unknown, both are 0, as one alone would denote
// another device.
func (a *attributes) device(name string) (major, minor uint32) {
	major = a.major()
	text := a.text("minor", optional)
	if n, ok := parseNumber(text, "", 10, 32); ok {
		return major, uint32(n)
	}
	if text == "" && a.err == nil {
		dev, err := hostfs.Text(a.sys, "block/"+name+"/dev", a.buf)
		if x, y, ok := hostfs.ParseDev(dev); err == nil && ok {
			return x, y
		}
	}
	if a.err == nil {
		a.note("minor")
	}
	return 0, 0
}

// parents reads the image ids in parent: "(no parent image)", or a block of "KEY
// VALUE" lines for each image of the chain, nearest first.
func (a *attributes) parents() []string {
	var ids []string
	for line := range strings.Lines(a.text("parent", optional)) {
		id, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "image_id ")
		if ok && isID(id) && len(ids) < maxParents {
			ids = append(ids, id)
		}
	}
	return ids
}

// readOnly reads block/DEVICE/ro. The block device may not exist yet.
func (a *attributes) readOnly(device string) bool {
	text, err := hostfs.Text(a.sys, "block/"+device+"/ro", a.buf)
	if err != nil && !hostfs.Gone(err) {
		a.note("ro")
	}
	return text == "1"
}

// note notes that an attribute could not be parsed.
func (a *attributes) note(attr string) {
	if !slices.Contains(a.bad, attr) {
		a.bad = append(a.bad, attr)
	}
}

// partly returns which attributes could not be parsed.
func (a *attributes) partly() string {
	if len(a.bad) == 0 {
		return ""
	}
	return "unreadable: " + strings.Join(a.bad, ", ")
}
