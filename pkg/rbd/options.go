package rbd

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// ParseOptions parses map options, OPTION[=VALUE] separated by commas, as
// debugfs client_options has them (net/ceph/ceph_common.c,
// ceph_print_client_options). Unknown ones are ignored; the last of several
// counts. What it returns is made of flags, a number and words of closed sets,
// so that no part of a secret can be in it.
func ParseOptions(text string) Options {
	var o Options
	for option := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), ",") {
		name, value, _ := strings.Cut(option, "=")
		o.set(name, value)
	}
	return o
}

func (o *Options) set(name, value string) {
	switch name {
	case "rxbounce":
		o.RxBounce = true
	case "crc", "nocrc":
		o.NoCRC = name == "nocrc"
	case "share", "noshare":
		o.NoShare = name == "noshare"
	case "abort_on_full":
		o.AbortOnFull = true
	case "ms_mode":
		o.MSMode = krbdOptionWord(value, "legacy", "crc", "secure", "prefer-crc", "prefer-secure")
	case "read_from_replica":
		o.ReadFrom = krbdOptionWord(value, "no", "balance", "localize")
	case "osd_request_timeout":
		// The kernel takes seconds into an int.
		if n, err := strconv.ParseUint(value, 10, 31); err == nil {
			o.RequestTimeout = time.Duration(n) * time.Second
		}
	}
}

// krbdOptionWord returns value if it is one of the words, and else "other".
func krbdOptionWord(value string, words ...string) string {
	for _, w := range words {
		if value == w {
			return w
		}
	}
	return "other"
}

const krbdDebugfs = "kernel/debug/ceph"

// krbdOptions are the options of a client, or why they are not known.
type krbdOptions struct {
	options *Options
	reason  string
}

// optionsOf reads the options of a client, once for all its devices.
func (r *krbdReader) optionsOf(fsid string, client uint64) (*Options, string) {
	if fsid == "" || client == 0 {
		return nil, "the client is not known"
	}
	dir := fmt.Sprintf("%s/%s.client%d", krbdDebugfs, fsid, client)
	o, known := r.options[dir]
	if !known {
		o = r.readOptions(dir)
		r.options[dir] = o
	}
	return o.options, o.reason
}

// readOptions reads client_options, which takes no lock.
func (r *krbdReader) readOptions(dir string) krbdOptions {
	b, err := sysfsRead(r.sys, dir+"/client_options", r.buf)
	if err == nil {
		o := ParseOptions(string(b))
		return krbdOptions{options: &o}
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := fs.Stat(r.sys, krbdDebugfs); errors.Is(err, fs.ErrNotExist) {
			return krbdOptions{reason: "debugfs is not mounted"}
		}
		return krbdOptions{reason: "debugfs has no entry of this client"}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return krbdOptions{reason: "debugfs: " + err.Error()}
}
