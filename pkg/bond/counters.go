package bond

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// statistics are the files of class/net/*/statistics that make up Counters. An old
// kernel may lack one; its counter is then zero.
var statistics = [...]struct {
	file  string
	field func(*Counters) *uint64
}{
	{"rx_packets", func(c *Counters) *uint64 { return &c.RxPackets }},
	{"tx_packets", func(c *Counters) *uint64 { return &c.TxPackets }},
	{"rx_bytes", func(c *Counters) *uint64 { return &c.RxBytes }},
	{"tx_bytes", func(c *Counters) *uint64 { return &c.TxBytes }},
	{"rx_errors", func(c *Counters) *uint64 { return &c.RxErrors }},
	{"tx_errors", func(c *Counters) *uint64 { return &c.TxErrors }},
	{"rx_dropped", func(c *Counters) *uint64 { return &c.RxDropped }},
	{"tx_dropped", func(c *Counters) *uint64 { return &c.TxDropped }},
	{"rx_over_errors", func(c *Counters) *uint64 { return &c.RxOver }},
	{"rx_crc_errors", func(c *Counters) *uint64 { return &c.RxCRC }},
	{"rx_frame_errors", func(c *Counters) *uint64 { return &c.RxFrame }},
	{"rx_fifo_errors", func(c *Counters) *uint64 { return &c.RxFIFO }},
	{"rx_missed_errors", func(c *Counters) *uint64 { return &c.RxMissed }},
	{"tx_carrier_errors", func(c *Counters) *uint64 { return &c.TxCarrier }},
	{"tx_fifo_errors", func(c *Counters) *uint64 { return &c.TxFIFO }},
	{"rx_nohandler", func(c *Counters) *uint64 { return &c.RxNoHandler }},
}

// keepOpen is the number of links whose files stay open, 16 each. The files of
// further links, as on a host with many virtual functions, are opened for each
// reading.
const keepOpen = 64

// Counters reads the counters of the links with these ifindexes, in their order. It
// omits links that the last Read did not find and links that no longer exist. Speed
// is that of the last Read.
//
// It reads files of sysfs, most of them kept open. A reply to RTM_GETLINK waits,
// beyond any timeout, for the rtnl lock, which a NIC's driver holds while it resets:
// just when these numbers matter. These files do not take that lock
// (net/core/net-sysfs.c, netstat_show).
func (r *Reader) Counters(ctx context.Context, indexes []int) ([]Counters, error) {
	found := r.found.Load()
	if found == nil {
		return nil, errors.New("bond: counters: no links have been read yet")
	}
	for i := range r.meters {
		if _, still := (*found)[i]; !still {
			r.drop(i)
		}
	}
	out := make([]Counters, 0, len(indexes))
	for _, i := range indexes {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("bond: counters: %w", err)
		}
		p, known := (*found)[i]
		if !known {
			continue
		}
		c, err := r.counters(i, p)
		switch {
		case gone(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("bond: counters of %s: %w", p.name, err)
		}
		out = append(out, c)
	}
	if len(out) < len(indexes) { // is the link gone, or all of sysfs?
		if _, err := fs.Stat(r.sys, "class/net"); err != nil {
			return nil, fmt.Errorf("bond: counters: %w", err)
		}
	}
	return out, nil
}

// counters reads the counters of one link, and drops its files if they cannot be
// read.
func (r *Reader) counters(index int, p port) (Counters, error) {
	m := r.meters[index]
	if m == nil {
		var err error
		if m, err = openMeter(r.sys, p.name, index); err != nil {
			return Counters{}, err
		}
		r.meters[index] = m
	}
	c := Counters{Name: p.name, Index: index, Speed: p.speed}
	if err := m.read(&c); err != nil {
		r.drop(index)
		return Counters{}, err
	}
	if len(r.meters) > keepOpen {
		r.drop(index)
	}
	return c, nil
}

func (r *Reader) drop(index int) {
	r.meters[index].close()
	delete(r.meters, index)
}

// gone reports whether an error means that the link no longer exists: its files do
// not exist, were removed (ENODEV), or are being removed (EINVAL).
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL)
}

// A meter holds the open statistics files of one link. They stay with the link
// when it is renamed.
type meter struct {
	files [len(statistics)]fs.File // nil: this kernel has no such counter
}

// openMeter opens the files of the link of that name, if it has that ifindex.
func openMeter(sys fs.FS, name string, index int) (*meter, error) {
	if sys == nil {
		return nil, errors.ErrUnsupported
	}
	m := &meter{}
	for i, s := range statistics {
		f, err := sys.Open(netPath(name, "statistics/"+s.file))
		if errors.Is(err, fs.ErrNotExist) && i > 0 {
			continue
		}
		if err != nil {
			m.close()
			return nil, err
		}
		m.files[i] = f
	}
	// Checked last, to detect that the name has moved to another link.
	if text := (sysfs{sys}).text(name, "ifindex"); text != strconv.Itoa(index) {
		m.close()
		return nil, fmt.Errorf("ifindex is %q, not %d: %w", text, index, fs.ErrNotExist)
	}
	return m, nil
}

func (m *meter) close() {
	for _, f := range m.files {
		if f != nil {
			f.Close()
		}
	}
}

// read sets the counters that the kernel has.
func (m *meter) read(c *Counters) error {
	var buf [32]byte // 2^64 and a newline need 21
	for i, f := range m.files {
		if f == nil {
			continue
		}
		at, ok := f.(io.ReaderAt)
		if !ok {
			return fmt.Errorf("%T cannot be read again: %w", f, errors.ErrUnsupported)
		}
		n, err := at.ReadAt(buf[:], 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		v, err := strconv.ParseUint(strings.TrimSpace(string(buf[:n])), 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", statistics[i].file, err)
		}
		*statistics[i].field(c) = v
	}
	return nil
}
