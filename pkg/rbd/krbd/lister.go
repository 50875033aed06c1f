package krbd

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// The schedule on which a Lister reads a device in full: in its first calls, because
// the block device, its partitions and their holders appear after the mapping; and
// then occasionally, because size and holders change without notice.
const (
	young = 3
	renew = 30
)

// A Lister reads the krbd devices of a host repeatedly. It must be used by one
// goroutine only.
type Lister struct {
	reader  reader
	ask     func(context.Context) ([]ClientOptions, error)
	options map[clientKey]*rbd.Options // options of the clients of the latest list
	devices map[int]knownDevice
	calls   int
}

type knownDevice struct {
	mapped rbd.Mapped
	inode  uint64 // inode of its directory: another one means another mapping. 0: unknown, nothing may be reused
	reads  int
}

// NewLister returns a Lister for sys, which is rooted at /sys. options returns the
// result of ReadOptions from the probe. It is called while a client's options are
// unknown, and limits how long a list waits for it.
func NewLister(sys fs.FS, options func(context.Context) ([]ClientOptions, error)) *Lister {
	return &Lister{reader: reader{sys: sys, buf: make([]byte, hostfs.MaxSize)}, ask: options, options: map[clientKey]*rbd.Options{}}
}

// Read returns every krbd device of the host, sorted by ID. It takes no lock and does
// no I/O, so it does not hang while the cluster does (drivers/block/rbd.c). Without
// the rbd module the list is empty. A device that is removed during the read is
// omitted. Any other failure, above all denied permission, is an error; only the
// options may be missing, with the reason in OptionsErr. config_info is never opened:
// it may contain the secret.
//
// Each call lists the devices and checks that each is still the same mapping by the
// same client. It reads a device in full only in the first calls and then on every
// 30th, at a different call for each device. The returned lists share their parts and
// must not be changed.
func (l *Lister) Read(ctx context.Context) ([]rbd.Mapped, error) {
	ids, err := listIDs(l.reader.sys)
	if err != nil {
		return nil, fmt.Errorf("rbd: list the mapped devices: %w", err)
	}
	l.calls++
	devices := make(map[int]knownDevice, len(ids))
	var list []rbd.Mapped
	clients := map[uint64]bool{}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rbd: list the mapped devices: %w", err)
		}
		d, err := l.device(id, clients)
		if hostfs.Gone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("rbd: read rbd%d: %w", id, err)
		}
		devices[id] = d
		list = append(list, d.mapped)
	}
	l.devices = devices
	l.addOptions(ctx, list)
	return list, nil
}

// device returns a known device, or reads it.
func (l *Lister) device(id int, clients map[uint64]bool) (knownDevice, error) {
	inode, err := inodeOf(l.reader.sys, id)
	if err != nil {
		return knownDevice{}, err
	}
	d, known := l.devices[id]
	if !known || inode == 0 || d.inode != inode {
		d = knownDevice{inode: inode}
	}
	due := (l.calls+id)%renew == 0
	if d.reads >= young && !due && l.sameClient(d.mapped, clients) {
		return d, nil
	}
	if d.mapped, err = l.reader.mapped(id); err != nil {
		return knownDevice{}, err
	}
	d.reads++
	// If a mapping came or went meanwhile, the values would be of two mappings.
	if again, err := inodeOf(l.reader.sys, id); err != nil || again != inode {
		return knownDevice{}, fs.ErrNotExist
	}
	return d, nil
}

// sameClient reports whether the device's client still has its number: it gets
// another one when it connects again after it was blocklisted. A device keeps its
// client for its whole life, so one device per client is checked in each call.
func (l *Lister) sameClient(m rbd.Mapped, clients map[uint64]bool) bool {
	same, asked := clients[m.ClientID]
	if !asked {
		a := attributes{reader: &l.reader, dir: fmt.Sprintf("%s/%d/", devicesDir, m.ID)}
		id := a.number("client_id", "client", 10, 64)
		same = a.err == nil && id == m.ClientID
		clients[m.ClientID] = same
	}
	return same
}
