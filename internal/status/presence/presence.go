// Package presence evaluates a node's reports and their absence: it determines which
// changes of state a report implies, when a node is late or silent, and how the
// record is corrected once the node reports again. It reads no clock.
package presence

import (
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// trustedSkew is the maximum clock offset of a node up to which its times are used
// uncorrected.
const trustedSkew = 5 * time.Second

// longestHold is the longest time for which a rule holds a finding back: a state may
// have begun that long before the previous report.
const longestHold = 10 * time.Minute

// A Before is the known state of a node when its next report arrives.
type Before struct {
	Node        Node                       // state as of its previous report; zero: there was none
	Lines       map[string]uptime.Timeline // records of its components: the latest change; for CatchesUp, back to where a silence can begin
	Gaps        []Gap                      // the hubs' gaps since the previous report; only for CatchesUp
	Transitions []native.Transition        // sent by the node since the beginning of Lines, also in this report; only for CatchesUp
}

// A Rewrite replaces the record of one component from a time on.
type Rewrite struct {
	Component string
	From      time.Time
	Changes   uptime.Timeline // all at or after From; empty: the state before From continues
}

// CatchesUp reports whether a report may correct the record of a silence: it ends one,
// or it contains transitions that were not sent before.
func CatchesUp(n Node, b native.Body, arrived time.Time) bool {
	return n.returns(arrived) || len(b.Transitions) > 0 && b.Waiting == 0
}

// returns reports whether a report that arrives now ends a silence.
func (n Node) returns(arrived time.Time) bool {
	return !n.Arrived.IsZero() && (n.Recorded != "" || arrived.Sub(n.Arrived) > n.TTL)
}

// Skew returns how far the node's clock is ahead of the hub's, including the
// transport time.
func Skew(b native.Body, arrived time.Time) time.Duration { return b.SentAt.Sub(arrived) }

// Rewrites returns the changes of the record that a report implies.
func Rewrites(before Before, b native.Body, arrived time.Time) []Rewrite {
	arrived = arrived.Truncate(resolution)
	catchesUp := CatchesUp(before.Node, b, arrived)
	var list []Rewrite
	for _, id := range components(before, b) {
		was := before.Lines[id]
		now := was
		if len(was) > 0 && before.Node.Recorded == "" && before.Node.returns(arrived) {
			now = now.Replace(before.Node.Arrived.Add(resolution), before.Node.Record(before.Gaps, arrived))
		}
		now = observed(now, before.Node.Arrived, b, id, arrived)
		if catchesUp && b.Waiting == 0 {
			now = backfilled(now, id, before.Transitions, b, arrived)
		}
		if from, differs := was.Differs(now); differs {
			list = append(list, Rewrite{Component: id, From: from, Changes: now.From(from)})
		}
	}
	return list
}

// components returns the recorded and the reported components, in a fixed order.
func components(before Before, b native.Body) (ids []string) {
	for id := range before.Lines {
		ids = append(ids, id)
	}
	for _, c := range b.Components {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// NotReported is the reason of a component that its node no longer lists.
const NotReported = "not_reported"

// observed returns the record of a component with its reported state appended.
// previous is when the previous report arrived.
func observed(line uptime.Timeline, previous time.Time, b native.Body, id string, arrived time.Time) uptime.Timeline {
	i := slices.IndexFunc(b.Components, func(c native.Component) bool { return c.ID == id })
	if i < 0 {
		last := line[len(line)-1]
		shutdown := b.Final != nil && len(b.Components) == 0 // a shutdown keeps the last state
		if shutdown || last.State == report.Unknown && !silent(last) {
			return line
		}
		return line.Replace(arrived, uptime.Timeline{{At: arrived, State: report.Unknown, Reason: NotReported}})
	}
	c := b.Components[i]
	if len(line) == 0 {
		return uptime.Timeline{{At: arrived, State: c.Status, Reason: c.Reason}}
	}
	last := line[len(line)-1]
	if last.State == c.Status && last.Reason == c.Reason {
		return line
	}
	at := corrected(c.Since, Skew(b, arrived), previous, arrived)
	if !silent(last) {
		if at.Before(last.At) && last.State == c.Status {
			at = last.At // only the reason differs
		}
		return line.Replace(at, uptime.Timeline{{At: at, State: c.Status, Reason: c.Reason}})
	}
	begin, known := silence(line)
	started := started(b, arrived)
	switch {
	case started.After(begin): // no agent watched before
		at = later(at, started)
	case at.Before(begin) && known.State == c.Status:
		at = begin
	}
	if !at.Before(arrived) {
		return line.Replace(arrived, uptime.Timeline{{At: arrived, State: c.Status, Reason: c.Reason}})
	}
	return line.Replace(at, uptime.Timeline{{At: at, State: c.Status, Reason: c.Reason, Backfilled: true},
		{At: arrived, State: c.Status, Reason: c.Reason}})
}

// silent reports whether a state is unknown because no report was received.
func silent(c uptime.Change) bool {
	return c.State == report.Unknown && (c.Reason == NoReport || c.Reason == SiteNoReport || c.Reason == HubGap || c.Reason == Stopped)
}

// silence returns when the silence at the end of the record began, and the state known
// before.
func silence(line uptime.Timeline) (begin time.Time, known uptime.Change) {
	for i := len(line) - 1; i >= 0; i-- {
		if !silent(line[i]) {
			return begin, line[i]
		}
		begin = line[i].At
	}
	return begin, uptime.Change{}
}

// started returns when the agent started, by the hub's clock.
func started(b native.Body, now time.Time) time.Time {
	return hubTime(b.Agent.Started, Skew(b, now))
}

// hubTime converts a time of the node's clock to the hub's.
func hubTime(at time.Time, skew time.Duration) time.Time {
	if skew.Abs() > trustedSkew {
		at = at.Add(-skew)
	}
	return at.Truncate(resolution)
}

// corrected converts a time of the node's clock to the hub's, limited to the time
// between the previous report and now. If the clocks agree, a state may have begun
// before the previous report, as rules hold findings back until they are certain.
func corrected(at time.Time, skew time.Duration, previous, now time.Time) time.Time {
	earliest := previous
	if skew.Abs() <= trustedSkew {
		earliest = previous.Add(-longestHold)
	}
	at = later(hubTime(at, skew), earliest)
	if at.After(now) {
		return now
	}
	return at
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
