package krbd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// Limits of what ReadPending reads and returns.
const (
	osdcMaxFile    = 4 << 20 // bytes of one osdc
	osdcMaxListed  = 1024    // clients read
	osdcMaxClients = 64      // clients returned
	osdcMaxTotal   = 512     // requests returned, of all clients
)

// ReadPending reads what each krbd client waits for, sorted by FSID and client:
// kernel/debug/ceph/FSID.clientID/osdc. sys is rooted at /sys.
//
// It may never come back: the kernel makes osdc under the locks of the OSD client,
// and in a storm the one who holds them re-sends everything meanwhile. The reader
// then sleeps so that no signal wakes it. It belongs into the probe child, which
// can be left behind, and nowhere else.
//
// No client is an empty list. debugfs that is not mounted while devices are mapped,
// or may not be read, is an error. A client that goes away is left out; one whose
// osdc cannot be read or understood says so in Partly. Clients of CephFS are left
// out. At most 64 clients and 512 requests are returned: the clients that do
// worst, and LeftOut says how many there are besides; with very many requests
// fewer of each client.
func ReadPending(sys fs.FS) ([]rbd.Pending, error) {
	entries, err := fs.ReadDir(sys, debugfs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, osdcAbsent(sys, err)
	}
	if err != nil {
		return nil, fmt.Errorf("rbd: list the clients in debugfs: %w", err)
	}
	var list []rbd.Pending
	unread := 0
	for _, e := range entries {
		p, ok := osdcClient(e.Name())
		switch {
		case !ok || osdcIsCephFS(sys, e.Name()):
			continue
		case len(list) == osdcMaxListed:
			unread++
			continue
		}
		if err = osdcRead(sys, &p); err == nil {
			list = append(list, p)
		} else if !debugfsGone(err) {
			return nil, fmt.Errorf("rbd: read osdc of client %d: %w", p.ClientID, err)
		}
	}
	return osdcLimit(list, unread), nil
}

// osdcAbsent says what it means that libceph has no directory in debugfs: libceph
// is not loaded, unless there are devices.
func osdcAbsent(sys fs.FS, absent error) error {
	ids, err := listIDs(sys)
	if err != nil {
		return fmt.Errorf("rbd: list the mapped devices: %w", err)
	}
	if len(ids) > 0 {
		return fmt.Errorf("rbd: debugfs is not mounted: %w", absent)
	}
	return nil
}

// osdcClient parses a directory's name, FSID.clientID.
func osdcClient(name string) (p rbd.Pending, ok bool) {
	fsid, client, _ := strings.Cut(name, ".")
	p.ClientID, ok = parseNumber(client, "client", 10, 64)
	p.FSID = fsid
	return p, ok && isUUID(fsid)
}

// osdcIsCephFS reports whether a client is a mount's: fs/ceph puts mdsc beside osdc.
func osdcIsCephFS(sys fs.FS, name string) bool {
	_, err := fs.Stat(sys, debugfs+"/"+name+"/mdsc")
	return err == nil
}

// osdcRead reads p's osdc. It is an error that p is gone, or may not be read.
func osdcRead(sys fs.FS, p *rbd.Pending) error {
	f, err := sys.Open(fmt.Sprintf("%s/%s.client%d/osdc", debugfs, p.FSID, p.ClientID))
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, osdcMaxFile+1))
	if debugfsGone(err) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	read := rbd.Pending{Truncated: len(text) > osdcMaxFile}
	if read.Truncated {
		text = text[:bytes.LastIndexByte(text[:osdcMaxFile], '\n')+1]
	}
	if err == nil {
		truncated := read.Truncated
		read, err = ParseOSDC(bytes.NewReader(text))
		read.Truncated = truncated
	}
	if err != nil {
		read = rbd.Pending{Partly: err.Error()}
	}
	read.FSID, read.ClientID = p.FSID, p.ClientID
	*p = read
	return nil
}

// osdcLimit cuts the list down to what is returned.
func osdcLimit(list []rbd.Pending, unread int) []rbd.Pending {
	if len(list) > osdcMaxClients {
		slices.SortFunc(list, osdcWorse)
		unread += len(list) - osdcMaxClients
		list = list[:osdcMaxClients]
	}
	slices.SortFunc(list, osdcByClient)
	requests := 0
	for _, p := range list {
		requests += len(p.Requests)
	}
	if requests > osdcMaxTotal {
		for i := range list {
			list[i].Requests = osdcWorst(list[i].Requests, osdcMaxTotal/len(list))
		}
	}
	if len(list) > 0 {
		list[0].LeftOut = unread
	}
	return list
}
