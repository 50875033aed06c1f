package page

import (
	"fmt"
	"strings"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/ceph"
)

// maxChecks is the maximum number of health codes, or of names in a list, that are
// shown.
const maxChecks = 20

// A clusterView shows the cluster's own report.
type clusterView struct {
	Notes  []string
	Why    string // reason why the state is unknown; empty: it is known
	Status string
	Tone   tone
	Checks []factLine
	Facts  []factLine
}

func clusterOf(v judge.View) clusterView {
	c := clusterView{Notes: notes(v, node.SourceCeph)}
	if v.Cluster.At.IsZero() {
		c.Notes, c.Why = nil, "The cluster has not been queried yet."
		if err := v.Blind(node.SourceCeph); err != nil {
			c.Why = "Not asked: " + strings.TrimSuffix(err.Text, ".") + "."
			if err.Remedy != "" {
				c.Why += " To ask it: " + err.Remedy + "."
			}
		}
		return c
	}
	value := v.Cluster.Value
	c.Status = strings.TrimPrefix(value.Health.Status, "HEALTH_")
	c.Tone = map[string]tone{"OK": good, "WARN": warn, "ERR": bad}[c.Status]
	if c.Tone == "" {
		c.Tone = unknown
	}
	for _, k := range value.Health.Checks[:min(len(value.Health.Checks), maxChecks)] {
		c.Checks = append(c.Checks, factLine{Name: k.Code, Text: k.Summary})
	}
	c.Facts = clusterFacts(value)
	return c
}

func clusterFacts(c ceph.Cluster) []factLine {
	up, in := 0, 0
	for _, o := range c.OSDMap.OSDs {
		if o.Up {
			up++
		}
		if o.In {
			in++
		}
	}
	list := []factLine{{Name: "OSDs", Text: fmt.Sprintf("%s, %s up, %s in", number(len(c.OSDMap.OSDs)), number(up), number(in))}}
	if slow := c.Health.SlowOps; len(slow) > 0 {
		list = append(list, factLine{Name: "Slow operations", Text: strings.Join(slow[:min(len(slow), maxChecks)], ", ")})
	}
	if len(c.Blocklist) > 0 {
		list = append(list, factLine{Name: "Blocklist", Text: plural(len(c.Blocklist), "entry for this host", "entries for this host")})
	}
	if s := c.Scrubs; s != nil && s.Scrubbing > 0 {
		list = append(list, factLine{Name: "Scrubs", Text: fmt.Sprintf("%s running, %s of them deep", number(s.Scrubbing), number(s.Deep))})
	}
	if c.OSDMap.Flags != "" {
		list = append(list, factLine{Name: "Flags", Text: c.OSDMap.Flags})
	}
	return list
}
