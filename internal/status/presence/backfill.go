package presence

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// backfilled returns the record of a component with each silence replaced by the
// states that follow from the node's transitions. Where no agent is known to have
// watched, the silence stays. list must contain all transitions since the first
// silence, in any order.
func backfilled(line uptime.Timeline, component string, list []native.Transition, b native.Body, arrived time.Time) uptime.Timeline {
	runs := runsOf(list, b, arrived)
	var all uptime.Timeline
	for i := 0; i < len(line); {
		if !silent(line[i]) {
			all = append(all, line[i])
			i++
			continue
		}
		end, next := arrived, i
		for next < len(line) && silent(line[next]) {
			next++
		}
		if next < len(line) {
			end = line[next].At
		}
		piece := line[i:next]
		for k, r := range runs {
			until := end
			if k+1 < len(runs) && runs[k+1].began.Before(until) {
				until = runs[k+1].began
			}
			known := uptime.Change{}
			if len(all) > 0 {
				known = all[len(all)-1]
			}
			from, to, ok := r.covers(report.ComponentName(component), piece[0].At, until, known.State != "")
			if !ok {
				continue
			}
			if r.began.After(piece[0].At) {
				known = uptime.Change{} // the state belongs to another run
			}
			changes := r.states(report.ComponentName(component), known, from, to, b.Findings)
			if rest, is := piece.At(to); is && to.Before(end) {
				rest.At = to
				changes = append(append(changes, rest), piece.From(to.Add(resolution))...)
			}
			piece = piece.Replace(from, changes)
		}
		all = append(all, piece...)
		i = next
	}
	return all
}

// A run contains the changes that one run of the agent observed.
type run struct {
	began   time.Time     // start of the run, by the hub's clock
	skew    time.Duration // offset of the node's clock
	current bool          // the run that reports now
	gaps    bool          // some of its transitions were lost
	list    []change      // changes, in their order
}

// A change is a transition, by the hub's clock.
type change struct {
	native.Transition
	at time.Time
}

// runsOf sorts transitions by run; the run that reports now is the last.
func runsOf(list []native.Transition, b native.Body, arrived time.Time) []run {
	skew := Skew(b, arrived)
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b native.Transition) int {
		return cmp.Or(a.Run.Compare(b.Run), cmp.Compare(a.N, b.N), cmp.Compare(a.ID, b.ID))
	})
	var runs []run
	for _, x := range list {
		if x.Run.After(b.Agent.Started) {
			continue // no run is later than the reporting one
		}
		if n := len(runs); n == 0 || !runs[n-1].list[0].Run.Equal(x.Run) {
			runs = append(runs, run{began: hubTime(x.Run, skew), skew: skew})
		}
		r := &runs[len(runs)-1]
		at := hubTime(x.At, skew)
		if n := len(r.list); n > 0 {
			at = later(at, r.list[n-1].at) // a clock was set back
		}
		r.list = append(r.list, change{x, at})
	}
	if n := len(runs); n == 0 || !runs[n-1].list[0].Run.Equal(b.Agent.Started) {
		runs = append(runs, run{began: hubTime(b.Agent.Started, skew), skew: skew})
	}
	last := &runs[len(runs)-1]
	last.current, last.gaps = true, b.Dropped > 0
	return runs
}

// covers returns the part of a silence for which the run reports the state of a
// component. A run that has ended watched at least until its last transition. If a run
// began during the silence, or no state is known before it, the state is unknown
// before the run's first transition. A run that lost transitions covers nothing.
func (r run) covers(component report.ComponentName, from, to time.Time, known bool) (begin, end time.Time, ok bool) {
	begin, end = from, to
	if !r.current {
		last := from
		for _, x := range r.list {
			if !x.at.After(to) {
				last = later(last, x.at)
			}
		}
		end = last
	}
	if r.began.After(from) || !known {
		i := slices.IndexFunc(r.list, func(x change) bool { return x.Component == component && !x.at.Before(from) })
		if i < 0 {
			return begin, end, false
		}
		begin = r.list[i].at
	}
	return begin, end, begin.Before(end) && !r.gaps
}

// raised returns the findings of a component that were raised just before a time,
// with their impacts. The impact of a finding without changes before or after that
// time comes from now, the findings of the present report.
func (r run) raised(component report.ComponentName, at time.Time, now []report.Finding) map[report.Ref]report.Impact {
	list, seen := map[report.Ref]report.Impact{}, map[report.Ref]bool{}
	for _, x := range r.list {
		ref := report.Ref{Rule: x.Rule, Subject: x.Subject}
		before := x.at.Before(at)
		switch {
		case x.Component != component || seen[ref] && !before:
			continue
		case before && x.To != report.Clear:
			list[ref] = x.Impact
		case before:
			delete(list, ref)
		case x.From != report.Clear:
			list[ref] = cmp.Or(x.ImpactFrom, x.Impact)
		}
		seen[ref] = true
	}
	for _, f := range now {
		ref := report.Ref{Rule: f.Rule, Subject: f.Subject}
		if r.current && f.Component == component && !seen[ref] && !hubTime(f.LevelSince, r.skew).After(at) {
			list[ref] = f.Impact
		}
	}
	return list
}

// states returns the states of a component between two times: the worst of its
// findings and of the previously known state, as far as no finding accounts for that.
func (r run) states(component report.ComponentName, known uptime.Change, from, to time.Time, now []report.Finding) (line uptime.Timeline) {
	raised := r.raised(component, from, now)
	base := known
	for ref, impact := range raised {
		if ref.Rule == known.Reason && impact == known.State {
			base = uptime.Change{}
		}
	}
	if base.State == "" {
		base = uptime.Change{State: report.Operational}
	}
	add := func(at time.Time) {
		worst := uptime.Change{At: at, State: base.State, Reason: base.Reason, Backfilled: true}
		for ref, impact := range raised {
			if d := impact.Rank() - worst.State.Rank(); d > 0 || d == 0 && impact != report.Operational && ref.Rule < worst.Reason {
				worst.State, worst.Reason = impact, ref.Rule
			}
		}
		if n := len(line); n > 0 && line[n-1].At.Equal(at) {
			line = line[:n-1]
		}
		if n := len(line); n == 0 || line[n-1].State != worst.State || line[n-1].Reason != worst.Reason {
			line = append(line, worst)
		}
	}
	add(from)
	for _, x := range r.list {
		if x.Component != component || x.at.Before(from) || !x.at.Before(to) {
			continue
		}
		ref := report.Ref{Rule: x.Rule, Subject: x.Subject}
		if delete(raised, ref); x.To != report.Clear {
			raised[ref] = x.Impact
		}
		add(x.at)
	}
	return line
}
