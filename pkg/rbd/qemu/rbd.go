package qemu

import (
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// parseFile returns the disk of a file name in the older -drive form, which may be a
// path, a path prefixed with its driver, JSON, or QEMU's form for RBD. It keeps
// nothing of other protocols' names (nbd, https, iscsi): they may contain a password.
func parseFile(name string) (rbd.Disk, error) {
	if rest, ok := strings.CutPrefix(name, "json:"); ok {
		o, err := flatten([]byte(rest))
		if err != nil {
			return rbd.Disk{}, err
		}
		return layers{}.disk(o), nil
	}
	if rest, ok := strings.CutPrefix(name, "rbd:"); ok {
		return rbdFile(rest), nil
	}
	if rest, ok := strings.CutPrefix(name, "nbd:unix:"); ok {
		socket, _, _ := strings.Cut(rest, ":")
		return guest.PathDisk(naming.Text(socket)), nil
	}
	if rest, ok := strings.CutPrefix(name, "nbd+unix:"); ok {
		_, socket, _ := strings.Cut(rest, "socket=")
		socket, _, _ = strings.Cut(socket, "&")
		return guest.PathDisk(naming.Text(socket)), nil
	}
	for _, driver := range []string{"host_device:", "file:", "host_cdrom:"} {
		name = strings.TrimPrefix(name, driver)
	}
	return guest.PathDisk(naming.Text(name)), nil
}

// rbdFile parses POOL/[NAMESPACE/]IMAGE[@SNAPSHOT][:option=value...], in which a
// backslash escapes the next character. The options (id, key, keyring, mon_host,
// conf) are cut off first, because a key may contain any character.
func rbdFile(s string) rbd.Disk {
	d := rbd.Disk{Client: rbd.LibRBD}
	if i := indexOf(s, ':'); i >= 0 {
		s = s[:i]
	}
	i := indexOf(s, '/')
	if i < 0 {
		return d // QEMU would reject it: there is no pool
	}
	d.Pool = unescape(s[:i])
	s = s[i+1:]
	if i := indexOf(s, '@'); i >= 0 {
		s, d.Snapshot = s[:i], unescape(s[i+1:])
	}
	if i := indexOf(s, '/'); i >= 0 {
		d.Namespace, s = unescape(s[:i]), s[i+1:]
	}
	d.Image = unescape(s)
	return d
}

// indexOf returns the index of the first unescaped occurrence of the character, or -1.
func indexOf(s string, sign byte) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sign:
			return i
		}
	}
	return -1
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return naming.Text(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return naming.Text(b.String())
}
