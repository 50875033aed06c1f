package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// An Odd is a property in which a node differs from most nodes of its site.
type Odd struct {
	Key    string // key of the inventory, such as client
	Value  string // value of this node
	Most   string // value of most nodes
	Alike  int    // nodes of the site with Value, this one included
	MostOf int    // nodes of the site with Most
	Nodes  int    // nodes of the site that report a value
}

// String returns a sentence, such as: the only one of 12 with RBD client krbd (11 have
// librbd).
func (o Odd) String() string {
	if o.Alike == 1 {
		return fmt.Sprintf("the only one of %d with %s %s (%d have %s)", o.Nodes, Title(o.Key), o.Value, o.MostOf, o.Most)
	}
	return fmt.Sprintf("one of %d of %d with %s %s (%d have %s)", o.Alike, o.Nodes, Title(o.Key), o.Value, o.MostOf, o.Most)
}

// Title returns the display name of an inventory key.
func Title(key string) string {
	switch key {
	case "client":
		return "RBD client"
	case "hash_policy":
		return "hash policy"
	case "mtu":
		return "MTU"
	case "nic_speed":
		return "NIC speed"
	case "nodewatch":
		return "nodewatch version"
	}
	return strings.ReplaceAll(key, "_", " ")
}

// made returns the inventory of a node. The version of nodewatch is known even for
// nodes that report no inventory.
func made(b native.Body) report.Labels {
	all := report.Labels{}
	if b.Agent.Version != "" {
		all["nodewatch"] = b.Agent.Version
	}
	maps.Copy(all, b.Inventory)
	return all
}

// fewest is the number of nodes of a site that must report a value before one can be
// odd.
const fewest = 3

// findOdd finds the values in which each node differs from more than half of its
// site.
func findOdd(rows []Row) {
	type question struct{ site, key string }
	type answers struct {
		nodes int            // that answer
		of    map[string]int // number of nodes by value
		most  string         // the value of most nodes
	}
	all := map[question]*answers{}
	for _, r := range rows {
		for key, value := range r.Made {
			a := all[question{r.Site, key}]
			if a == nil {
				a = &answers{of: map[string]int{}}
				all[question{r.Site, key}] = a
			}
			a.nodes++
			a.of[value]++
			if a.of[value] > a.of[a.most] {
				a.most = value
			}
		}
	}
	for i := range rows {
		r := &rows[i]
		for key, value := range r.Made {
			a := all[question{r.Site, key}]
			if a.nodes < fewest || 2*a.of[a.most] <= a.nodes || value == a.most {
				continue
			}
			r.Odd = append(r.Odd, Odd{Key: key, Value: value, Most: a.most, Alike: a.of[value], MostOf: a.of[a.most], Nodes: a.nodes})
		}
		slices.SortFunc(r.Odd, func(a, b Odd) int { return strings.Compare(a.Key, b.Key) })
	}
}
