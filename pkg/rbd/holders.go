package rbd

import (
	"errors"
	"io/fs"
	"strings"
)

// What uses one device is followed this far up, and listed up to this many.
const (
	krbdMaxDepth   = 8
	krbdMaxHolders = 64
)

// holders lists what uses a device: its partitions, then level by level what
// holds the device, a partition or a holder. A device on two of them is listed
// once. Without the block device there is nothing.
func (a *krbdAttrs) holders(device string) []Holder {
	var list []Holder
	seen := map[string]bool{}
	add := func(dir, name string, kind string) {
		if !seen[name] && len(list) < krbdMaxHolders {
			seen[name] = true
			list = append(list, a.holder(dir, name, kind))
		}
	}
	level := []string{"block/" + device}
	for _, part := range a.list("block/"+device, device+"p") {
		dir := "block/" + device + "/" + part
		add(dir, part, "partition")
		level = append(level, dir)
	}
	for range krbdMaxDepth {
		before := len(list)
		for _, dir := range level {
			for _, name := range a.list(dir+"/holders", "") {
				add("block/"+name, name, "")
			}
		}
		level = level[:0]
		for _, h := range list[before:] {
			level = append(level, "block/"+h.Device)
		}
	}
	return list
}

// list returns the names in a directory that are prefix and a number, or all of
// them for an empty prefix. What cannot be listed is noted and holds nothing.
func (a *krbdAttrs) list(dir, prefix string) []string {
	entries, err := fs.ReadDir(a.sys, dir)
	if err != nil && !sysfsGone(err) {
		a.note("holders")
	}
	var names []string
	for _, e := range entries {
		if number, ok := strings.CutPrefix(e.Name(), prefix); ok && (prefix == "" || krbdIsNumber(number)) {
			names = append(names, e.Name())
		}
	}
	return names
}

// krbdIsNumber reports whether s is made of digits.
func krbdIsNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// holder reads one holder. kind is known of a partition; else device mapper's
// uuid tells it, whose prefix names the one who made the device.
func (a *krbdAttrs) holder(dir, name, kind string) Holder {
	h := Holder{Device: name, Kind: kind}
	h.Major, h.Minor, _ = sysfsDev(a.blockText(dir + "/dev"))
	if kind == "" {
		h.Name = a.blockText(dir + "/dm/name")
		h.Kind = krbdHolderKind(a.blockText(dir + "/dm/uuid"))
	}
	return h
}

// blockText reads an attribute of a block device; it is empty if there is none.
func (a *krbdAttrs) blockText(name string) string {
	text, err := sysfsText(a.sys, name, a.buf)
	switch {
	case err == nil && !krbdSecret(text):
		return text
	case err != nil && !sysfsGone(err) && !errors.Is(err, errSysfsLong):
		a.note("holders")
	}
	return ""
}

// krbdHolderKind says what made a device-mapper device.
func krbdHolderKind(uuid string) string {
	maker, _, _ := strings.Cut(uuid, "-")
	switch {
	case maker == "LVM":
		return "lvm"
	case maker == "CRYPT":
		return "crypt"
	case maker == "mpath":
		return "multipath"
	case strings.HasPrefix(maker, "part") && krbdIsNumber(maker[len("part"):]):
		return "partition"
	}
	return "other"
}
