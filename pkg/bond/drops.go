package bond

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ReadDrops reads the overload counters of the drivers of these NICs, in their
// order. NICs that are gone, that have no statistics, and links that are no NICs are
// left out. Of a driver that this package does not know, Unlisted has what looks
// like drops.
//
// Each NIC takes five ioctls, which wait for the kernel's rtnl lock and on some
// drivers ask the firmware: this is for a deadline of its own.
func ReadDrops(ctx context.Context, names []string) ([]Drops, error) {
	e, err := newEthtool()
	if err != nil {
		return nil, fmt.Errorf("bond: ethtool: %w", err)
	}
	defer e.close()
	var out []Drops
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("bond: ethtool: %w", err)
		}
		d, err := dropsOn(e, name)
		switch {
		case errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL):
			continue
		case err != nil:
			return nil, fmt.Errorf("bond: ethtool: %s: %w", name, err)
		case d.Driver != "":
			out = append(out, d)
		}
	}
	return out, nil
}

// dropsOn reads those of one NIC. Driver is empty if it is none.
func dropsOn(e *ethtool, name string) (Drops, error) {
	index, err := indexOf(name) // refuses names that the kernel would cut short
	if err != nil {
		return Drops{}, err
	}
	driver, bus, err := e.driver(name)
	if err != nil {
		return Drops{}, err
	}
	c, known := countersOf(driver)
	if !known && !onBus(bus) {
		return Drops{}, nil
	}
	all, err := e.statistics(name)
	if err != nil {
		return Drops{}, err
	}
	c.addKernels(all, func() (uint64, error) { return kernelDropped(name) })
	return Drops{Name: name, Index: index, Driver: driver, Counts: dropsOf(driver, all), Unlisted: unlistedOf(driver, all)}, nil
}

// addKernels adds the counter that the driver gives only to the kernel: the number of
// frames of the NIC that it dropped.
func (c counters) addKernels(all map[string]uint64, dropped func() (uint64, error)) {
	if _, listed := all[c.kernels]; c.kernels == "" || listed {
		return
	}
	if n, err := dropped(); err == nil {
		all[c.kernels] = n
	}
}

// kernelDropped is the kernel's own rx_dropped of a NIC.
func kernelDropped(name string) (uint64, error) {
	raw, err := os.ReadFile("/sys/class/net/" + name + "/statistics/rx_dropped")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
}

// onBus reports whether ethtool's bus information is of a device, and so the link a
// NIC: it is empty for virtual links, but for those of tun.c.
func onBus(info string) bool { return info != "" && info != "tun" && info != "tap" && info != "N/A" }

// indexOf asks for one link's ifindex (netdevice(7)), without a dump of all.
func indexOf(name string) (int, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
		return 0, err
	}
	return int(ifr.Uint32()), nil
}

// nameOf asks for one link's name.
func nameOf(index int) (string, error) {
	ifr, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	ifr.SetUint32(uint32(index))
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFNAME, ifr); err != nil {
		return "", err
	}
	return ifr.Name(), nil
}
