package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// send sends the frames of a file on a link unchanged. In the file, each Ethernet
// frame follows its length, 4 bytes in network order.
func send(link, file string) error {
	frames, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	nic, err := net.InterfaceByName(link)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("packet socket: %w", err)
	}
	defer unix.Close(fd)
	for len(frames) > 0 {
		if len(frames) < 4 || int(binary.BigEndian.Uint32(frames)) > len(frames)-4 {
			return errors.New("half a frame")
		}
		n := 4 + int(binary.BigEndian.Uint32(frames))
		frame := frames[4:n]
		frames = frames[n:]
		if len(frame) < 14 {
			return fmt.Errorf("a frame of %d bytes", len(frame))
		}
		// The EtherType in network byte order, as htons would return it.
		to := &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(frame[12:]), Ifindex: nic.Index}
		if err := unix.Sendto(fd, frame, 0, to); err != nil {
			return fmt.Errorf("%s: %w", link, err)
		}
	}
	return nil
}
