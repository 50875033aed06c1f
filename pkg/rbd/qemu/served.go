package qemu

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// A ServedDevice is a block device backed by a process or a file: a network block
// device in use, or a loop device.
type ServedDevice struct {
	Device  string      // nbdN, loopN
	PID     int         // PID of the process behind a network block device (/sys/block/nbdN/pid); 0 if unknown
	File    string      // file or device behind a loop device (loop/backing_file), by its name on the host
	Numbers [][2]uint32 // major and minor of the device and its partitions
}

// ReadServed lists the network block devices and loop devices in use, sorted by name.
// sys is rooted at /sys. The drivers create their devices in advance; only those in
// use have pid and loop/backing_file (drivers/block/nbd.c, loop.c). A device that is
// removed during the read is omitted; any other failure is an error.
func ReadServed(sys fs.FS) ([]ServedDevice, error) {
	entries, err := fs.ReadDir(sys, "block")
	if err != nil && !hostfs.Gone(err) {
		return nil, fmt.Errorf("rbd: list block devices: %w", err)
	}
	var list []ServedDevice
	buf := make([]byte, 8192) // sysfs returns at most a page
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
	n, _ := strconv.ParseUint(pid, 10, 31) // 0 if not reported
	d.PID = int(n)
	return err
}

// readFile returns the file behind a loop device. The kernel prints its path from the
// root of the mounts in which it was opened, not from the reader's root (d_path).
func (d *ServedDevice) readFile(sys fs.FS, buf []byte) error {
	file, err := hostfs.Text(sys, "block/"+d.Device+"/loop/backing_file", buf)
	if d.File = naming.Text(strings.TrimSuffix(file, " (deleted)")); err == nil && d.File == "" {
		return fs.ErrNotExist // it is being detached
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

// partitionsMax is the maximum number of partitions of one device.
const partitionsMax = 256
