package kmsg

import "strings"

// storage classifies a line of the block layer or of a filesystem. Such a line counts
// only with the device it names, as the kernel prints it: rbd0, rbd0p1, dm-3.
func storage(text string) Line {
	switch text[0] {
	case 'B':
		if strings.HasPrefix(text, "BTRFS") {
			return btrfs(text)
		}
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

// bufferError recognizes fs/buffer.c's "Buffer I/O error on dev rbd0, logical block
// N", and ext4's, which has "device" instead of "dev" (fs/ext4/page-io.c).
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

// ext4 classifies "EXT4-fs (rbd0): TEXT" and "EXT4-fs error (device rbd0)...".
func ext4(text string) Line {
	after, ok := strings.CutPrefix(text, "EXT4-fs")
	if !ok {
		return Line{}
	}
	if after, ok := strings.CutPrefix(after, " error (device "); ok {
		device, _, ok := cutHolder(after)
		return onDisk(FSError, device, ok)
	}
	if after, ok := strings.CutPrefix(after, " warning (device "); ok { // only the message that reports lost data
		device, says, named := cutHolder(after)
		return onDisk(FSError, device, named && strings.Contains(says, "_end_bio:") && strings.Contains(says, "I/O error"))
	}
	after, ok = strings.CutPrefix(after, " (")
	device, says, named := cutHolder(after)
	says, colon := strings.CutPrefix(says, ": ")
	if !ok || !named || !colon {
		return Line{}
	}
	if p, ok := lookUp(ext4Lines, says); ok {
		return Line{Class: p.class, Device: device, Detail: p.detail}
	}
	return onDisk(FSError, device, containsAny(says, ext4Errors[:]))
}

// The messages of ext4 about a whole filesystem (fs/ext4/super.c). An attempt to
// mount a device without a filesystem is not a fault.
var ext4Lines = []phrase{
	{"Remounting filesystem read-only", FSReadOnly, ""},
	{"shut down requested", FSReadOnly, ""},
	{"mounted filesystem", FSMounted, ""},
	{"re-mounted", FSMounted, ""},
	{"unable to read superblock", FSError, "mount"},
	{"bad geometry: ", FSError, "mount"},
	{"bad block size ", FSError, "mount"},
	{"no journal found", FSError, "mount"},
	{"error loading journal", FSError, "mount"},
	{"journal inode is deleted", FSError, "mount"},
	{"Couldn't mount ", FSError, "mount"},
	{"group descriptors corrupted", FSError, "mount"},
	{"get root inode failed", FSError, "mount"},
	{"corrupt root inode", FSError, "mount"},
	{"mount failed", FSError, "mount"},
	{"write access unavailable, cannot proceed", FSError, "mount"},
	{"warning: mounting fs with errors", FSError, ""},
	{"Delayed block allocation failed", FSError, ""},
	{"This should not happen!!  Data will be lost", FSError, ""},
}

// The messages of ext4 about lost data.
var ext4Errors = [...]string{"I/O error", "data loss"}

// cutHolder cuts the device of a filesystem, and its closing bracket.
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

// The messages of XFS about a whole filesystem (fs/xfs/xfs_super.c, xfs_mount.c,
// xfs_fsops.c, xfs_log.c, libxfs/xfs_sb.c).
var xfsLines = []phrase{
	{"Filesystem has been shut down due to ", FSReadOnly, ""},
	{"User initiated shutdown received", FSReadOnly, ""},
	{"xfs_do_force_shutdown(", FSReadOnly, ""}, // up to 5.18
	{"Ending clean mount", FSMounted, ""},
	{"Ending recovery", FSMounted, ""},
	{"Superblock has unknown ", FSError, "mount"},
	{"Filesystem can not be safely mounted", FSError, "mount"},
	{"Filesystem cannot be safely mounted", FSError, "mount"},
	{"Filesystem can only be safely mounted read only", FSError, "mount"},
	{"Filesystem has duplicate UUID ", FSError, "mount"},
	{"SB validate failed with error ", FSError, "mount"},
	{"SB sanity check failed", FSError, "mount"},
	{"bad version", FSError, "mount"},
	{"log mount failed", FSError, "mount"},
	{"log mount/recovery failed", FSError, "mount"},
	{"failed to read root inode", FSError, "mount"},
	{"Failed to read root inode", FSError, "mount"},
	{"recovery required on read-only device", FSError, "mount"},
	{"write access unavailable, cannot proceed", FSError, "mount"},
	{"File system with blocksize ", FSError, "mount"},
	{"file system too large to be mounted", FSError, "mount"},
	{"Metadata CRC error detected", FSError, ""},
}

// The messages of XFS about lost data (fs/xfs, alert and emergency level).
var xfsErrors = [...]string{"I/O error", "I/O Error", "orruption", "Internal error", "writeback error", "log mount/recovery failed"}

// xfs classifies "XFS (rbd0): TEXT".
func xfs(text string) Line {
	after, ok := strings.CutPrefix(text, "XFS (")
	device, says, named := cutHolder(after)
	says, colon := strings.CutPrefix(says, ": ")
	if !ok || !named || !colon {
		return Line{}
	}
	if strings.Contains(says, "Shutting down filesystem") {
		return Line{Class: FSReadOnly, Device: device}
	}
	if p, ok := lookUp(xfsLines, says); ok {
		return Line{Class: p.class, Device: device, Detail: p.detail}
	}
	return onDisk(FSError, device, containsAny(says, xfsErrors[:]))
}

// The messages of btrfs about a whole filesystem, at any level (fs/btrfs/disk-io.c, fs.c,
// super.c).
var btrfsLines = []phrase{
	{"forced readonly", FSReadOnly, ""},
	{"first mount of filesystem ", FSMounted, ""},
	{"open_ctree failed", FSError, "mount"},
	{"failed to read ", FSError, "mount"},
	{"superblock checksum mismatch", FSError, "mount"},
	{"csum failed ", FSError, ""}, // a warning
	{"csum hole found ", FSError, ""},
	{"checksum verify failed ", FSError, ""},
	{"lost page write ", FSError, ""},
	{"lost super block write ", FSError, ""},
}

// btrfs classifies "BTRFS LEVEL (device rbd0): TEXT", and "BTRFS: error (device rbd0)
// in FUNC:LINE: errno=-5 IO failure". Since 5.18 the device's states may follow its
// name, "(device rbd0 state EA)".
func btrfs(text string) Line {
	after, ok := strings.CutPrefix(strings.TrimPrefix(text[len("BTRFS"):], ":"), " ")
	level, after, found := strings.Cut(after, " (device ")
	if !ok || !found {
		return Line{}
	}
	device, says, named := cutName(after, maxDisk)
	if states, ok := strings.CutPrefix(strings.TrimPrefix(says, ":"), " state "); ok { // with a colon from 5.18 to 6.1
		says = strings.TrimLeft(states, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	}
	says, closed := strings.CutPrefix(says, ")")
	says = strings.TrimPrefix(strings.TrimPrefix(says, ":"), " ")
	if !named || !closed {
		return Line{}
	}
	if p, ok := lookUp(btrfsLines, says); ok {
		return Line{Class: p.class, Device: device, Detail: p.detail}
	}
	return onDisk(FSError, device, level == "error" || level == "critical" || level == "alert" || level == "emergency")
}

// journal classifies jbd2's "Aborting journal on device rbd0-8.".
func journal(text string) Line {
	name, ok := strings.CutPrefix(text, "Aborting journal on device ")
	if !ok {
		name = ""
		for _, begins := range [...]string{"JBD2: I/O error ", "JBD2: Error -", "JBD2: Detected IO errors "} {
			if says, found := strings.CutPrefix(text, begins); found {
				name = says[strings.LastIndexByte(says, ' ')+1:]
			}
		}
	}
	name, rest, ok := cutName(strings.TrimRight(name, "."), maxDisk)
	if !ok || rest != "" {
		return Line{}
	}
	return Line{Class: FSError, Device: journalDisk(name), Detail: "journal"}
}

// journalDisk returns the disk of a journal: jbd2 appends the inode of a journal
// inside a filesystem, rbd0-8, and nothing to a journal on a separate device, dm-3.
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
