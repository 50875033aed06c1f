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

// A markdown turns Markdown that people wrote into HTML that may be shown: without
// scripts, styles, images, forms and addresses other than links.
type markdown struct {
	parse goldmark.Markdown
	allow *bluemonday.Policy
	made  *rendered
}

func newMarkdown() *markdown {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h3", "h4", "h5", "h6", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td")
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

// html is the text as HTML, which is made once while the text is in use.
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

// maxRendered is the size of the texts, source and HTML, after which those are forgotten
// that were not used since it was reached last, in bytes.
const maxRendered = 8 << 20

// Rendered is the HTML of texts that are in use: the public page is made again every other
// second, and its texts seldom change.
type rendered struct {
	mu     sync.Mutex
	of     map[string]template.HTML
	before map[string]template.HTML // those that were used before of was begun
	size   int                      // of what is in of
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

// lead is the first paragraph of a text, and the rest of it.
func lead(source string) (first, rest string) {
	source = strings.TrimSpace(strings.ReplaceAll(source, "\r\n", "\n"))
	if strings.HasPrefix(source, "#") {
		return "", source
	}
	first, rest, _ = strings.Cut(source, "\n\n")
	return first, rest
}

// demote makes headings lower ones, as the page has two levels of its own, without
// leaving out a level: screen readers present them as an outline.
type demote struct{}

// Transform implements parser.ASTTransformer.
func (demote) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var above []int                                                             // the levels of the headings that the current one is below
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
