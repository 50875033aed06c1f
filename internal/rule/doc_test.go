package rule

import (
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write generated files anew")

func TestDocsOfRulesAreFresh(t *testing.T) {
	const path = "../../docs/rules.md"
	got := Markdown(Default())
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/rules.md is not what the rules say; run \"make docs\" (-file +rules):\n%s", diff)
	}
}

// A finding's runbook points to #id: each id must be a heading of its own.
func TestDocsHaveAnAnchorForEveryRule(t *testing.T) {
	text := Markdown(Default())
	for _, r := range All() {
		if n := strings.Count(text, "\n## "+r.ID+"\n"); n != 1 {
			t.Errorf("%s: %d headings, want one", r.ID, n)
		}
		if strings.ToLower(r.ID) != r.ID || strings.ContainsAny(r.ID, " ._/#") {
			t.Errorf("%q is no anchor", r.ID)
		}
	}
}

func TestEveryRuleSaysWhatItIs(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range All() {
		if seen[r.ID] {
			t.Errorf("%s is there twice", r.ID)
		}
		seen[r.ID] = true
		if r.Title == "" || r.About == "" || severities(r) == "" || r.Component == "" || r.Impact == "" || len(r.Do) == 0 || r.Check == nil {
			t.Errorf("%s: title %q, severity %q, impact %q, component %q, about %q, %d things to do", r.ID, r.Title, r.Severity, r.Impact, r.Component, r.About, len(r.Do))
		}
		if r.Hold < 0 || r.Keep < 0 {
			t.Errorf("%s: hold %s, keep %s", r.ID, r.Hold, r.Keep)
		}
	}
}

func TestDescribe(t *testing.T) {
	r, _ := testRule()
	r.Title, r.About, r.Severity, r.Impact, r.Component = "a test", strings.Repeat("word ", 40), "warning", "operational: none", Host
	r.Needs, r.Do = []string{"bond", "nic"}, []string{"Look at `this`."}
	want := `t: a test

word word word word word word word word word word word word word word word word word word word word
word word word word word word word word word word word word word word word word word word word word

severity   warning
impact     operational: none
component  host
raised     at once; goes as soon as it is no longer seen
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
	if diff := cmp.Diff(want, Describe(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTableListsWhatIsOffLast(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(Table(Default().Without("nic-drops")), "\n"), "\n")
	if got, want := len(lines), len(All())+1; got != want {
		t.Fatalf("got %d lines, want %d", got, want)
	}
	if last := strings.Fields(lines[len(lines)-1]); last[0] != "nic-drops" || last[1] != "off" {
		t.Errorf("got last line %q", lines[len(lines)-1])
	}
	at := strings.Index(lines[0], "WHAT IT IS")
	for i, r := range Default().Without("nic-drops").Rules {
		if !strings.HasPrefix(lines[i+1], r.ID+" ") || lines[i+1][at:] != r.Title {
			t.Errorf("line %q does not line up with %q", lines[i+1], lines[0])
		}
	}
}

func TestColumnsAlignWhatIsNotASCII(t *testing.T) {
	if got, want := columns([][]string{{"ä", "b"}, {"aa", "b"}}), "ä   b\naa  b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCellEscapes(t *testing.T) {
	if got, want := cell("a|b\nc"), `a\|b c`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzWrapped: no line is longer than the width unless it is one word, and the
// words are those of the text.
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
