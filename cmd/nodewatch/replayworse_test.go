package main

import (
	"strings"
	"testing"
)

// A finding that gets worse only in its impact on customers is printed with its
// evidence, like a new one.
func TestReplayPrintsWhyTheImpactIsWorse(t *testing.T) {
	_, out, _ := called(t, "replay", "../../testdata/incidents/one-bad-osd.txtar")
	_, after, told := strings.Cut(out, "worse    warning   libceph-crc (impact from operational to degraded performance)")
	lines := strings.SplitN(after, "\n", 3)
	if !told || len(lines) < 3 || !strings.HasPrefix(strings.TrimSpace(lines[1]), "for ") {
		t.Errorf("no evidence follows the change:\n%s", out)
	}
}
