package fleet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/fleet"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The benchmark builds the table of 5,000 nodes in 50 sites with their differences, as
// the fleet page and a node's page do.
func BenchmarkTable(b *testing.B) {
	var nodes []fleet.Node
	for n := range 5000 {
		x := node(n, []string{"librbd", "krbd"}[n%97/96])
		x.Body.Node.Site = fmt.Sprint("rl", n/100)
		x.Body.Inventory = report.Labels{"client": x.Body.Inventory["client"], "hash_policy": "layer3+4", "kernel": "6.1.0-56-amd64",
			"mtu": "9,000", "nic_speed": "2 x 25 Gbit/s"}
		nodes = append(nodes, x)
	}
	b.ReportAllocs()
	for b.Loop() {
		if rows := fleet.Table(nodes, time.Time{}, noon); len(rows) != len(nodes) || len(rows[0].Made) != 6 {
			b.Fatalf("%d rows: %+v", len(rows), rows[0])
		}
	}
}
