// Package node models the state of this node: one immutable Snapshot, and one file
// for each observation that is applied to it. It does no I/O and does not read the
// clock.
package node

import (
	"encoding/json"
	"time"

	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A Snapshot is the state of this node at one instant. It is immutable.
type Snapshot struct {
	Now     time.Time
	Node    string            // the node's name
	Version string            // version of nodewatch
	Site    string            // the node's location, as configured
	Labels  map[string]string // additional labels, as configured
	Started time.Time         // when nodewatch started
	Sources []Source          // by name

	Links   Reading[bond.Links]
	OVS     Reading[[]bond.Bond]
	NICs    []NIC // the traffic of each watched NIC, by name
	Storage []Path
	Limits  Reading[bond.Limits]

	Mapped  Reading[[]rbd.Mapped]
	IO      []DiskIO // by device
	Waits   []Wait   // requests in flight as listed by osdc, by FSID, client, TID
	Pending Reading[[]rbd.Pending]

	Libvirt Reading[rbd.Guests]
	QEMU    Reading[rbd.Guests]
	Guests  []rbd.Guest // from the better view, by name, with the krbd disks resolved
	Uses    []rbd.Use   // the guests of each krbd device, by device

	Kernel Log

	Host    Reading[host.State]
	Before  Reading[host.State] // the previous reading, for rates
	Cluster Reading[ceph.Cluster]

	Overrides      Reading[override.Overrides]
	Deliveries     Reading[[]Delivery] // by name
	State          Reading[json.RawMessage]
	Launcher       Reading[Launcher]
	StateDirectory Reading[StateDirectory]

	flaps       []Flap         // by bond and slave
	seenBonds   []SeenBond     // by name
	hung        Ring           // tasks newly found hung, by the kernel's counter, in units of ten seconds
	byDevice    map[string]int // indexes in Mapped.Value; replaced, never modified
	mappedSince []since        // the start of each device's current mapping

	batch *batch // the batch in progress; nil: one entry at a time
}
