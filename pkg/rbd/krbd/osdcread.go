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

// Limits on what ReadPending reads and returns.
const (
	osdcMaxFile    = 4 << 20 // bytes of one osdc
	osdcMaxListed  = 1024    // clients read
	osdcMaxClients = 64      // clients returned
	osdcMaxTotal   = 512     // requests returned, of all clients
)

// ReadPending reads the pending requests of each krbd client, sorted by FSID and
// client: kernel/debug/ceph/FSID.clientID/osdc. sys is rooted at /sys.
//
// It may never return: the kernel generates osdc under the locks of the OSD client,
// and in a storm the lock holder resends all requests meanwhile. The reader then
// sleeps uninterruptibly. Call it only in the probe child, which can be abandoned.
//
// Without clients the list is empty. It is an error if debugfs may not be read, or is
// not mounted while devices are mapped. A client that is removed meanwhile is
// omitted; one whose osdc cannot be read or parsed has the reason in Partly. Clients
// of CephFS are omitted. At most 64 clients and 512 requests are returned: the worst
// clients, with the number of the others in LeftOut. If there are very many requests,
// fewer of each client are returned.
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

// osdcAbsent returns the error for a missing libceph directory in debugfs: nil
// without devices, because libceph is then not loaded.
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

// osdcIsCephFS reports whether a client belongs to a mount: fs/ceph adds mdsc next to
// osdc.
func osdcIsCephFS(sys fs.FS, name string) bool {
	_, err := fs.Stat(sys, debugfs+"/"+name+"/mdsc")
	return err == nil
}

// osdcRead reads p's osdc. It returns an error if p was removed or may not be read.
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

// osdcLimit truncates the list to the limits.
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
