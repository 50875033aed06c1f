package page

import (
	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/history"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/all"
)

// start is when the tests' node is first observed.
var start = nodetest.HypervisorStart

// view returns a View of the node, with the given findings.
func view(n *nodetest.Node, story story) judge.View {
	return judge.View{Snapshot: n.Snapshot, Facts: facts.New(n.Snapshot, facts.Baselines{}), Report: story.report(n.Snapshot),
		Rules: all.Default()}
}

// charted returns a view with the history of the node's seconds.
func charted(n *nodetest.Node, story story) judge.View {
	v := view(n, story)
	var recorder history.Recorder
	var s node.Snapshot
	for _, e := range n.Tape {
		s = s.Take(e)
		if _, is := e.Obs.(node.SawIO); is { // the last reading of each second
			v.History = recorder.Record(facts.New(s, facts.Baselines{}))
		}
	}
	return v
}
