package rule

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// grace is how long the first View waits for sources that have not said anything yet.
const grace = 15 * time.Second

// keptTransitions is how many transitions a Report carries at most.
const keptTransitions = 200

// A View is a Snapshot and the Report on it. It is never changed once made.
type View struct {
	node.Snapshot
	Report report.Report
	Book   Book // the rules that made it
}

// A Judge turns what happens into Views. It does no I/O and reads no clock; what
// it says depends on nothing but what it was given.
type Judge struct {
	book        Book
	snapshot    node.Snapshot
	memory      map[key]memory
	components  map[Component]report.Component
	transitions []report.Transition
	last        uint64 // number of the latest transition
	ready       bool
}

// key names one finding.
type key struct{ rule, subject string }

// NewJudge returns a Judge that goes by the given rules.
func NewJudge(book Book) *Judge {
	return &Judge{book: book, memory: map[key]memory{}, components: map[Component]report.Component{}}
}

// Take takes in one entry. At an entry without an observation it judges, and
// returns the View and true; before every source has spoken, or 15 s have
// passed, it judges nothing yet.
func (j *Judge) Take(e node.Entry) (View, bool) {
	switch o := e.Obs.(type) {
	case node.Started, *node.Started:
		*j = *NewJudge(j.book) // nodewatch started anew
	case node.Settings:
		j.book = FromSettings(o)
	case *node.Settings:
		j.book = FromSettings(*o)
	}
	j.snapshot = j.snapshot.Take(e)
	if e.Obs != nil {
		return View{}, false
	}
	if !j.ready && !j.snapshot.Complete() && e.At.Sub(j.snapshot.Started) < grace {
		return View{}, false
	}
	j.ready = true
	j.judge()
	return View{Snapshot: j.snapshot, Report: j.report(), Book: j.book}, true
}

// judge runs every rule and moves its findings on.
func (j *Judge) judge() {
	for _, r := range j.book.Rules {
		in := Input{Snapshot: j.snapshot, Raised: j.raised(r.ID)}
		seen := map[string]bool{}
		for _, f := range r.Check(in) {
			f.Rule, f.Component, f.Runbook = r.ID, string(r.Component), j.book.RunbookURL(r.ID)
			k := key{r.ID, f.Subject}
			seen[f.Subject] = true
			j.move(k, j.memory[k].see(f, j.snapshot.Now, r))
		}
		blind := in.blind(r)
		for _, k := range j.remembered() {
			if k.rule == r.ID && !seen[k.subject] {
				j.move(k, j.memory[k].miss(j.snapshot.Now, r, blind))
			}
		}
	}
	for _, k := range j.remembered() {
		if _, on := j.book.Rule(k.rule); !on {
			j.move(k, memory{})
		}
	}
}

// remembered are the keys of all memories, sorted.
func (j *Judge) remembered() []key {
	return slices.SortedFunc(maps.Keys(j.memory), func(a, b key) int {
		return cmp.Or(strings.Compare(a.rule, b.rule), strings.Compare(a.subject, b.subject))
	})
}

// raised are the raised findings of one rule, by subject.
func (j *Judge) raised(rule string) []report.Finding {
	var list []report.Finding
	for k, m := range j.memory {
		if k.rule == rule && m.raised {
			list = append(list, m.finding)
		}
	}
	sortFindings(list, j.book)
	return list
}

// blind says why the rule cannot tell "not seen" now; empty if it can.
func (in Input) blind(r Rule) string {
	var why []string
	for _, name := range r.Needs {
		if err := in.Blind(name); err != nil {
			why = append(why, fmt.Sprintf("%s %s: %s", name, err.Kind, err.Text))
		}
	}
	return strings.Join(why, "; ")
}
