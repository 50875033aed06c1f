package krbd

import (
	"context"
	"io/fs"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// readMapped reads the devices once.
func readMapped(sys fs.FS) ([]rbd.Mapped, error) {
	return NewLister(sys, func(context.Context) ([]ClientOptions, error) { return ReadOptions(sys) }).Read(context.Background())
}

// readIO reads the counters once.
func readIO(sys fs.FS) ([]rbd.IO, error) {
	r := NewIOReader(sys)
	defer r.Close()
	return r.Read(context.Background())
}
