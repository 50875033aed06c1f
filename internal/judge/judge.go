// Package judge evaluates the rules on each tick and decides which findings are
// raised, at which level, which findings explain others, and the status of the
// components. It does no I/O and does not read the clock.
package judge

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/history"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// grace is how long the first View waits for sources that have not reported yet.
const grace = 15 * time.Second

// maxHeld is the maximum number of entries that are queued until the next tick: many
// times what arrives in a second.
const maxHeld = 256

// A View is a Snapshot and the Report on it. It is immutable.
type View struct {
	node.Snapshot
	Facts   *facts.Facts // facts of the Snapshot
	Report  report.Report
	History history.History // the hour before the Snapshot
	Rules   rule.RuleSet    // the rules that the Report is based on

	usual     facts.Baselines
	incidents incidents
}

// A Judge turns observations into Views. It does no I/O and does not read the clock;
// its reports depend only on its input.
type Judge struct {
	rules       rule.RuleSet
	snapshot    node.Snapshot
	facts       *facts.Facts    // facts of the latest tick
	usual       facts.Baselines // baseline latencies
	history     history.Recorder
	held        []node.Entry         // entries that the snapshot does not contain yet
	memory      map[string]memories  // by rule
	rises       map[rise][]time.Time // at most flapTimes each, the latest last
	components  map[report.ComponentName]report.Component
	incidents   incidents
	transitions []report.Transition // replaced, never modified, because Reports share it
	changes     []report.Transition // transitions of the current tick
	last        uint64              // number of the latest transition
	ready       bool
	restored    bool // the state of an earlier run has been read

	findings  []report.Finding         // findings of the latest tick, sorted and explained
	explained map[report.Ref]time.Time // when each raised finding was last explained
}

// memories are the memories of one rule, by subject.
type memories map[string]memory

// New returns a Judge that applies the given rules.
func New(rules rule.RuleSet) *Judge {
	return &Judge{rules: rules, memory: map[string]memories{}, components: map[report.ComponentName]report.Component{},
		rises: map[rise][]time.Time{}}
}

// Take queues one entry. On a tick, which is an entry without an observation, it
// applies the queue, evaluates the rules and returns the View and true. Until every
// source has reported, or 15 s have passed, it does not evaluate. On Started it
// forgets everything but its rules, so that the replay of a tape with a restart gives
// the results of the restarted daemon.
func (j *Judge) Take(e node.Entry) (View, bool) {
	switch o := e.Obs.(type) {
	case node.Settings:
		j.rules = j.rules.With(o)
	case *node.Settings:
		j.rules = j.rules.With(*o)
	case node.Started, *node.Started:
		*j = *New(j.rules)
	case node.SawState:
		j.restore(o, e.At)
	case *node.SawState:
		j.restore(*o, e.At)
	}
	if j.held = append(j.held, e); e.Obs == nil || len(j.held) == maxHeld {
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
	j.evaluateAll()
	j.usual = j.usual.Learn(j.facts, j.touched, j.slownessAcknowledged)
	v := View{Snapshot: j.snapshot, Facts: j.facts, Report: j.report(), History: j.history.Record(j.facts), Rules: j.rules, usual: j.usual}
	v.incidents = j.incidents
	return v, true
}

// evaluateAll evaluates every rule, and clears the findings of rules that are no
// longer enabled.
func (j *Judge) evaluateAll() {
	j.changes = nil
	j.forgetRises()
	for _, r := range j.rules.Rules {
		j.evaluate(r)
	}
	for _, id := range slices.Sorted(maps.Keys(j.memory)) {
		if _, on := j.rules.Rule(id); !on {
			for _, subject := range slices.Sorted(maps.Keys(j.memory[id])) {
				j.move(id, subject, memory{})
			}
		}
	}
	j.findings = j.explainedFindings()
	j.remember()
}

// evaluate evaluates one rule.
func (j *Judge) evaluate(r rule.Rule) {
	old := j.memory[r.ID]
	results := worstOfEach(r.Check(rule.Input{Facts: j.facts, Raised: old.raised(), Incident: j.incidents.latest()}))
	for i := range results {
		j.step(r, results[i].Subject, &results[i])
	}
	if len(j.memory[r.ID]) == len(results) {
		return
	}
	for _, subject := range slices.Sorted(maps.Keys(j.memory[r.ID])) {
		if !slices.ContainsFunc(results, func(x rule.Result) bool { return x.Subject == subject }) {
			j.step(r, subject, nil)
		}
	}
}

// touched reports whether a raised finding with an impact names the krbd device.
func (j *Judge) touched(device string) bool {
	for _, all := range j.memory {
		for _, m := range all {
			h := &m.result.Hits
			if m.raised && m.finding.Impact != report.Operational &&
				(slices.Contains(h.Stalled, device) || slices.Contains(h.Failed, device) || slices.Contains(h.Slow, device)) {
				return true
			}
		}
	}
	return false
}

// krbdSlow is the rule whose findings report that krbd devices are slower than usual:
// acknowledging one makes the current latency the baseline.
const krbdSlow = "krbd-slow"

// slownessAcknowledged returns when an operator acknowledged that the krbd device is
// slower than usual; zero: never.
func (j *Judge) slownessAcknowledged(device string) time.Time {
	for _, m := range j.memory[krbdSlow] {
		if a := accepted(m.finding, j.snapshot); m.raised && a != nil && slices.Contains(m.result.Hits.Slow, device) {
			return a.At
		}
	}
	return time.Time{}
}

// worstOfEach sorts results by subject and keeps the worst result for each subject,
// so that the order and repetition of a rule's results do not matter.
func worstOfEach(list []rule.Result) []rule.Result {
	if len(list) < 2 {
		return list
	}
	slices.SortStableFunc(list, func(a, b rule.Result) int {
		if a.Subject != b.Subject {
			return strings.Compare(a.Subject, b.Subject)
		}
		return level{b.Severity, b.Impact}.compare(level{a.Severity, a.Impact})
	})
	return slices.CompactFunc(list, func(a, b rule.Result) bool { return a.Subject == b.Subject })
}

// raised returns the raised findings of one rule, by subject.
func (all memories) raised() []rule.Raised {
	var list []rule.Raised
	for _, m := range all {
		if m.raised {
			list = append(list, rule.Raised{Finding: m.finding, State: m.result.State})
		}
	}
	slices.SortFunc(list, func(a, b rule.Raised) int { return strings.Compare(a.Finding.Subject, b.Finding.Subject) })
	return list
}
