package legacy

import (
	"testing"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// Faults of one OSD while every disk stands still do not show one bad OSD: all
// that is in flight may wait for it.
func TestLibcephCRCDoesNotSayThatStalledDisksGoOn(t *testing.T) {
	r := newRig(t, 8).run(60).stall()
	for range 30 {
		r.log(kmsg.CRC, "osd1", 3).run(1)
	}
	f, found := r.find("libceph-crc", "")
	if !found {
		t.Fatal("CRC faults were not told")
	}
	if containsFact(f.Evidence, "goes on") || containsFact(f.Against, "goes on") {
		t.Errorf("every disk stands still, but: %+v", f)
	}
	r.flow(0, 1, 2, 3, 4, 5, 6)
	for range 30 {
		r.log(kmsg.CRC, "osd1", 3).run(1)
	}
	if f, _ := r.find("libceph-crc", ""); !containsFact(f.Evidence, "the I/O of 7 other krbd disks goes on") {
		t.Errorf("seven disks go on, and are not told of: %+v", f)
	}
}
