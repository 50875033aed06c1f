package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Counting contains the files that change each second. They are written in place and
// with a constant length, so that a reader that keeps one open never sees half of it.
type counting struct {
	stats, inflight []*os.File    // files of each disk
	nics            [][4]*os.File // files of the first nicCounters of each NIC
	osdc            *os.File
	log             *kernelLines
	seconds         int
}

// open opens the changing files and updates them once.
func (h *hypervisor) open(b testing.TB) {
	open := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(h.root, name), os.O_WRONLY, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { f.Close() })
		return f
	}
	c := &h.counts
	for id := range h.disks {
		dir := fmt.Sprintf("sys/devices/rbd/%d/block/rbd%[1]d/", id)
		c.stats, c.inflight = append(c.stats, open(dir+"stat")), append(c.inflight, open(dir+"inflight"))
	}
	for _, nic := range h.nics {
		var files [4]*os.File
		for i := range files {
			files[i] = open("sys/class/net/" + nic + "/statistics/" + nicCounters[i])
		}
		c.nics = append(c.nics, files)
	}
	c.osdc = open(fmt.Sprintf("sys/kernel/debug/ceph/%s.client%d/osdc", hostFSID, hostClient))
	if h.lines > 0 {
		var err error
		if c.log, err = newKernelLines(); err != nil {
			b.Logf("no kernel lines are written: %v", err)
			h.lines = 0
		}
		b.Cleanup(c.log.close)
	}
	h.move(b)
}

// move simulates a second of I/O: 200 requests per disk, one request in flight on
// every third disk, and 200 MB per slave in each direction. In a storm no request
// completes.
func (h *hypervisor) move(b testing.TB) {
	c := &h.counts
	c.seconds++
	write := func(f *os.File, text string) {
		if _, err := f.WriteAt([]byte(text), 0); err != nil {
			b.Fatal(err)
		}
	}
	for id := range h.disks {
		done, inFlight := 100*c.seconds, 0
		if id%3 == 0 {
			inFlight = 1
		}
		if h.storm {
			done, inFlight = 100, 7
		}
		text := ""
		for _, n := range []int{done, 1, 8 * done, done / 2, done, 1, 8 * done, done / 2, inFlight, done / 2, done, 0, 0, 0, 0, 0, 0} {
			text += fmt.Sprintf(" %12d", n)
		}
		write(c.stats[id], text+"\n")
		write(c.inflight[id], fmt.Sprintf("%9d%9d\n", inFlight, 0))
	}
	for _, files := range c.nics {
		for i, each := range []int{150e3, 150e3, 200e6, 200e6} {
			write(files[i], fmt.Sprintf("%20d\n", each*c.seconds))
		}
	}
	write(c.osdc, h.osdc(c.seconds))
	for range h.lines / 2 {
		if err := c.log.fault(h.sessions); err != nil {
			b.Fatal(err)
		}
	}
}
