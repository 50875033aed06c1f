package page

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A factView is one piece of evidence, or several of one kind: the first is shown, and
// the others are folded behind it.
type factView struct {
	At      moment
	Source  string
	Subject string
	Fact    string
	Many    string     // "182 OSDs"; empty: it is one
	Others  []factView // of the same kind
}

// evidenceOf groups evidence: facts that a source reports in the same words of
// several subjects are one.
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

// numbered is a word with a digit in it: a number, a name with a number, an address.
var numbered = regexp.MustCompile(`\S*[0-9]\S*`)

// kindOf is equal for facts that differ in numbers only.
func kindOf(e report.Evidence) string {
	return e.Source + " " + prefixOf(e.Subject) + " " + numbered.ReplaceAllString(e.Fact, "#")
}

// prefixOf is a name without the number at its end.
func prefixOf(name string) string { return strings.TrimRight(name, "0123456789") }

// manyOf is how many things of the kind of a subject there are.
func manyOf(subject string, n int) string {
	nouns := map[string]string{"osd": "OSD", "rbd": "krbd disk", "vm": "VM"}
	if noun, known := nouns[prefixOf(subject)]; known {
		return human.Count(n, noun)
	}
	return fmt.Sprintf("%s such facts", human.Number(n))
}

// said is what a fact says of its subject, which is before it already.
func said(e report.Evidence) string {
	if e.Subject == "" {
		return e.Fact
	}
	return strings.TrimPrefix(e.Fact, e.Subject+" ")
}
