package rbd

import "strings"

// qemuFile returns the disk behind a file name of the older -drive form, which
// may be a path, a path with its driver before it, JSON, or QEMU's own form for
// RBD. Of other protocols' names (nbd, https, iscsi) nothing is kept: they may
// hold a password.
func qemuFile(name string) (Disk, error) {
	if rest, ok := strings.CutPrefix(name, "json:"); ok {
		o, err := qemuFlatten([]byte(rest))
		if err != nil {
			return Disk{}, err
		}
		return qemuLayers{}.disk(o, "", 0), nil
	}
	if rest, ok := strings.CutPrefix(name, "rbd:"); ok {
		return qemuRBD(rest), nil
	}
	if rest, ok := strings.CutPrefix(name, "nbd:unix:"); ok {
		socket, _, _ := strings.Cut(rest, ":")
		return guestPathDisk(guestText(socket)), nil
	}
	for _, driver := range []string{"host_device:", "file:", "host_cdrom:"} {
		name = strings.TrimPrefix(name, driver)
	}
	return guestPathDisk(guestText(name)), nil
}

// qemuRBD reads POOL/[NAMESPACE/]IMAGE[@SNAPSHOT][:option=value...], where a
// backslash takes the meaning from the sign after it. The options (id, key,
// keyring, mon_host, conf) are cut off first, as a key may hold any sign.
func qemuRBD(s string) Disk {
	d := Disk{Client: LibRBD}
	if i := qemuIndex(s, ':'); i >= 0 {
		s = s[:i]
	}
	i := qemuIndex(s, '/')
	if i < 0 {
		return d // QEMU would refuse it: there is no pool
	}
	d.Pool = qemuUnescape(s[:i])
	s = s[i+1:]
	if i := qemuIndex(s, '@'); i >= 0 {
		s, d.Snapshot = s[:i], qemuUnescape(s[i+1:])
	}
	if i := qemuIndex(s, '/'); i >= 0 {
		d.Namespace, s = qemuUnescape(s[:i]), s[i+1:]
	}
	d.Image = qemuUnescape(s)
	return d
}

// qemuIndex returns where the sign first stands without a backslash before it; -1: nowhere.
func qemuIndex(s string, sign byte) int {
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

func qemuUnescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return guestText(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return guestText(b.String())
}
