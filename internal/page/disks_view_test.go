package page

import (
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
)

// The page shows a disk as stalled from the same threshold as krbd-stalled.
func TestStalledIsWhatTheRuleSays(t *testing.T) {
	v := stormView() // its disks have been stalled for 40 s
	v.Rules = all.Default()
	if got := disksOf(v).Facts[0].Text; !strings.Contains(got, "39 stalled") {
		t.Errorf("by default: got %q", got)
	}
	r, _ := v.Rules.Rule("krbd-stalled")
	if err := rule.SetLimit(&r, "stalled", "41s"); err != nil {
		t.Fatal(err)
	}
	if got := disksOf(v).Facts[0].Text; strings.Contains(got, "stalled") {
		t.Errorf("from 41 s on: got %q", got)
	}
}
