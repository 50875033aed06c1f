package main

import (
	"testing"

	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// BenchmarkLinks measures a full reading of 3,000 real links, as for 750 guests of
// Proxmox. The daemon makes one every 30 s and when the links of a bond change.
func BenchmarkLinks(b *testing.B) {
	n := newNamespace(b)
	if !n.own {
		b.Skip("skipped: only root can make links")
	}
	h := hypervisor{guests: 750, root: b.TempDir()}
	h.links(b, n)
	r, err := bond.NewReader(hostfs.FS(h.root + "/sys"))
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.ReportAllocs()
	for b.Loop() {
		err := n.do(func() error {
			_, err := r.Read(b.Context())
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
