package rbd

import "strings"

// guestPathDisk returns what a path alone says of the disk behind it: who serves
// it, and, where udev's link names the image (ceph-common's /dev/rbd/POOL/...,
// Proxmox's /dev/rbd-pve/FSID/POOL/...), which image it is. Only an absolute path
// is kept: what else is in place of one may be a URL with a password in it.
func guestPathDisk(path string) Disk {
	if !strings.HasPrefix(path, "/") {
		return Disk{}
	}
	d := Disk{Path: path}
	name, isDevice := strings.CutPrefix(path, "/dev/")
	if !isDevice {
		return d
	}
	if _, ok := guestNumbered(name, "nbd"); ok {
		d.Client = NBD
		return d
	}
	if _, ok := guestNumbered(name, "rbd"); ok {
		d.Client = KRBD
		return d
	}
	if spec, _, ok := guestLinkSpec(name); ok {
		d.Client = KRBD
		d.Pool, d.Namespace, d.Image, d.Snapshot, _ = guestSpec(guestWithoutPart(spec))
	}
	return d
}

// guestNumbered returns the device itself for the name of a device or of one of
// its partitions: rbd3 for rbd3 and rbd3p1.
func guestNumbered(name, kind string) (device string, ok bool) {
	rest, ok := strings.CutPrefix(name, kind)
	if !ok {
		return "", false
	}
	n, part, hasPart := strings.Cut(rest, "p")
	if !guestDigits(n) || hasPart && !guestDigits(part) {
		return "", false
	}
	return name[:len(kind)+len(n)], true
}

// guestLinkSpec returns the image specification in the name of one of udev's
// links, without /dev/, and the FSID if it has one.
func guestLinkSpec(name string) (spec, fsid string, ok bool) {
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

// guestWithoutPart cuts the -partN that udev appends for a partition.
func guestWithoutPart(spec string) string {
	if i := strings.LastIndex(spec, "-part"); i > 0 && guestDigits(spec[i+len("-part"):]) {
		return spec[:i]
	}
	return spec
}

// guestSpec takes POOL/[NAMESPACE/]IMAGE[@SNAPSHOT] apart.
func guestSpec(spec string) (pool, namespace, image, snapshot string, ok bool) {
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
