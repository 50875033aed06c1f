package kmsg

import "strings"

// storage says what a line of the block layer or of a filesystem means. Such a
// line counts only with the device it names, printed as the kernel has it:
// rbd0, rbd0p1, dm-3.
func storage(text string) Line {
	switch text[0] {
	case 'B':
		return bufferError(text)
	case 'E':
		return ext4(text)
	case 'X':
		return xfs(text)
	case 'A', 'J':
		return journal(text)
	}
	return blockError(text)
}

// The kinds of failure of the block layer (blk_errors in block/blk-core.c).
var blockErrors = [...]string{
	"I/O", "timeout", "critical space allocation", "recoverable transport", "critical target", "critical nexus",
	"critical medium", "reservation conflict", "protection", "kernel resource", "device resource",
	"nonblocking retry", "dm internal retry", "operation not supported", "zone resource", "device offline",
	"invalid", "duration limit exceeded", "zone open resource", "zone active resource",
}

// blockError recognizes "I/O error, dev rbd0, sector N"; 5.10 and 4.19 put a
// function's name before it.
func blockError(text string) Line {
	text = strings.TrimPrefix(text, "blk_update_request: ")
	text = strings.TrimPrefix(text, "print_req_error: ")
	if text == "" {
		return Line{}
	}
	for _, kind := range blockErrors {
		if text[0] != kind[0] || !strings.HasPrefix(text, kind) {
			continue
		}
		after := text[len(kind):]
		after, ok := strings.CutPrefix(after, " error, dev ")
		if device, rest, named := cutName(after, maxDisk); ok && named && strings.HasPrefix(rest, ", sector ") {
			return Line{Class: BlockError, Device: device, Detail: kind}
		}
	}
	return Line{}
}

// bufferError recognizes fs/buffer.c's "Buffer I/O error on dev rbd0, logical
// block N", and ext4's, which says "device" (fs/ext4/page-io.c).
func bufferError(text string) Line {
	after, ok := strings.CutPrefix(text, "Buffer I/O error on dev ")
	if !ok {
		after, ok = strings.CutPrefix(text, "Buffer I/O error on device ")
	}
	if device, rest, named := cutName(after, maxDisk); ok && named && strings.HasPrefix(rest, ", logical block ") {
		return Line{Class: BlockError, Device: device, Detail: "buffer"}
	}
	return Line{}
}

// ext4 says what "EXT4-fs (rbd0): TEXT" and "EXT4-fs error (device rbd0)..." mean.
func ext4(text string) Line {
	after, ok := strings.CutPrefix(text, "EXT4-fs")
	if !ok {
		return Line{}
	}
	if after, ok := strings.CutPrefix(after, " error (device "); ok {
		device, _, ok := cutHolder(after)
		return onDisk(FSError, device, ok)
	}
	if after, ok := strings.CutPrefix(after, " warning (device "); ok { // only the one that tells of lost data
		device, says, named := cutHolder(after)
		return onDisk(FSError, device, named && strings.Contains(says, "_end_bio:") && strings.Contains(says, "I/O error"))
	}
	after, ok = strings.CutPrefix(after, " (")
	device, says, named := cutHolder(after)
	says, colon := strings.CutPrefix(says, ": ")
	if !ok || !named || !colon {
		return Line{}
	}
	switch {
	case strings.HasPrefix(says, "Remounting filesystem read-only"):
		return onDisk(FSReadOnly, device, true)
	case strings.HasPrefix(says, "mounted filesystem"), strings.HasPrefix(says, "re-mounted"):
		return onDisk(FSMounted, device, true)
	}
	return onDisk(FSError, device, strings.Contains(says, "I/O error") || strings.Contains(says, "data loss") ||
		strings.HasPrefix(says, "Delayed block allocation failed"))
}

// cutHolder cuts the device of a filesystem, and the bracket that closes it.
func cutHolder(s string) (device, rest string, ok bool) {
	device, rest, ok = cutName(s, maxDisk)
	if !ok || !strings.HasPrefix(rest, ")") {
		return "", s, false
	}
	return device, rest[1:], true
}

func onDisk(c Class, device string, ok bool) Line {
	if !ok {
		return Line{}
	}
	return Line{Class: c, Device: device}
}

// What XFS says when it loses something (fs/xfs, alert and emergency level).
var xfsErrors = [...]string{"I/O error", "I/O Error", "orruption", "Internal error", "writeback error", "log mount/recovery failed"}

// xfs says what "XFS (rbd0): TEXT" means.
func xfs(text string) Line {
	after, ok := strings.CutPrefix(text, "XFS (")
	device, says, named := cutHolder(after)
	says, colon := strings.CutPrefix(says, ": ")
	if !ok || !named || !colon {
		return Line{}
	}
	switch {
	case strings.Contains(says, "Shutting down filesystem"):
		return Line{Class: FSReadOnly, Device: device}
	case strings.HasPrefix(says, "Ending clean mount"), strings.HasPrefix(says, "Ending recovery"):
		return Line{Class: FSMounted, Device: device}
	}
	return onDisk(FSError, device, containsAny(says, xfsErrors[:]))
}

// journal says what jbd2 means: "Aborting journal on device rbd0-8."
func journal(text string) Line {
	name, ok := strings.CutPrefix(text, "Aborting journal on device ")
	if !ok {
		says, jbd := strings.CutPrefix(text, "JBD2: ")
		if !jbd || !strings.HasPrefix(says, "I/O error ") && !strings.HasPrefix(says, "Detected IO errors ") {
			return Line{}
		}
		i := strings.LastIndexByte(says, ' ')
		name = says[i+1:]
	}
	name, rest, ok := cutName(strings.TrimRight(name, "."), maxDisk)
	if !ok || rest != "" {
		return Line{}
	}
	return Line{Class: FSError, Device: journalDisk(name), Detail: "journal"}
}

// journalDisk returns the disk of a journal: jbd2 adds the inode of one that is
// inside a filesystem, rbd0-8, and nothing to one on a device of its own, dm-3.
func journalDisk(name string) string {
	disk, inode, ok := cutLast(name, '-')
	if !ok || disk == "dm" {
		return name
	}
	if _, rest, number := cutDigits(inode, 20); !number || rest != "" {
		return name
	}
	return disk
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 1 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
