package page

import (
	"bytes"
	"html/template"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// A markdown converts Markdown written by people to safe HTML: without scripts,
// styles, images, forms and addresses other than links.
type markdown struct {
	parse goldmark.Markdown
	allow *bluemonday.Policy
	made  *rendered
}

func newMarkdown() *markdown {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h3", "h4", "h5", "h6", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li", "table",
		"thead", "tbody", "tr", "th", "td")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowAttrs("href").OnElements("a")
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return &markdown{
		parse: goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify),
			goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(demote{}, 100)))),
		allow: p,
		made:  &rendered{of: map[string]template.HTML{}},
	}
}

// html returns the text as HTML, which is cached while the text is in use.
func (m *markdown) html(source string) (template.HTML, error) {
	if done, is := m.made.get(source); is {
		return done, nil
	}
	var b bytes.Buffer
	if err := m.parse.Convert([]byte(source), &b); err != nil {
		return "", err
	}
	done := template.HTML(m.allow.SanitizeBytes(b.Bytes()))
	m.made.add(source, done)
	return done, nil
}

// maxRendered is the cache size, source and HTML, in bytes. When it is reached, texts
// that were not used since it was last reached are dropped.
const maxRendered = 8 << 20

// A rendered caches the HTML of texts in use: the public page is rebuilt every two
// seconds, and its texts seldom change.
type rendered struct {
	mu     sync.Mutex
	of     map[string]template.HTML
	before map[string]template.HTML // texts used before of was started
	size   int                      // bytes of the texts in of
}

func (r *rendered) get(source string) (template.HTML, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done, is := r.of[source]
	if !is {
		if done, is = r.before[source]; is {
			r.put(source, done)
		}
	}
	return done, is
}

func (r *rendered) add(source string, done template.HTML) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(source, done)
}

func (r *rendered) put(source string, done template.HTML) {
	if r.size >= maxRendered {
		r.of, r.before, r.size = map[string]template.HTML{}, r.of, 0
	}
	r.of[source] = done
	r.size += len(source) + len(done)
}

// lead returns the first paragraph of a text, and the rest of it.
func lead(source string) (first, rest string) {
	source = strings.TrimSpace(strings.ReplaceAll(source, "\r\n", "\n"))
	if strings.HasPrefix(source, "#") {
		return "", source
	}
	first, rest, _ = strings.Cut(source, "\n\n")
	return first, rest
}

// demote lowers the levels of headings, because the page itself uses two levels, and
// closes gaps between levels: screen readers present headings as an outline.
type demote struct{}

// Transform implements parser.ASTTransformer.
func (demote) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var above []int                                                             // the levels of the headings above the current one
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // never fails
		h, is := n.(*ast.Heading)
		if !is || !entering {
			return ast.WalkContinue, nil
		}
		for len(above) > 0 && above[len(above)-1] >= h.Level {
			above = above[:len(above)-1]
		}
		above = append(above, h.Level)
		h.Level = min(2+len(above), 6)
		return ast.WalkContinue, nil
	})
}
