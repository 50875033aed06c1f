package page

import (
	"fmt"
	"strings"
	"testing"
)

// A text is rendered once, however often a page with it is made; what is no longer used
// is forgotten.
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
