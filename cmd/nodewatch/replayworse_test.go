package main

import (
	"strings"
	"testing"
)

// A finding that gets worse in what customers feel, and in nothing else, is told
// with its evidence, as one that is new.
func TestReplayPrintsWhyTheImpactIsWorse(t *testing.T) {
	_, out, _ := called(t, "replay", "../../testdata/incidents/one-bad-osd.txtar")
	_, after, told := strings.Cut(out, "worse    warning   libceph-crc (impact from operational to degraded performance)")
	lines := strings.SplitN(after, "\n", 3)
	if !told || len(lines) < 3 || !strings.HasPrefix(strings.TrimSpace(lines[1]), "for ") {
		t.Errorf("no evidence follows the change:\n%s", out)
	}
}
