package statuspage

import (
	"encoding/json"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// No metadata of others is mistaken for ours, and ours is found again.
func FuzzMetadata(f *testing.F) {
	r := report.Report{Site: "rl1", Node: "node2"}
	for _, seed := range []string{`{"nodewatch":{"key":"x","impact":"major_outage"}}`, `{"nodewatch":{"key":5}}`,
		`{"jira":{"issue":"A-1"}}`, `[]`, `null`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if (incident{Metadata: raw}).ours().Key == mark(r) {
			t.Errorf("%s is taken for ours", raw)
		}
		var others map[string]any
		if json.Unmarshal(raw, &others) != nil || others == nil {
			return
		}
		others["nodewatch"] = private{Key: mark(r), Impact: report.MajorOutage}
		for name := range others { // names are matched case-insensitively
			if name != "nodewatch" && len(name) == len("nodewatch") {
				delete(others, name)
			}
		}
		both, err := json.Marshal(others)
		if err != nil {
			return
		}
		if got := (incident{Metadata: both}).ours(); got.Key != mark(r) || got.Impact != report.MajorOutage {
			t.Errorf("%s: %+v", both, got)
		}
	})
}
