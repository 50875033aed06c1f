package qemu

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// An NBDDevice is a network block device in use: rbd-nbd's, if its process is rbd-nbd.
type NBDDevice struct {
	Device string `json:"device"` // nbdN
	PID    int    `json:"pid"`    // of the process that serves it (/sys/block/nbdN/pid); 0: not said
	Major  uint32 `json:"major"`
	Minor  uint32 `json:"minor"`
}

// ReadNBD lists the network block devices in use, in the order of their names. sys
// is rooted at /sys. The driver makes its devices in advance and gives pid only to
// those in use (drivers/block/nbd.c). One that goes away while it is read is left
// out; what cannot be read is an error.
func ReadNBD(sys fs.FS) ([]NBDDevice, error) {
	entries, err := fs.ReadDir(sys, "block")
	if err != nil && !hostfs.Gone(err) {
		return nil, fmt.Errorf("rbd: list block devices: %w", err)
	}
	var list []NBDDevice
	buf := make([]byte, 256)
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "nbd")
		if !ok || !naming.Digits(number) {
			continue
		}
		d, err := nbdDevice(sys, e.Name(), buf)
		switch {
		case err == nil:
			list = append(list, d)
		case !hostfs.Gone(err):
			return nil, fmt.Errorf("rbd: read %s: %w", e.Name(), err)
		}
	}
	return list, nil
}

func nbdDevice(sys fs.FS, name string, buf []byte) (NBDDevice, error) {
	pid, err := hostfs.Text(sys, "block/"+name+"/pid", buf)
	if err != nil {
		return NBDDevice{}, err
	}
	dev, err := hostfs.Text(sys, "block/"+name+"/dev", buf)
	if err != nil {
		return NBDDevice{}, err
	}
	d := NBDDevice{Device: name}
	n, _ := strconv.ParseUint(pid, 10, 31) // 0: it does not say
	d.PID = int(n)
	d.Major, d.Minor, _ = hostfs.ParseDev(dev)
	return d, nil
}
