// Package judge is the engine: it runs the rules on each tick and decides what is
// raised, at which level, and how the components are. It does no I/O and reads no
// clock.
package judge

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
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
	Facts  *facts.Facts // of the Snapshot
	Report report.Report
	Rules  rule.RuleSet // the rules that made it
}

// A Judge turns what happens into Views. It does no I/O and reads no clock; what
// it says depends on nothing but what it was given.
type Judge struct {
	rules       rule.RuleSet
	snapshot    node.Snapshot
	held        []node.Entry        // that the snapshot does not know yet
	memory      map[string]memories // by rule
	components  map[rule.Component]report.Component
	transitions []report.Transition // replaced, never changed: Reports share it
	changes     []report.Transition // those of the tick under way
	raisings    raisings
	last        uint64       // number of the latest transition
	facts       *facts.Facts // of the latest tick
	usual       facts.Baselines
	ready       bool
}

// memories are those of one rule, by subject.
type memories map[string]memory

// New returns a Judge that applies the given rules.
func New(rules rule.RuleSet) *Judge {
	return &Judge{rules: rules, memory: map[string]memories{}, components: map[rule.Component]report.Component{}, raisings: raisings{}}
}

// Take takes in one entry. At an entry without an observation it judges, and
// returns the View and true; before every source has spoken, or 15 s have
// passed, it judges nothing yet. Other entries it holds until then. At Started it forgets everything but its rules:
// a tape that holds a restart plays as the restarted daemon judged.
func (j *Judge) Take(e node.Entry) (View, bool) {
	switch o := e.Obs.(type) {
	case node.Settings:
		j.rules = j.rules.With(o)
	case *node.Settings:
		j.rules = j.rules.With(*o)
	case node.Started, *node.Started:
		*j = *New(j.rules)
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
	j.facts = facts.New(j.snapshot, j.usual)
	j.judge()
	j.usual = j.usual.Learn(j.facts, j.touched())
	return View{Snapshot: j.snapshot, Facts: j.facts, Report: j.report(), Rules: j.rules}, true
}

// judge runs every rule, moves its findings on, and clears those of rules that
// are no longer in force.
func (j *Judge) judge() {
	j.changes = nil
	for _, r := range j.rules.Rules {
		j.evaluate(r)
	}
	for _, id := range slices.Sorted(maps.Keys(j.memory)) {
		if _, on := j.rules.Rule(id); !on {
			for _, subject := range slices.Sorted(maps.Keys(j.memory[id])) {
				j.move(rule.Rule{ID: id}, subject, memory{})
			}
		}
	}
	j.remember()
}

// touched tells which krbd devices a raised finding names of which customers feel
// something.
func (j *Judge) touched() func(device string) bool {
	devices := map[string]bool{}
	for _, of := range j.memory {
		for _, m := range of {
			if !m.raised || m.finding.Impact.Rank() <= report.Operational.Rank() {
				continue
			}
			for _, list := range [][]string{m.result.Hits.Stalled, m.result.Hits.Failed, m.result.Hits.Slow} {
				for _, d := range list {
					devices[d] = true
				}
			}
		}
	}
	return func(device string) bool { return devices[device] }
}

// evaluate runs one rule. A finding whose needed sources are all blind, or that the
// rule itself says it cannot see now, is not seen, whatever older readings show.
func (j *Judge) evaluate(r rule.Rule) {
	in := rule.Input{Facts: j.facts, Raised: j.raised(r.ID)}
	some, all := j.blindTo(r)
	seen := map[string]bool{}
	hidden := map[string]bool{}
	for _, result := range worstOfEach(r.Check(in)) {
		if all || result.Blind {
			hidden[result.Subject] = true
			continue
		}
		seen[result.Subject] = true
		old := j.memory[r.ID][result.Subject]
		j.move(r, result.Subject, old.observe(j.withDefaults(result, r), result, j.snapshot.Now, r))
	}
	if len(j.memory[r.ID]) == len(seen) {
		return
	}
	for _, subject := range slices.Sorted(maps.Keys(j.memory[r.ID])) {
		if !seen[subject] {
			old := j.memory[r.ID][subject]
			j.move(r, subject, old.notObserved(j.snapshot.Now, r, some || hidden[subject]))
		}
	}
}

// withDefaults is the result as a finding, with rule, component, runbook and empty
// lists filled in.
func (j *Judge) withDefaults(result rule.Result, r rule.Rule) report.Finding {
	f := report.Finding{
		Rule: r.ID, Subject: result.Subject, Component: string(r.Component), Runbook: j.rules.RunbookURL(r.ID),
		Severity: result.Severity, Impact: cmp.Or(result.Impact, report.Operational), Since: result.Since,
		Summary: result.Summary, Evidence: result.Evidence, Against: result.Against, Advice: result.Advice,
	}
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

// worstOfEach sorts results by subject and keeps the worst of those of one
// subject, so that neither a rule's order nor its repeating itself matters.
func worstOfEach(list []rule.Result) []rule.Result {
	if len(list) < 2 {
		return list
	}
	slices.SortStableFunc(list, func(a, b rule.Result) int {
		switch {
		case a.Subject != b.Subject:
			return strings.Compare(a.Subject, b.Subject)
		case milder(b.Severity, b.Impact, a.Severity, a.Impact):
			return -1
		case milder(a.Severity, a.Impact, b.Severity, b.Impact):
			return 1
		}
		return 0
	})
	return slices.CompactFunc(list, func(a, b rule.Result) bool { return a.Subject == b.Subject })
}

// raised are the raised findings of one rule, by subject.
func (j *Judge) raised(id string) []rule.Raised {
	var list []rule.Raised
	for _, m := range j.memory[id] {
		if m.raised {
			list = append(list, rule.Raised{Finding: m.finding, State: m.result.State})
		}
	}
	slices.SortFunc(list, func(a, b rule.Raised) int { return strings.Compare(a.Finding.Subject, b.Finding.Subject) })
	return list
}

// blindTo says whether some, and whether all, of the sources that the rule needs
// are blind: it cannot tell "not seen", or not even "seen".
func (j *Judge) blindTo(r rule.Rule) (some, all bool) {
	n := 0
	for _, name := range r.Needs {
		if j.snapshot.Blind(name) != nil {
			n++
		}
	}
	return n > 0, n > 0 && n == len(r.Needs)
}
