package krbd

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// The limits on how many levels of holders of one device are followed, and on how
// many holders are listed.
const (
	maxDepth   = 8
	maxHolders = 64
)

// holders lists the users of a device: its partitions, then level by level the
// holders of the device, of a partition or of a holder. A device on two of them is
// listed once. The list is empty without the block device.
func (a *attributes) holders(device string) []rbd.Holder {
	var list []rbd.Holder
	seen := map[string]bool{}
	add := func(dir, name string, kind string) {
		if !seen[name] && len(list) < maxHolders {
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
	for range maxDepth {
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

// list returns the names in a directory that consist of prefix and a number, or all
// names for an empty prefix. It notes a directory that cannot be listed and treats it
// as empty.
func (a *attributes) list(dir, prefix string) []string {
	entries, err := fs.ReadDir(a.sys, dir)
	if err != nil && !hostfs.Gone(err) {
		a.note("holders")
	}
	var names []string
	for _, e := range entries {
		if number, ok := strings.CutPrefix(e.Name(), prefix); ok && (prefix == "" || naming.Digits(number)) {
			names = append(names, e.Name())
		}
	}
	return names
}

// holder reads one holder. kind is set for a partition; otherwise it is read from
// device mapper's uuid, whose prefix names the creator of the device.
func (a *attributes) holder(dir, name, kind string) rbd.Holder {
	h := rbd.Holder{Device: name, Kind: kind}
	h.Major, h.Minor, _ = hostfs.ParseDev(a.blockText(dir + "/dev"))
	if kind == "" {
		h.Name = a.blockText(dir + "/dm/name")
		h.Kind = holderKind(a.blockText(dir + "/dm/uuid"))
	}
	return h
}

// blockText reads an attribute of a block device. It is empty if the attribute does
// not exist.
func (a *attributes) blockText(name string) string {
	text, err := hostfs.Text(a.sys, name, a.buf)
	switch {
	case err == nil && !holdsSecret(text):
		return text
	case err != nil && !hostfs.Gone(err) && !errors.Is(err, hostfs.ErrLong):
		a.note("holders")
	}
	return ""
}

// holderKind returns the creator of a device-mapper device.
func holderKind(uuid string) string {
	maker, _, _ := strings.Cut(uuid, "-")
	switch {
	case maker == "LVM":
		return "lvm"
	case maker == "CRYPT":
		return "crypt"
	case maker == "mpath":
		return "multipath"
	case strings.HasPrefix(maker, "part") && naming.Digits(maker[len("part"):]):
		return "partition"
	}
	return "other"
}
