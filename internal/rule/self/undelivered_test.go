package self

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func TestReportUndelivered(t *testing.T) {
	at := nodetest.Start.Add(time.Hour)
	for _, c := range []struct {
		name string
		d    node.Delivery
		want string // part of the summary; empty: no finding
	}{
		{"works", node.Delivery{State: node.DeliveryOK, Since: nodetest.Start, Last: at}, ""},
		{"works in part", node.Delivery{State: node.DeliveryOK, Since: nodetest.Start, Last: at, Kind: string(report.Partial),
			Error: "400"}, ""},
		{"starts", node.Delivery{State: node.DeliveryStarting, Since: nodetest.Start}, ""},
		{"fails for a moment", node.Delivery{State: node.DeliveryRetrying, Since: at.Add(-time.Minute), Last: at.Add(-90 * time.Second),
			Error: "503"}, ""},
		{"fails for long", node.Delivery{State: node.DeliveryRetrying, Since: at.Add(-6 * time.Minute), Last: at.Add(-7 * time.Minute),
			Error: "503"}, "since 2026"},
		{"hangs for long", node.Delivery{State: node.DeliveryStalled, Since: at.Add(-6 * time.Minute), Last: at.Add(-7 * time.Minute),
			Error: "503"}, "since 2026"},
		{"never worked", node.Delivery{State: node.DeliveryOpen, Since: at.Add(-6 * time.Minute), Error: "no route"}, "never"},
		{"cannot write", node.Delivery{State: node.DeliveryOK, Since: nodetest.Start, Last: at, PersistErr: "no space left"},
			"cannot save"},
		{"is refused", node.Delivery{State: node.DeliveryOpen, Kind: string(report.Misconfigured), Since: at, Last: at.Add(-time.Second),
			Error: "401"}, "since 2026"},
	} {
		c.d.Name, c.d.Backend = "hub", "native"
		n := nodetest.New(nodetest.Over()).Wait(time.Hour)
		n.See(node.SawDeliveries{Reading: nodetest.Reading(at, 0, []node.Delivery{c.d})})
		got := ruletest.Check(n, reportUndelivered())
		switch {
		case c.want == "" && len(got) != 0:
			t.Errorf("%s: %s", c.name, got[0].Summary)
		case c.want != "" && (len(got) != 1 || !strings.Contains(got[0].Summary, c.want) || got[0].Subject != "hub"):
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
