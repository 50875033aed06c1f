package krbd

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// manyDevices returns a host with ten times the disks of the incident, on a real
// directory. If busy, each has a request in flight.
func manyDevices(b *testing.B, busy bool) fs.FS {
	b.Helper()
	sys := fstest.MapFS{}
	stat, inflight := "1 2 3 4 5 6 7 8 0 10 11 12 13 14 15 16 17", "0 0"
	if busy {
		stat, inflight = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "4 5"
	}
	for id := range 780 {
		number := strings.NewReplacer("/7", fmt.Sprintf("/%d", id), "rbd7", fmt.Sprintf("rbd%d", id))
		for name, f := range oneWithBlock() {
			other := *f
			if other.Mode&fs.ModeSymlink != 0 {
				other.Data = []byte(number.Replace(string(f.Data)))
			}
			sys[number.Replace(name)] = &other
		}
		dir := fmt.Sprintf("devices/rbd/%d/block/rbd%d/", id, id)
		sys[dir+"stat"].Data = []byte(stat + "\n")
		sys[dir+"inflight"].Data = []byte(inflight + "\n")
	}
	_, onDisk := writeTree(b, sys)
	return onDisk
}

func BenchmarkReadMapped780(b *testing.B) {
	sys := manyDevices(b, false)
	b.ReportAllocs()
	for b.Loop() {
		if got, err := readMapped(sys); len(got) != 780 || err != nil {
			b.Fatal(len(got), err)
		}
	}
}

func BenchmarkLister780(b *testing.B) {
	l := lister(manyDevices(b, false))
	for range young {
		if _, err := l.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := l.Read(b.Context()); len(got) != 780 || err != nil {
			b.Fatal(len(got), err)
		}
	}
}

func BenchmarkReadIO780(b *testing.B) {
	sys := manyDevices(b, true)
	b.ReportAllocs()
	for b.Loop() {
		if got, err := readIO(sys); len(got) != 780 || err != nil {
			b.Fatal(len(got), err)
		}
	}
}

func BenchmarkIOReader780(b *testing.B) {
	for _, busy := range []bool{false, true} {
		b.Run(map[bool]string{false: "quiet", true: "storm"}[busy], func(b *testing.B) {
			benchmarkIOReader(b, manyDevices(b, busy), 780)
		})
	}
}

// BenchmarkIOReaderSysfs reads counters from the sysfs of this machine: one of its
// block devices, 780 times.
func BenchmarkIOReaderSysfs(b *testing.B) {
	blocks, _ := filepath.Glob("/sys/block/*")
	if len(blocks) == 0 {
		b.Skip("this machine has no block device in /sys")
	}
	root := b.TempDir()
	for id := range 780 {
		write(b, filepath.Join(root, devicesDir, fmt.Sprint(id)), directory)
		write(b, filepath.Join(root, fmt.Sprintf("block/rbd%d", id)), linkTo(blocks[id%len(blocks)]))
	}
	benchmarkIOReader(b, hostfs.FS(root), 780)
}

func benchmarkIOReader(b *testing.B, sys fs.FS, want int) {
	r := NewIOReader(sys)
	defer r.Close()
	b.ReportAllocs()
	for b.Loop() {
		if got, err := r.Read(b.Context()); len(got) != want || err != nil {
			b.Fatal(len(got), err)
		}
	}
}
