package rbdtest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// Mapped returns krbd devices rbd0 to rbdN.
func Mapped(n int) []rbd.Mapped {
	var list []rbd.Mapped
	for i := range n {
		list = append(list, rbd.Mapped{ID: i, Device: fmt.Sprint("rbd", i), Major: 252, Minor: uint32(16 * i), Pool: "p",
			Image: fmt.Sprint("i", i)})
	}
	return list
}

// Uses returns the users of the devices, one line per device.
func Uses(mapped []rbd.Mapped, guests []rbd.Guest) map[string]string {
	uses := map[string]string{}
	for _, u := range rbd.Join(mapped, guests) {
		if len(u.Guests) > 0 {
			uses[u.Device] = strings.Join(u.Guests, " ")
		}
	}
	return uses
}

// Bounded returns which values of a Guest are out of bounds, for fuzzing.
func Bounded(g rbd.Guest) error {
	if len(g.Disks) > rbd.MaxDisks {
		return fmt.Errorf("%d disks", len(g.Disks))
	}
	texts := []string{g.Name, g.ID}
	for _, d := range g.Disks {
		texts = append(texts, d.Target, d.Pool, d.Namespace, d.Image, d.Snapshot, d.Path)
		if d.Path != "" && !strings.HasPrefix(d.Path, "/") {
			return fmt.Errorf("a path %q", d.Path)
		}
		if d.Client == rbd.LibRBD && d.Path != "" {
			return fmt.Errorf("librbd has no path: %q", d.Path)
		}
	}
	for _, s := range texts {
		if len(s) > naming.MaxText+utf8.UTFMax*naming.MaxText || !utf8.ValidString(s) {
			return fmt.Errorf("a text of %d bytes", len(s))
		}
	}
	return nil
}
