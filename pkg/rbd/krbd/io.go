package krbd

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// maxKept is the number of devices whose files an IOReader keeps open.
const maxKept = 1024

// An IOReader reads the counters repeatedly. It must be used by one goroutine only.
//
// With a SysFS it keeps stat and inflight of each device open (for the first 1024
// devices): a read of an open attribute is one system call, whereas looking up the
// path, opening and closing cost four times as much. An open attribute does not pin
// the device: unmapping does not wait for it, and reading it then fails. Each call
// lists the devices again and closes the files of those that no longer exist.
type IOReader struct {
	sys     fs.FS
	devices map[int]*ioDevice
	calls   uint64
	buf     []byte
}

type ioDevice struct {
	name           string
	stat, inflight ioFile
	call           uint64 // call that last saw it
}

// NewIOReader returns an IOReader for sys, which is rooted at /sys.
func NewIOReader(sys fs.FS) *IOReader {
	return &IOReader{sys: sys, devices: map[int]*ioDevice{}, buf: make([]byte, 4096)}
}

// Read reads the block layer's counters of every krbd device, sorted by ID. It omits a
// device that is removed during the read or has no block device yet; any other failure is
// an error.
func (r *IOReader) Read(ctx context.Context) ([]rbd.IO, error) {
	ids, err := listIDs(r.sys)
	if err != nil {
		return nil, fmt.Errorf("rbd: list the mapped devices: %w", err)
	}
	r.calls++
	list := make([]rbd.IO, 0, len(ids))
	for i, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rbd: read block counters: %w", err)
		}
		io, err := r.read(id, i < maxKept)
		switch {
		case err == nil:
			list = append(list, io)
		case !hostfs.Gone(err):
			return nil, fmt.Errorf("rbd: read the block counters of rbd%d: %w", id, err)
		}
	}
	r.forget()
	return list, nil
}

// Close closes the files that are kept open. Read opens them again.
func (r *IOReader) Close() {
	r.calls++
	r.forget()
}

// forget closes the files of the devices that the current call has not seen.
func (r *IOReader) forget() {
	for id, d := range r.devices {
		if d.call != r.calls {
			d.close()
			delete(r.devices, id)
		}
	}
}

// read reads one device. It reads inflight only if stat counts requests in flight:
// both count the same (block/genhd.c), but only inflight distinguishes reads from
// writes.
func (r *IOReader) read(id int, keep bool) (rbd.IO, error) {
	d := r.device(id)
	if !keep {
		defer d.close()
	}
	io := rbd.IO{Device: d.name}
	b, err := d.stat.read(r.sys, r.buf)
	if err != nil {
		return rbd.IO{}, err
	}
	inFlight, err := parseStat(b, &io)
	if err == nil && inFlight > 0 {
		if b, err = d.inflight.read(r.sys, r.buf); err != nil {
			return rbd.IO{}, err
		}
		io.InFlightR, io.InFlightW, err = parseInFlight(b)
	}
	if err != nil {
		return rbd.IO{Device: d.name, Partly: err.Error()}, nil
	}
	return io, nil
}

func (r *IOReader) device(id int) *ioDevice {
	d, known := r.devices[id]
	if !known {
		name := "rbd" + strconv.Itoa(id)
		d = &ioDevice{name: name, stat: newIOFile("block/" + name + "/stat"), inflight: newIOFile("block/" + name + "/inflight")}
		r.devices[id] = d
	}
	d.call = r.calls
	return d
}

func (d *ioDevice) close() {
	d.stat.close()
	d.inflight.close()
}
