package rbd

import (
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// krbdMaxParents is the longest chain of parents krbd maps (RBD_MAX_PARENT_CHAIN_LEN).
const krbdMaxParents = 16

// Whether every kernel has an attribute.
const (
	krbdNeeded   = true
	krbdOptional = false
)

// krbdAttrs reads the attributes of one device. The first error stays.
type krbdAttrs struct {
	*krbdReader
	dir string
	err error
	bad []string // the attributes that could not be understood
}

// text reads an attribute. A text that holds a secret is not kept. A needed attribute
// that is missing means that the device is gone, or where its directory is still
// there, a kernel that is not known: the attribute is noted.
func (a *krbdAttrs) text(name string, needed bool) string {
	if a.err != nil {
		return ""
	}
	s, err := sysfsText(a.sys, a.dir+name, a.buf)
	switch {
	case err != nil && !sysfsGone(err):
		a.err = err
	case err != nil && needed:
		if _, gone := fs.Stat(a.sys, strings.TrimSuffix(a.dir, "/")); gone != nil {
			a.err = gone
		} else {
			a.note(name)
		}
	case err != nil:
	case krbdSecret(s):
		a.note(name)
	default:
		return s
	}
	return ""
}

// krbdSecret reports whether s has the look of map options with a key in them.
func krbdSecret(s string) bool {
	isOption := func(word string) bool {
		return strings.HasPrefix(word, "secret=") || strings.HasPrefix(word, "key=")
	}
	split := func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }
	return slices.ContainsFunc(strings.FieldsFunc(s, split), isOption)
}

// name reads a name: any text of one line.
func (a *krbdAttrs) name(attr string, needed bool) string {
	return a.checked(attr, a.text(attr, needed), func(s string) bool { return !strings.ContainsRune(s, '\n') })
}

// checked returns s if it is empty or good, and else notes that attr is not understood.
func (a *krbdAttrs) checked(attr, s string, good func(string) bool) string {
	if s == "" || good(s) {
		return s
	}
	a.note(attr)
	return ""
}

func (a *krbdAttrs) imageID() string {
	return a.checked("image_id", a.text("image_id", krbdNeeded), krbdIsID)
}

// krbdIsID reports whether s can be an image id.
func krbdIsID(s string) bool {
	return s != "" && strings.Trim(s, "0123456789-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (a *krbdAttrs) fsid() string {
	return a.checked("cluster_fsid", a.text("cluster_fsid", krbdOptional), krbdIsUUID)
}

// krbdIsUUID reports whether s is a UUID as the kernel's %pU prints one.
func krbdIsUUID(s string) bool {
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
func (a *krbdAttrs) client() (addr, whole string) {
	whole = a.checked("client_addr", a.text("client_addr", krbdOptional), krbdIsClient)
	if whole == "" {
		return "", ""
	}
	host, _, _ := strings.Cut(whole, "/")
	ip := netip.MustParseAddrPort(host).Addr() // krbdIsClient has parsed it
	if ip.IsUnspecified() {
		return "", whole
	}
	return ip.String(), whole
}

// krbdIsClient reports whether s is an address as %pISpc prints one, and a nonce.
// A zone is free text and never printed there.
func krbdIsClient(s string) bool {
	host, nonce, _ := strings.Cut(s, "/")
	addr, err1 := netip.ParseAddrPort(host)
	_, err2 := strconv.ParseUint(nonce, 10, 32)
	return err1 == nil && err2 == nil && addr.Addr().Zone() == ""
}

// number reads an attribute that is a number after prefix.
func (a *krbdAttrs) number(name, prefix string, base, bits int) uint64 {
	n, ok := krbdNumber(a.text(name, krbdNeeded), prefix, base, bits)
	if !ok && a.err == nil {
		a.note(name)
	}
	return n
}

// krbdNumber parses a number after prefix; 0 if it is none.
func krbdNumber(text, prefix string, base, bits int) (uint64, bool) {
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
func (a *krbdAttrs) major() uint32 {
	text := a.text("major", krbdNeeded)
	if a.err != nil || text == "(none)" {
		return 0
	}
	n, ok := krbdNumber(text, "", 10, 32)
	if !ok {
		a.note("major")
	}
	return uint32(n)
}

// device returns the number of the block device: from minor, or where there is none
// from block/DEVICE/dev. Half of a number would be another device's: it is 0 as a whole.
func (a *krbdAttrs) device(name string) (major, minor uint32) {
	major = a.major()
	text := a.text("minor", krbdOptional)
	if n, ok := krbdNumber(text, "", 10, 32); ok {
		return major, uint32(n)
	}
	if text == "" && a.err == nil {
		dev, err := sysfsText(a.sys, "block/"+name+"/dev", a.buf)
		if x, y, ok := sysfsDev(dev); err == nil && ok {
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
func (a *krbdAttrs) parents() []string {
	var ids []string
	for line := range strings.Lines(a.text("parent", krbdOptional)) {
		id, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "image_id ")
		if ok && krbdIsID(id) && len(ids) < krbdMaxParents {
			ids = append(ids, id)
		}
	}
	return ids
}

// readOnly reads block/DEVICE/ro. The block device may not be there yet.
func (a *krbdAttrs) readOnly(device string) bool {
	text, err := sysfsText(a.sys, "block/"+device+"/ro", a.buf)
	if err != nil && !sysfsGone(err) {
		a.note("ro")
	}
	return text == "1"
}

// note notes that an attribute could not be understood.
func (a *krbdAttrs) note(attr string) {
	if !slices.Contains(a.bad, attr) {
		a.bad = append(a.bad, attr)
	}
}

// partly says which attributes could not be understood.
func (a *krbdAttrs) partly() string {
	if len(a.bad) == 0 {
		return ""
	}
	return "unreadable: " + strings.Join(a.bad, ", ")
}
