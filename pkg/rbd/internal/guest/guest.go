// Package guest has the code that both views of a host's guests share: libvirt's and
// that of the host's processes.
package guest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// Sort sorts guests by name, then by ID.
func Sort(guests []rbd.Guest) {
	slices.SortFunc(guests, func(a, b rbd.Guest) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
}
