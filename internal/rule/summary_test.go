package rule

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A summary that is too long ends after a whole clause or word, with an ellipsis.
func TestShorten(t *testing.T) {
	clause := "bond0 hashes with layer2 and carries the traffic of all the krbd disks of this node"
	for _, c := range []struct{ name, text, want string }{
		{"short", "eth0 is down", "eth0 is down"},
		{"as long as it may be", strings.Repeat("ä", MaxSummary), strings.Repeat("ä", MaxSummary)},
		{"with a clause", clause + "; " + strings.Repeat("more ", 20), clause + "…"},
		{"with a sentence", clause + ". " + strings.Repeat("more ", 20), clause + "…"},
		{"with words only", strings.Repeat("word ", 40), strings.TrimSuffix(strings.Repeat("word ", 27), " ") + "…"},
		{"whose first clause is short", "eth0 is down; " + strings.Repeat("word ", 40),
			"eth0 is down; " + strings.TrimSuffix(strings.Repeat("word ", 25), " ") + "…"},
		{"without a blank", strings.Repeat("ä", 200), strings.Repeat("ä", MaxSummary-1) + "…"},
	} {
		got := Shorten(c.text)
		if n := utf8.RuneCountInString(got); got != c.want || n > MaxSummary {
			t.Errorf("%s: got %d characters, %q, want %q", c.name, n, got, c.want)
		}
	}
}
