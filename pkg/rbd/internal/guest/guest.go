// Package guest holds what the views of a host's guests, libvirt's and that of its
// processes, make of their findings in the same way.
package guest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// Sort sorts guests by name, and by ID where names are the same.
func Sort(guests []rbd.Guest) {
	slices.SortFunc(guests, func(a, b rbd.Guest) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
}
