package rule

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// grace is how long the first View waits for sources that have not said anything yet.
const grace = 15 * time.Second

// mostHeld is how many entries are held at most until the next tick: many times
// what a second brings.
const mostHeld = 256

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
	held        []node.Entry        // that the snapshot does not know yet
	memory      map[string]memories // by rule
	components  map[Component]report.Component
	transitions []report.Transition // replaced, never changed: Reports share it
	changes     []report.Transition // those of the tick under way
	raisings    raisings
	last        uint64  // number of the latest transition
	census      *census // of the latest tick
	ready       bool
}

// memories are those of one rule, by subject.
type memories map[string]memory

// NewJudge returns a Judge that goes by the given rules.
func NewJudge(book Book) *Judge {
	return &Judge{book: book, memory: map[string]memories{}, components: map[Component]report.Component{}, raisings: raisings{}}
}

// Take takes in one entry. At an entry without an observation it judges, and
// returns the View and true; before every source has spoken, or 15 s have
// passed, it judges nothing yet. Other entries it holds until then. At Started it forgets everything but its rules:
// a tape that holds a restart plays as the restarted daemon judged.
func (j *Judge) Take(e node.Entry) (View, bool) {
	switch o := e.Obs.(type) {
	case node.Settings:
		j.book = FromSettings(o)
	case *node.Settings:
		j.book = FromSettings(*o)
	case node.Started, *node.Started:
		*j = *NewJudge(j.book)
	}
	if j.held = append(j.held, e); e.Obs == nil || len(j.held) == mostHeld {
		j.snapshot = j.snapshot.TakeAll(j.held)
		clear(j.held)
		j.held = j.held[:0]
	}
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

// judge runs every rule, moves its findings on, and clears those of rules that
// are no longer in force.
func (j *Judge) judge() {
	j.changes = nil
	j.census = j.census.next()
	for _, r := range j.book.Rules {
		j.look(r)
	}
	for _, id := range slices.Sorted(maps.Keys(j.memory)) {
		if _, on := j.book.Rule(id); !on {
			for _, subject := range slices.Sorted(maps.Keys(j.memory[id])) {
				j.move(Rule{ID: id}, subject, memory{})
			}
		}
	}
	j.remember()
}

// look runs one rule. A finding whose needed sources are all blind, or that the
// rule itself says it cannot see now, is not seen, whatever older readings show.
func (j *Judge) look(r Rule) {
	in := Input{Snapshot: j.snapshot, Raised: j.raised(r.ID), census: j.census}
	some, all := in.blindTo(r)
	seen := map[string]bool{}
	hidden := map[string]bool{}
	for _, f := range worstOfEach(r.Check(in)) {
		if all || f.State == report.Blind {
			hidden[f.Subject] = true
			continue
		}
		seen[f.Subject] = true
		f = j.signed(f, r)
		old := j.memory[r.ID][f.Subject]
		j.move(r, f.Subject, old.see(f, j.snapshot.Now, r.patient(old.finding)))
	}
	if len(j.memory[r.ID]) == len(seen) {
		return
	}
	for _, subject := range slices.Sorted(maps.Keys(j.memory[r.ID])) {
		if !seen[subject] {
			old := j.memory[r.ID][subject]
			j.move(r, subject, old.miss(j.snapshot.Now, r.patient(old.finding), some || hidden[subject]))
		}
	}
}

// signed is the finding with what its rule does not fill in. Lists are empty
// rather than missing.
func (j *Judge) signed(f report.Finding, r Rule) report.Finding {
	f.Rule, f.Component, f.Runbook = r.ID, string(r.Component), j.book.RunbookURL(r.ID)
	if f.Evidence == nil {
		f.Evidence = []report.Evidence{}
	}
	if f.Against == nil {
		f.Against = []report.Evidence{}
	}
	if f.Advice == nil {
		f.Advice = []report.Advice{}
	}
	return f
}

// worstOfEach sorts findings by subject and keeps the worst of those of one
// subject, so that neither a rule's order nor its repeating itself matters.
func worstOfEach(list []report.Finding) []report.Finding {
	if len(list) < 2 {
		return list
	}
	slices.SortStableFunc(list, func(a, b report.Finding) int {
		switch {
		case a.Subject != b.Subject:
			return strings.Compare(a.Subject, b.Subject)
		case milder(b, a):
			return -1
		case milder(a, b):
			return 1
		}
		return 0
	})
	return slices.CompactFunc(list, func(a, b report.Finding) bool { return a.Subject == b.Subject })
}

// raised are the raised findings of one rule, by subject.
func (j *Judge) raised(rule string) []report.Finding {
	var list []report.Finding
	for _, m := range j.memory[rule] {
		if m.raised {
			list = append(list, m.finding)
		}
	}
	slices.SortFunc(list, func(a, b report.Finding) int { return strings.Compare(a.Subject, b.Subject) })
	return list
}

// blindTo says whether some, and whether all, of the sources that the rule needs
// are blind: it cannot tell "not seen", or not even "seen".
func (in Input) blindTo(r Rule) (some, all bool) {
	n := 0
	for _, name := range r.Needs {
		if in.Blind(name) != nil {
			n++
		}
	}
	return n > 0, n > 0 && n == len(r.Needs)
}
