package bond

import (
	"context"
	"errors"
	"fmt"

	"github.com/safchain/ethtool"
	"golang.org/x/sys/unix"
)

// ReadDrops reads the overload counters of the drivers of these NICs, in their
// order. NICs that are gone, that have no statistics, or whose driver is not one
// of those this package knows, are left out.
//
// Each NIC takes three ioctls, which wait for the kernel's rtnl lock and on some
// drivers ask the firmware: this is for a deadline of its own.
func ReadDrops(ctx context.Context, names []string) ([]Drops, error) {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return nil, fmt.Errorf("bond: ethtool: %w", err)
	}
	defer e.Close()
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
		case d.Counts != nil:
			out = append(out, d)
		}
	}
	return out, nil
}

// dropsOn reads those of one NIC. Counts is nil if its driver is not known.
func dropsOn(e *ethtool.Ethtool, name string) (Drops, error) {
	index, err := indexOf(name) // refuses names that the kernel would cut short
	if err != nil {
		return Drops{}, err
	}
	driver, err := e.DriverName(name)
	if err != nil {
		return Drops{}, err
	}
	if _, known := overload[driver]; !known {
		return Drops{}, nil
	}
	all, err := e.Stats(name)
	if err != nil {
		return Drops{}, err
	}
	return Drops{Name: name, Index: index, Driver: driver, Counts: dropsOf(driver, all)}, nil
}

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
