package krbd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
)

// ParseOptions parses map options, OPTION[=VALUE] separated by commas, in the format
// of debugfs client_options (net/ceph/ceph_common.c, ceph_print_client_options). It
// ignores unknown options; the last of several counts. The result consists of flags,
// a number and words of closed sets, so that it cannot contain any part of a secret.
func ParseOptions(text string) rbd.Options {
	var o rbd.Options
	for option := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), ",") {
		name, value, _ := strings.Cut(option, "=")
		setOption(&o, name, value)
	}
	return o
}

func setOption(o *rbd.Options, name, value string) {
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
		o.MSMode = optionWord(value, "legacy", "crc", "secure", "prefer-crc", "prefer-secure")
	case "read_from_replica":
		o.ReadFrom = optionWord(value, "no", "balance", "localize")
	case "osd_request_timeout":
		// The kernel stores the seconds in an int.
		if n, err := strconv.ParseUint(value, 10, 31); err == nil {
			o.RequestTimeout = time.Duration(n) * time.Second
		}
	}
}

// optionWord returns value if it is one of the words, otherwise "other".
func optionWord(value string, words ...string) string {
	for _, w := range words {
		if value == w {
			return w
		}
	}
	return "other"
}

const debugfs = "kernel/debug/ceph"

// ClientOptions are the options of one client in debugfs, or the reason why they are
// unknown.
type ClientOptions struct {
	FSID     string       `json:"fsid"`
	ClientID uint64       `json:"client_id"`
	Options  *rbd.Options `json:"options,omitempty"`
	Err      string       `json:"err,omitempty"` // why Options is nil, for display
}

// ReadOptions reads the options of every libceph client of the host:
// kernel/debug/ceph/FSID.clientID/client_options, which takes no lock. sys is rooted
// at /sys. It needs CAP_DAC_READ_SEARCH, so it is called in the probe.
//
// If debugfs is not mounted, the error is fs.ErrNotExist. A client that is removed
// meanwhile is omitted. At most 1,024 clients are read.
func ReadOptions(sys fs.FS) ([]ClientOptions, error) {
	entries, err := fs.ReadDir(sys, debugfs)
	if err != nil {
		return nil, fmt.Errorf("rbd: list the clients in debugfs: %w", err)
	}
	var list []ClientOptions
	buf := make([]byte, hostfs.MaxSize)
	for _, e := range entries {
		client, ok := osdcClient(e.Name())
		if !ok || len(list) == osdcMaxListed {
			continue
		}
		c := ClientOptions{FSID: client.FSID, ClientID: client.ClientID}
		text, err := hostfs.Read(sys, debugfs+"/"+e.Name()+"/client_options", buf)
		switch {
		case debugfsGone(err):
			continue
		case err != nil:
			c.Err = debugfsReason(err)
		default:
			o := ParseOptions(string(text))
			c.Options = &o
		}
		list = append(list, c)
	}
	return list, nil
}

// debugfsReason returns why debugfs could not be read, without the path.
func debugfsReason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "debugfs is not mounted"
	case errors.Is(err, unix.EPERM):
		return "debugfs: operation not permitted"
	}
	return "debugfs: " + guest.Reason(err)
}

// A clientKey names a client of a cluster.
type clientKey struct {
	fsid string
	id   uint64
}

// addOptions fills in the options of the devices. A client's options never change, so
// they are requested until they are known, at most once per call and for all clients.
func (l *Lister) addOptions(ctx context.Context, list []rbd.Mapped) {
	known, reasons, asked := map[clientKey]*rbd.Options{}, map[clientKey]string{}, false
	reason := "debugfs has no entry of this client"
	for i := range list {
		m := &list[i]
		c := clientKey{m.FSID, m.ClientID}
		if c.fsid == "" || c.id == 0 {
			m.OptionsErr = "the client is not known"
			continue
		}
		o := l.options[c]
		if o == nil && !asked {
			asked = true
			answers, err := l.ask(ctx)
			if err != nil {
				reason = debugfsReason(err)
			}
			for _, a := range answers {
				l.options[clientKey{a.FSID, a.ClientID}] = a.Options
				reasons[clientKey{a.FSID, a.ClientID}] = a.Err
			}
			o = l.options[c]
		}
		m.Options, m.OptionsErr = o, ""
		if o == nil {
			m.OptionsErr = cmp.Or(reasons[c], reason)
			continue
		}
		known[c] = o
	}
	l.options = known
}

// debugfsGone is hostfs.Gone for debugfs, which returns EIO after a file was removed.
func debugfsGone(err error) bool { return hostfs.Gone(err) || errors.Is(err, unix.EIO) }
