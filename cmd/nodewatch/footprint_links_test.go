package main

import (
	"testing"

	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// BenchmarkLinks is a full reading of a kernel's 3,000 real links, every 30 s and
// when a bond's links change: Proxmox's, of 750 guests.
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
