package ethswitch

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// NewStream returns a link over a byte stream in the format of QEMU's "-netdev
// stream": each frame after its length, 4 bytes, big endian.
func NewStream(c io.ReadWriteCloser) Link {
	return &stream{ReadWriteCloser: c, in: bufio.NewReaderSize(c, 2*maxFrame)}
}

type stream struct {
	io.ReadWriteCloser
	in  *bufio.Reader
	out []byte
}

func (s *stream) ReadFrame(b []byte) (int, error) {
	var length [4]byte
	if _, err := io.ReadFull(s.in, length[:]); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > uint32(len(b)) {
		return 0, fmt.Errorf("ethswitch: a frame of %d bytes", n)
	}
	return io.ReadFull(s.in, b[:n])
}

func (s *stream) WriteFrame(b []byte) error {
	s.out = append(binary.BigEndian.AppendUint32(s.out[:0], uint32(len(b))), b...)
	_, err := s.Write(s.out)
	return err
}

// NewDatagrams returns a link over a file whose reads and writes are whole frames, as
// for a TAP device.
func NewDatagrams(f io.ReadWriteCloser) Link { return datagrams{f} }

type datagrams struct{ io.ReadWriteCloser }

func (d datagrams) ReadFrame(b []byte) (int, error) { return d.Read(b) }

// WriteFrame drops frames that the device does not accept: a device that is set down
// does not end the link.
func (d datagrams) WriteFrame(b []byte) error {
	_, _ = d.Write(b)
	return nil
}
