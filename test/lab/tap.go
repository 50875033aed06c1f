//go:build lab

package lab

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Addresses of the lab. The namespace has no route, so they are invisible outside.
const (
	storageIP  = "10.77.0.1"
	guestIP    = "10.77.0.2"
	storageNIC = "stor0"
)

// openTAP creates the storage network's side of the switch within the namespace.
func openTAP(ctx context.Context, c *Children) (*os.File, error) {
	var f *os.File
	err := c.Within(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("/dev/net/tun: %w", err)
		}
		ifr, err := unix.NewIfreq(storageNIC)
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
			_ = unix.Close(fd)
			return fmt.Errorf("TUNSETIFF: %w", err)
		}
		f = os.NewFile(uintptr(fd), storageNIC)
		return nil
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", storageIP + "/24", "dev", storageNIC},
		{"link", "set", storageNIC, "txqueuelen", "10000", "up"},
	} {
		if _, err := c.Output(ctx, "ip", args...); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	return f, nil
}
