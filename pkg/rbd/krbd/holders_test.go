package krbd

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// stack returns a host with rbd7 and its users, one line per block device, "DEVICE
// MAJOR:MINOR DM-NAME DM-UUID HOLDER...".
func stack(lines string) fstest.MapFS {
	sys := oneDevice(nil)
	for line := range strings.Lines(lines) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		dir := "devices/virtual/block/" + f[0]
		switch {
		case strings.HasPrefix(f[0], "rbd7p"):
			dir = "devices/rbd/7/block/rbd7/" + f[0]
		case f[0] == "rbd7":
			dir = "devices/rbd/7/block/rbd7"
		}
		sys["block/"+f[0]] = linkTo("../" + dir)
		sys[dir+"/holders"] = directory
		addFile(sys, dir+"/dev", f[1]+"\n", false)
		if f[2] != "-" {
			addFile(sys, dir+"/dm/name", f[2]+"\n", false)
			addFile(sys, dir+"/dm/uuid", f[3]+"\n", false)
		}
		for _, holder := range f[4:] {
			addFile(sys, dir+"/holders/"+holder, "", false)
		}
	}
	// Partitions have no separate link in /sys/block.
	delete(sys, "block/rbd7p1")
	delete(sys, "block/rbd7p2")
	return sys
}

func readHolders(t *testing.T, sys fs.FS) []rbd.Holder {
	t.Helper()
	got, err := readMapped(sys)
	if err != nil || len(got) != 1 || got[0].Partly != "" {
		t.Fatalf("got %+v, %v", got, err)
	}
	return got[0].Holders
}

func TestHolders(t *testing.T) {
	got := readHolders(t, stack(`
		rbd7   254:112 - - dm-3
		rbd7p1 259:1   - - dm-0
		rbd7p2 259:2   - - dm-0 md127
		dm-0   253:0   vg-root  LVM-AbC       dm-1
		dm-1   253:1   secret   CRYPT-LUKS2-x dm-2
		dm-2   253:2   other    thing
		dm-3   253:3   mpatha   mpath-360     dm-4
		dm-4   253:4   mpatha1  part1-mpath-360
		md127  9:127   - -
		dm-9   253:9   stranger LVM-zzz`))
	want := []rbd.Holder{
		{Device: "rbd7p1", Kind: "partition", Major: 259, Minor: 1},
		{Device: "rbd7p2", Kind: "partition", Major: 259, Minor: 2},
		{Device: "dm-3", Name: "mpatha", Kind: "multipath", Major: 253, Minor: 3},
		{Device: "dm-0", Name: "vg-root", Kind: "lvm", Major: 253, Minor: 0},
		{Device: "md127", Kind: "other", Major: 9, Minor: 127},
		{Device: "dm-4", Name: "mpatha1", Kind: "partition", Major: 253, Minor: 4},
		{Device: "dm-1", Name: "secret", Kind: "crypt", Major: 253, Minor: 1},
		{Device: "dm-2", Name: "other", Kind: "other", Major: 253, Minor: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The reading ends for a cycle of holders, many levels of holders and many holders.
func TestHoldersAreBounded(t *testing.T) {
	ring := readHolders(t, stack("rbd7 254:112 - - dm-0\ndm-0 253:0 a LVM-a dm-1\ndm-1 253:1 b LVM-b dm-0"))
	if len(ring) != 2 {
		t.Errorf("got %d holders of a ring of two", len(ring))
	}
	tower, crowd := "rbd7 254:112 - - dm-0\n", "rbd7 254:112 - -"
	for i := range 100 {
		tower += fmt.Sprintf("dm-%d 253:%d n LVM-%d dm-%d\n", i, i, i, i+1)
		crowd += fmt.Sprintf(" dm-%d", i)
	}
	if got := len(readHolders(t, stack(tower))); got != maxDepth {
		t.Errorf("got %d holders of a tower, want %d", got, maxDepth)
	}
	if got := len(readHolders(t, stack(crowd))); got != maxHolders {
		t.Errorf("got %d holders of a crowd, want %d", got, maxHolders)
	}
}
