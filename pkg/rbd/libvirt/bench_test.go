package libvirt

import (
	"fmt"
	"testing"
)

// A reading of 650 known domains, over a pipe.
func BenchmarkLibvirtRead(b *testing.B) {
	f := newVirtFake()
	for i := range 650 {
		vm := fakeVM(fmt.Sprint("vm", i), int32(i+1), fmt.Sprintf("/dev/rbd%d", i))
		vm.uuid = byte(i%251 + 1)
		f.domains = append(f.domains, vm)
	}
	l := f.reader()
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		if g, err := l.Read(b.Context()); err != nil || len(g.Guests) != 650 {
			b.Fatal(len(g.Guests), err)
		}
	}
}
