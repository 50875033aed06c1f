// Package node is the picture of this node: one immutable Snapshot, and one file
// for each observation that is folded into it. It does no I/O and reads no clock.
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

// A Snapshot is this node at one instant. It is never changed once made.
type Snapshot struct {
	Now     time.Time
	Node    string            // the node's name
	Version string            // of nodewatch
	Site    string            // where the node is, as configured
	Labels  map[string]string // what else it belongs to, as configured
	Started time.Time         // when nodewatch started
	Sources []Source          // by name

	Links   Reading[bond.Links]
	OVS     Reading[[]bond.Bond]
	NICs    []NIC // what each watched NIC carries, by name
	Storage []Path
	Limits  Reading[bond.Limits]

	Mapped  Reading[[]rbd.Mapped]
	IO      []DiskIO // by device
	Waits   []Wait   // requests in flight as osdc lists them, by FSID, client, TID
	Pending Reading[[]rbd.Pending]

	Libvirt Reading[rbd.Guests]
	QEMU    Reading[rbd.Guests]
	Guests  []rbd.Guest // of the better view, by name, with the krbd disks resolved
	Uses    []rbd.Use   // which guests sit on which krbd device, by device

	Kernel Log

	Host    Reading[host.State]
	Before  Reading[host.State] // one reading ago, for rates
	Cluster Reading[ceph.Cluster]

	Overrides      Reading[override.Overrides]
	Deliveries     Reading[[]Delivery] // by name
	State          Reading[json.RawMessage]
	Launcher       Reading[Launcher]
	StateDirectory Reading[StateDirectory]

	flaps       []Flap         // by bond and slave
	seenBonds   []SeenBond     // by name
	hung        Ring           // tasks newly found hung, by the kernel's count, in tens of seconds
	byDevice    map[string]int // places in Mapped.Value; replaced, never changed
	mappedSince []since        // since when each device is the mapping it is

	batch *batch // the entries under way; nil: one at a time
}
