package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ofOneFile is the number of lines that the kernel accepts from one open file in five
// seconds; it drops more lines silently.
const ofOneFile = 10

// A kernelLines writes lines into this machine's kernel log, as facility 1, which
// only a daemon under test accepts.
type kernelLines struct {
	fd     int // file descriptor of the device; -1: not open
	left   int // remaining lines that fd accepts
	faults int // written
}

// newKernelLines returns a writer, or an error why there is none.
func newKernelLines() (*kernelLines, error) {
	k := &kernelLines{fd: -1}
	return k, k.open()
}

func (k *kernelLines) open() (err error) {
	k.close()
	k.fd, err = unix.Open("/dev/kmsg", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	k.left = ofOneFile
	return err
}

func (k *kernelLines) close() {
	if k.fd >= 0 {
		unix.Close(k.fd)
	}
	k.fd = -1
}

// fault writes the two lines of a CRC fault of one of the given number of OSDs.
func (k *kernelLines) fault(osds int) error {
	osd := k.faults % osds
	k.faults++
	if err := k.line("libceph: read_partial_message 00000000a13c11e7 data crc 2674113219 != exp. 1094795585"); err != nil {
		return err
	}
	return k.line(fmt.Sprintf("libceph: osd%d (1)192.0.2.%d:6801 bad crc/signature", osd, 10+osd%200))
}

// line writes one line.
func (k *kernelLines) line(text string) error {
	if k.left == 0 {
		if err := k.open(); err != nil {
			return err
		}
	}
	k.left--
	_, err := unix.Write(k.fd, []byte("<4>"+text+"\n"))
	return err
}
