package page

import (
	"fmt"
	"strings"
	"testing"
)

// A text is rendered once, however often its page is built; a text that is no longer
// used is dropped.
func TestMarkdownIsRenderedOnce(t *testing.T) {
	m := newMarkdown()
	render := func(source string) {
		if got, err := m.html(source); err != nil || !strings.Contains(string(got), "<strong>") {
			t.Fatalf("%.80q: %.80q %v", source, got, err)
		}
	}
	long := strings.Repeat("> - **nested** [link](https://example.org/)\n", 500)
	render(long)
	if again := testing.AllocsPerRun(10, func() { render(long) }); again > 10 {
		t.Errorf("the same text takes %.0f allocations again", again)
	}
	for n := range 40 {
		render(fmt.Sprintf("**%d** ", n) + strings.Repeat("x ", 300_000))
		render(long)
	}
	if size := m.made.size; size > maxRendered+2<<20 {
		t.Errorf("it keeps %d bytes", size)
	}
	if n := len(m.made.of) + len(m.made.before); n > 20 {
		t.Errorf("it keeps %d texts", n)
	}
	if again := testing.AllocsPerRun(10, func() { render(long) }); again > 10 {
		t.Errorf("a text that is used takes %.0f allocations again", again)
	}
}

// The headings of a text form an outline below the two levels of the page.
func TestHeadingsAreAnOutline(t *testing.T) {
	m := newMarkdown()
	for source, want := range map[string]string{
		"## a\n\n## b":                      "<h3>a</h3><h3>b</h3>",
		"# a\n\n## b\n\n# c":                "<h3>a</h3><h4>b</h4><h3>c</h3>",
		"# a\n\n#### b\n\n## c":             "<h3>a</h3><h4>b</h4><h4>c</h4>",
		"### a\n\n## b":                     "<h3>a</h3><h3>b</h3>",
		"a\n=\n\nb\n-":                      "<h3>a</h3><h4>b</h4>",
		"> ###### a\n\n- # b":               "<blockquote><h3>a</h3></blockquote><ul><li><h3>b</h3></li></ul>",
		"# a\n## b\n### c\n#### d\n##### e": "<h3>a</h3><h4>b</h4><h5>c</h5><h6>d</h6><h6>e</h6>",
	} {
		got, err := m.html(source)
		if text := strings.ReplaceAll(string(got), "\n", ""); err != nil || text != want {
			t.Errorf("%q: %s, want %s (%v)", source, text, want, err)
		}
	}
}
