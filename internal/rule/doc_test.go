package rule

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A finding's runbook points to #id, so each id must be a separate heading.

func TestDescribe(t *testing.T) {
	r, _ := testRule()
	r.Title, r.About, r.Severity, r.Impact, r.Component = "a test", strings.Repeat("word ", 40), "warning", "operational: none",
		report.ComponentHost
	r.Needs, r.Do = []string{"bond", "nic"}, []string{"Look at `this`."}
	want := `t: a test

word word word word word word word word word word word word word word word word word word word word
word word word word word word word word word word word word word word word word word word word word

severity   warning
impact     operational: none
component  host
timing     raised at once; cleared as soon as it is no longer observed
needs      bond, nic

Thresholds (rules.t in the configuration file)
  window: 5m
      a time; a duration from 10s to 1h
  share: 0.9
      a part; a number from 0.5 to 1
  count: 3
      a number; a whole number from 1 to 100
  strict: false
      a switch; true or false

What to do
  1. Look at this.
`
	if diff := cmp.Diff(want, Describe(r, 100)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDescribeFitsTheTerminal: no line is wider than the terminal unless it is one
// word.
func TestDescribeFitsTheTerminal(t *testing.T) {
	r, _ := testRule()
	r.Title, r.About, r.Severity, r.Impact, r.Component = strings.Repeat("title ", 20), strings.Repeat("word ", 40), "warning",
		strings.Repeat("none ", 40), report.ComponentHost
	r.Do = []string{strings.Repeat("look ", 40)}
	for _, width := range []int{40, 80, 120} {
		for line := range strings.Lines(Describe(r, width)) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("width %d: %d columns: %q", width, n, line)
			}
		}
	}
}

func TestCellEscapes(t *testing.T) {
	if got, want := cell("a|b\nc"), `a\|b c`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzWrapped: no line is longer than the width unless it is one word, and the words
// are those of the text.
func FuzzWrapped(f *testing.F) {
	f.Add("a few words to wrap at some width", 9)
	f.Add("", 5)
	f.Add("ein längeres Wort", 3)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = max(1, min(width, 200))
		got := wrapped(text, "", width)
		for _, line := range strings.Split(got, "\n") {
			if utf8.RuneCountInString(line) > width && len(strings.Fields(line)) > 1 {
				t.Fatalf("line %q is longer than %d", line, width)
			}
		}
		if a, b := strings.Fields(text), strings.Fields(got); strings.Join(a, " ") != strings.Join(b, " ") {
			t.Fatalf("got words %q of %q", b, a)
		}
	})
}
