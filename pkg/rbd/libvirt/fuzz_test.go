package libvirt

import (
	"context"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

// For any bytes in place of the statistics, as their payload or bare on the socket, a
// reading ends before its deadline, with an error or with a limited number of guests;
// and the next reading is complete.
func FuzzLibvirtAnswer(f *testing.F) {
	vm := fakeVM("a", 1, "/dev/rbd1")
	var stats fakeXDR
	stats.number(1)
	stats.domain(vm)
	stats.params(vm.params)
	f.Add(stats.b, false)
	f.Add([]byte{0, 0, 0, 0}, false)
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff}, false)
	f.Add(fakeReply(make([]byte, headLen), statusOK, stats.b), true)
	f.Fuzz(func(t *testing.T, data []byte, bare bool) {
		fake := newVirtFake(vm)
		l := fake.reader()
		defer l.Close()
		fake.on(getAllStats, func(call []byte) ([]byte, bool) {
			if bare {
				return data, true
			}
			return fakeReply(call, statusOK, data), true
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := l.Read(ctx)
		if ctx.Err() != nil || err == nil && len(got.Guests) > domainsMax {
			t.Fatalf("got %d guests, %v", len(got.Guests), err)
		}
		for _, g := range got.Guests {
			if bad := rbdtest.Bounded(g); bad != nil {
				t.Fatal(bad)
			}
		}
		fake.on(getAllStats, nil)
		l.Close()
		if got, err = l.Read(ctx); err != nil || len(got.Guests) != 1 {
			t.Fatalf("after it: got %+v, %v", got, err)
		}
	})
}
