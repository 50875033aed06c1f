package all_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// script formats observations as the fuzz target reads them: a name, a tab and JSON
// per line; an empty line is a tick.
func script(tape []node.Entry) []byte {
	var out []byte
	for _, e := range tape {
		if e.Obs != nil {
			raw, err := json.Marshal(e.Obs)
			if err != nil {
				continue
			}
			out = append(append(append(out, node.Name(e.Obs)...), '\t'), raw...)
		}
		out = append(out, '\n')
	}
	return out
}

// entries parses a script. Invalid lines are skipped. Time advances by one second per
// line.
func entries(data []byte) []node.Entry {
	at := nodetest.Start
	var list []node.Entry
	for i, line := range bytes.Split(data, []byte("\n")) {
		if i == 200 {
			break
		}
		at = at.Add(time.Second)
		name, raw, _ := bytes.Cut(line, []byte("\t"))
		if len(line) == 0 {
			list = append(list, node.Entry{At: at})
			continue
		}
		o, err := node.NewObservation(string(name))
		if err != nil || json.Unmarshal(raw, o) != nil {
			continue
		}
		list = append(list, node.Entry{At: at, Saw: string(name), Obs: o})
	}
	return append(list, node.Entry{At: at.Add(time.Minute)}, node.Entry{At: at.Add(2 * time.Minute)})
}

// FuzzJudge: whatever a tape contains, every rule can be evaluated on it; the same
// tape produces the same reports; transitions are numbered without a gap; a report's
// findings are sorted, have a known severity, and belong to components of the report.
func FuzzJudge(f *testing.F) {
	whole := story()
	for i := 0; i < len(whole); i += 30 {
		f.Add(script(slices.Concat(whole[:5], whole[i:min(len(whole), i+8)])))
	}
	f.Add([]byte("bond\t{\"value\":{\"bonds\":[{\"name\":\"b\",\"mode\":\"802.3ad\",\"up\":true,\"slaves\":[{\"name\":\"e\"},{\"name\":\"e\"}]}]}}\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tape := entries(data)
		j := judge.New(all.Default())
		var last uint64
		for _, e := range tape {
			if _, restarted := e.Obs.(*node.Started); restarted {
				last = 0
			}
			v, judged := j.Take(e)
			if !judged {
				continue
			}
			r := v.Report
			for _, tn := range r.Transitions {
				if tn.N > last+1 {
					t.Fatalf("transition %d follows %d", tn.N, last)
				}
				last = max(last, tn.N)
			}
			for i, finding := range r.Findings {
				if finding.Severity.Rank() == 0 || !slices.ContainsFunc(r.Components,
					func(c report.Component) bool { return c.Name == finding.Component }) {
					t.Fatalf("finding %+v", finding)
				}
				if i > 0 && r.Findings[i-1].Severity.Rank() < finding.Severity.Rank() {
					t.Fatal("findings are not sorted")
				}
			}
		}
		if first, second := printed(t, all.Default(), tape), printed(t, all.Default(), tape); !slices.Equal(first, second) {
			t.Fatal("the same tape told two stories")
		}
	})
}
