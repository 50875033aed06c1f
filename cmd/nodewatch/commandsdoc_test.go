package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/human"
)

// TestDocsListEverySource checks that docs/commands.md lists all sources.
func TestDocsListEverySource(t *testing.T) {
	const name, begin, end = "../../docs/commands.md", "<!-- sources -->\n", "<!-- /sources -->"
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(raw), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", name)
	}
	var w strings.Builder
	w.WriteString("| source | every | reads | needs |\n|---|---|---|---|\n")
	for _, l := range sourceEntries() {
		fmt.Fprintf(&w, "| `%s` | %s | %s | %s |\n", l.name, human.Span(l.every), l.reads, l.needs)
	}
	want := head + begin + w.String() + end + tail
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(raw), want); diff != "" {
		t.Errorf("%s is not what there is now (-file +now); make docs rewrites it:\n%s", name, diff)
	}
}
