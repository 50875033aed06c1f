package krbd

import (
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// maxParents is the longest chain of parents krbd maps (RBD_MAX_PARENT_CHAIN_LEN).
const maxParents = 16

// Whether every kernel has an attribute.
const (
	required = true
	optional = false
)

// attributes reads the attributes of one device. The first error stays.
type attributes struct {
	*reader
	dir string
	err error
	bad []string // the attributes that could not be understood
}

// text reads an attribute. A text that holds a secret is not kept. A needed attribute
// that is missing means that the device is gone, or where its directory is still
// there, a kernel that is not known: the attribute is noted.
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

// holdsSecret reports whether s has the look of map options with a key in them.
func holdsSecret(s string) bool {
	isOption := func(word string) bool {
		return strings.HasPrefix(word, "secret=") || strings.HasPrefix(word, "key=")
	}
	split := func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }
	return slices.ContainsFunc(strings.FieldsFunc(s, split), isOption)
}

// name reads a name: any text of one line.
func (a *attributes) name(attr string, needed bool) string {
	return a.checked(attr, a.text(attr, needed), func(s string) bool { return !strings.ContainsRune(s, '\n') })
}

// checked returns s if it is empty or good, and else notes that attr is not understood.
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
	ip := netip.MustParseAddrPort(host).Addr() // isClient has parsed it
	if ip.IsUnspecified() {
		return "", whole
	}
	return ip.String(), whole
}

// isClient reports whether s is an address as %pISpc prints one, and a nonce.
// A zone is free text and never printed there.
func isClient(s string) bool {
	host, nonce, _ := strings.Cut(s, "/")
	addr, err1 := netip.ParseAddrPort(host)
	_, err2 := strconv.ParseUint(nonce, 10, 32)
	return err1 == nil && err2 == nil && addr.Addr().Zone() == ""
}

// number reads an attribute that is a number after prefix.
func (a *attributes) number(name, prefix string, base, bits int) uint64 {
	n, ok := parseNumber(a.text(name, required), prefix, base, bits)
	if !ok && a.err == nil {
		a.note(name)
	}
	return n
}

// parseNumber parses a number after prefix; 0 if it is none.
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

// device returns the number of the block device: from minor, or where there is none
// from block/DEVICE/dev. Half of a number would be another device's: it is 0 as a whole.
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

// parents reads the image ids in parent: "(no parent image)", or a block of
// "KEY VALUE" lines for each image of the chain, the nearest first.
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

// readOnly reads block/DEVICE/ro. The block device may not be there yet.
func (a *attributes) readOnly(device string) bool {
	text, err := hostfs.Text(a.sys, "block/"+device+"/ro", a.buf)
	if err != nil && !hostfs.Gone(err) {
		a.note("ro")
	}
	return text == "1"
}

// note notes that an attribute could not be understood.
func (a *attributes) note(attr string) {
	if !slices.Contains(a.bad, attr) {
		a.bad = append(a.bad, attr)
	}
}

// partly says which attributes could not be understood.
func (a *attributes) partly() string {
	if len(a.bad) == 0 {
		return ""
	}
	return "unreadable: " + strings.Join(a.bad, ", ")
}
