package qemu

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// A ServedDevice is a block device whose data a process or a file has: a network block
// device in use, or a loop device.
type ServedDevice struct {
	Device  string      // nbdN, loopN
	PID     int         // of the process that serves a network block device (/sys/block/nbdN/pid); 0: unknown
	File    string      // of a loop device: the file or device it lies on (loop/backing_file), as the host names it
	Numbers [][2]uint32 // major and minor, its own and those of its partitions
}

// ReadServed lists the network block devices and loop devices in use, in the order of
// their names. sys is rooted at /sys. The drivers make their devices in advance, and
// give pid and loop/backing_file only to those in use (drivers/block/nbd.c, loop.c).
// One that goes away while it is read is left out; what cannot be read is an error.
func ReadServed(sys fs.FS) ([]ServedDevice, error) {
	entries, err := fs.ReadDir(sys, "block")
	if err != nil && !hostfs.Gone(err) {
		return nil, fmt.Errorf("rbd: list block devices: %w", err)
	}
	var list []ServedDevice
	buf := make([]byte, 8192) // sysfs gives a page at most
	for _, e := range entries {
		d := ServedDevice{Device: e.Name()}
		var err error
		switch {
		case naming.Numbered(d.Device, "nbd"):
			err = d.readPID(sys, buf)
		case naming.Numbered(d.Device, "loop"):
			err = d.readFile(sys, buf)
		default:
			continue
		}
		if err == nil {
			err = d.readNumbers(sys, buf)
		}
		switch {
		case err == nil:
			list = append(list, d)
		case !hostfs.Gone(err):
			return nil, fmt.Errorf("rbd: read %s: %w", d.Device, err)
		}
	}
	return list, nil
}

func (d *ServedDevice) readPID(sys fs.FS, buf []byte) error {
	pid, err := hostfs.Text(sys, "block/"+d.Device+"/pid", buf)
	n, _ := strconv.ParseUint(pid, 10, 31) // 0: it does not say
	d.PID = int(n)
	return err
}

// readFile reads what a loop device lies on. The kernel names it from the root of the
// mounts that it was opened in, whoever reads it (d_path).
func (d *ServedDevice) readFile(sys fs.FS, buf []byte) error {
	file, err := hostfs.Text(sys, "block/"+d.Device+"/loop/backing_file", buf)
	if d.File = naming.Text(strings.TrimSuffix(file, " (deleted)")); err == nil && d.File == "" {
		return fs.ErrNotExist // it is let go of
	}
	return err
}

func (d *ServedDevice) readNumbers(sys fs.FS, buf []byte) error {
	dir := "block/" + d.Device
	entries, err := fs.ReadDir(sys, dir)
	if err != nil {
		return err
	}
	names := []string{dir}
	for _, e := range entries {
		if naming.Numbered(e.Name(), d.Device+"p") && len(names) < partitionsMax {
			names = append(names, dir+"/"+e.Name())
		}
	}
	for _, name := range names {
		dev, err := hostfs.Text(sys, name+"/dev", buf)
		if err != nil {
			return err
		}
		if major, minor, ok := hostfs.ParseDev(dev); ok {
			d.Numbers = append(d.Numbers, [2]uint32{major, minor})
		}
	}
	return nil
}

// partitionsMax bounds the partitions of one device.
const partitionsMax = 256
