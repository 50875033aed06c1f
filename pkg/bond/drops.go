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

// ReadDrops reads the overload counters of the drivers of these NICs, in their order.
// It omits NICs that no longer exist or have no statistics, and links that are not
// NICs. For a driver unknown to this package, Unlisted has the counters that may be
// drops.
//
// Each NIC takes five ioctls, which wait for the kernel's rtnl lock and on some
// drivers query the firmware: call it with a separate deadline.
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

// dropsOn reads the drops of one NIC. Driver is empty if the link is not a NIC.
func dropsOn(e *ethtool, name string) (Drops, error) {
	index, err := indexOf(name) // rejects names that the kernel would truncate
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

// addKernels adds the number of dropped frames that the driver reports only to the
// kernel.
func (c counters) addKernels(all map[string]uint64, dropped func() (uint64, error)) {
	if _, listed := all[c.kernels]; c.kernels == "" || listed {
		return
	}
	if n, err := dropped(); err == nil {
		all[c.kernels] = n
	}
}

// kernelDropped returns the kernel's rx_dropped of a NIC.
func kernelDropped(name string) (uint64, error) {
	raw, err := os.ReadFile("/sys/class/net/" + name + "/statistics/rx_dropped")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
}

// onBus reports whether ethtool's bus information names a device, so that the link is
// a NIC. It is empty for virtual links except those of tun.c.
func onBus(info string) bool { return info != "" && info != "tun" && info != "tap" && info != "N/A" }

// indexOf returns one link's ifindex (netdevice(7)) without a dump of all links.
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

// nameOf returns one link's name.
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
