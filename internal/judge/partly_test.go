package judge

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// TestPartlyUnknown: partly visible guests are operational, and both the source and
// the component report what is missing and how to enable it. Once the source fails,
// that is reported instead.
func TestPartlyUnknown(t *testing.T) {
	tr := newTrial(t, func(*trialRun) []rule.Rule { return nil })
	guests := func(partly, remedy string, e *node.Error) {
		tr.observe(node.SawQEMU{Reading: node.Reading[rbd.Guests]{At: tr.at, Every: time.Hour, Err: e,
			Value: rbd.Guests{Partly: partly, Remedy: remedy}}})
	}
	for _, c := range []struct {
		partly string
		failed bool
		want   string
		status report.Impact
	}{
		{"", false, "", report.Operational},
		{"hot-plugged disks", false, "hot-plugged disks", report.Operational},
		{"hot-plugged disks", true, "", report.Unknown},
	} {
		var e *node.Error
		if c.failed {
			e = &node.Error{Kind: node.Failed, Text: "no /proc", Since: tr.at}
		}
		remedy := ""
		if c.partly != "" {
			remedy = "a capability"
		}
		guests(c.partly, remedy, e)
		r := tr.tick(time.Second)
		for _, x := range r.Components {
			if x.Name == report.ComponentGuests && (x.Status != c.status || x.Partly != c.want || (x.Remedy != "") != (c.want != "")) {
				t.Errorf("%+v: component %+v", c, x)
			}
			if x.Name != report.ComponentGuests && x.Partly != "" {
				t.Errorf("%+v: component %+v", c, x)
			}
		}
		for _, s := range r.Sources {
			if s.Name == node.SourceQEMU && (s.Partly != c.want || (s.Remedy != "") != (c.want != "")) {
				t.Errorf("%+v: source %+v", c, s)
			}
		}
	}
}
