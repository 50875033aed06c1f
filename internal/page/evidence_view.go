package page

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A factView shows one piece of evidence, or several of one kind: the first is
// visible, and the others are folded.
type factView struct {
	At      moment
	Source  string
	Subject string
	Fact    string
	Many    string     // "182 OSDs"; empty: a single one
	Others  []factView // the others of the same kind
}

// evidenceOf groups evidence: facts that a source reports in the same words about
// several subjects become one.
func evidenceOf(evidence []report.Evidence, now time.Time) []factView {
	var list []factView
	kind := ""
	for _, e := range evidence[:min(len(evidence), maxFacts)] {
		f := factView{At: momentOf(e.At, now), Source: e.Source, Subject: e.Subject, Fact: said(e)}
		if e.More > 0 && kind != "" && list[len(list)-1].Source == e.Source {
			g := &list[len(list)-1]
			g.Others = append(g.Others, f)
			g.Many = manyOf(g.Subject, len(g.Others)+e.More)
			kind = ""
			continue
		}
		this := kindOf(e)
		if len(list) > 0 && e.Subject != "" && this == kind {
			g := &list[len(list)-1]
			g.Others = append(g.Others, f)
			g.Many = manyOf(g.Subject, 1+len(g.Others))
			continue
		}
		list, kind = append(list, f), this
	}
	return list
}

// numbered matches a word with a digit: a number, a name with a number, or an
// address.
var numbered = regexp.MustCompile(`\S*[0-9]\S*`)

// kindOf returns the same text for facts that differ only in numbers.
func kindOf(e report.Evidence) string {
	return e.Source + " " + prefixOf(e.Subject) + " " + numbered.ReplaceAllString(e.Fact, "#")
}

// prefixOf returns a name without the number at its end.
func prefixOf(name string) string { return strings.TrimRight(name, "0123456789") }

// manyOf describes how many things of a subject's kind there are.
func manyOf(subject string, n int) string {
	nouns := map[string]string{"osd": "OSD", "rbd": "krbd disk", "vm": "VM"}
	if noun, known := nouns[prefixOf(subject)]; known {
		return human.Count(n, noun)
	}
	return fmt.Sprintf("%s such facts", human.Number(n))
}

// said returns a fact's text without its subject, which is shown before it.
func said(e report.Evidence) string {
	if e.Subject == "" {
		return e.Fact
	}
	return strings.TrimPrefix(e.Fact, e.Subject+" ")
}
