package rbd

import (
	"context"
	"testing"
	"time"
)

// Whatever comes in place of the statistics, as their payload or as bare bytes on
// the socket, a reading ends before its deadline, with an error or with as many
// guests as there can be; and the next reading is whole.
func FuzzLibvirtAnswer(f *testing.F) {
	vm := virtFakeVM("a", 1, "/dev/rbd1")
	var stats virtFakeXDR
	stats.number(1)
	stats.domain(vm)
	stats.params(vm.params)
	f.Add(stats.b, false)
	f.Add([]byte{0, 0, 0, 0}, false)
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff}, false)
	f.Add(virtFakeReply(make([]byte, virtHeadLen), virtStatusOK, stats.b), true)
	f.Fuzz(func(t *testing.T, data []byte, bare bool) {
		fake := newVirtFake(vm)
		l := fake.reader()
		defer l.Close()
		fake.on(virtGetAllStats, func(call []byte) ([]byte, bool) {
			if bare {
				return data, true
			}
			return virtFakeReply(call, virtStatusOK, data), true
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := l.Read(ctx)
		if ctx.Err() != nil || err == nil && len(got.Guests) > virtDomainsMax {
			t.Fatalf("got %d guests, %v", len(got.Guests), err)
		}
		for _, g := range got.Guests {
			if bad := guestBounded(g); bad != nil {
				t.Fatal(bad)
			}
		}
		fake.on(virtGetAllStats, nil)
		l.Close()
		if got, err = l.Read(ctx); err != nil || len(got.Guests) != 1 {
			t.Fatalf("after it: got %+v, %v", got, err)
		}
	})
}
