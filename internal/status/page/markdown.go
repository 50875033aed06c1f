package page

import (
	"bytes"
	"html/template"
	"strings"

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
}

func newMarkdown() markdown {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h3", "h4", "h5", "h6", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowAttrs("href").OnElements("a")
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return markdown{
		parse: goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify),
			goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(demote{}, 100)))),
		allow: p,
	}
}

// html is the text as HTML.
func (m markdown) html(source string) (template.HTML, error) {
	var b bytes.Buffer
	if err := m.parse.Convert([]byte(source), &b); err != nil {
		return "", err
	}
	return template.HTML(m.allow.SanitizeBytes(b.Bytes())), nil
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

// demote makes headings lower ones, as the page has two levels of its own.
type demote struct{}

// Transform implements parser.ASTTransformer.
func (demote) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, is := n.(*ast.Heading); is {
			h.Level = min(h.Level+2, 6)
		}
	}
}
