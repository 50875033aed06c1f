package intake

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

// A pending report waits for the store.
type pending struct {
	token  store.Token // token of the request; zero: it had a certificate
	body   native.Body
	digest string
	now    time.Time    // time of arrival
	done   chan outcome // takes one
}

// An outcome is the result of receiving a report.
type outcome struct {
	answer   native.Response
	conflict *native.Refusal
	err      error
}

// maxBatch is the maximum number of reports in one commit.
const maxBatch = 64

// enqueue queues a report and waits until it is stored; false: it could not be
// stored.
func (i *Intake) enqueue(ctx context.Context, k store.Token, b native.Body, now time.Time) (outcome, bool) {
	p := pending{token: k, body: b, digest: digest(b), now: now, done: make(chan outcome, 1)}
	select {
	case i.queue <- p:
	default:
		return outcome{}, false
	}
	select {
	case out := <-p.done:
		return out, out.err == nil
	case <-ctx.Done():
		return outcome{}, false
	}
}

// Run stores reports until ctx ends. Reports that arrive during a commit share the
// next one.
func (i *Intake) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-i.queue:
			i.commit(ctx, i.drain(first))
		}
	}
}

// drain returns the report and those queued behind it.
func (i *Intake) drain(first pending) []pending {
	batch := []pending{first}
	for len(batch) < maxBatch {
		select {
		case p := <-i.queue:
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// commit stores the reports in one transaction. If that fails, it stores each in a
// separate one, so that one report cannot hold up the others.
func (i *Intake) commit(ctx context.Context, batch []pending) {
	// Hubs on one PostgreSQL lock nodes in the same order.
	slices.SortStableFunc(batch, func(a, b pending) int { return strings.Compare(a.body.Node.ID, b.body.Node.ID) })
	outcomes, err := i.keep(ctx, batch)
	for n, p := range batch {
		switch {
		case err == nil:
			p.done <- outcomes[n]
		case len(batch) == 1 || ctx.Err() != nil:
			i.failed(err)
			p.done <- outcome{err: err}
		default:
			i.commit(ctx, batch[n:n+1])
		}
	}
}

func (i *Intake) keep(ctx context.Context, batch []pending) (outcomes []outcome, err error) {
	err = i.store.Update(ctx, func(tx *store.Tx) error {
		outcomes = make([]outcome, len(batch))
		for n, p := range batch {
			var err error
			if outcomes[n], err = i.take(ctx, tx, p); err != nil {
				return err
			}
			if p.token.ID == 0 {
				continue
			}
			if err := tx.UseToken(ctx, p.token, p.now); err != nil {
				return err
			}
		}
		return nil
	})
	return outcomes, err
}

// take stores one report.
func (i *Intake) take(ctx context.Context, tx *store.Tx, p pending) (outcome, error) {
	b, now := p.body, p.now
	id, was, err := tx.Presence(ctx, b.Node.ID)
	if err != nil {
		return outcome{}, err
	}
	made := id == 0
	if made {
		if id, err = tx.SaveBody(ctx, b, now); err != nil {
			return outcome{}, err
		}
		// The row is locked now; another hub may have created it before.
		if _, was, err = tx.Presence(ctx, b.Node.ID); err != nil {
			return outcome{}, err
		}
	}
	known := !was.Arrived.IsZero()
	if known {
		if a, repeated := answered(was, b); repeated {
			return outcome{answer: a}, nil
		}
		if no := last(was).Conflict(b, now); no != nil {
			return outcome{conflict: no}, nil
		}
	}
	answer := native.Response{Accepted: b.Seq, ServerTime: now.UTC(), Next: i.config.Next.Seconds()}
	is := store.Presence{
		Boot: b.Agent.Boot, Started: b.Agent.Started, Seq: b.Seq, Sent: b.SentAt, Arrived: now, Digest: p.digest,
		Interval: time.Duration(b.Interval) * time.Second, TTL: time.Duration(b.TTL) * time.Second,
	}
	if b.Final != nil {
		is.Final = b.Final.Reason
	}
	is.Answered = remember(was, is, answer)
	if err := tx.SavePresence(ctx, id, is); err != nil {
		return outcome{}, err
	}
	if err := i.transitions(ctx, tx, id, b, now); err != nil {
		return outcome{}, err
	}
	before := presence.Before{Node: presence.Node{Arrived: was.Arrived, Interval: was.Interval, TTL: was.TTL, Stopped: was.Final != "",
		Recorded: was.Silence}}
	news := !known || is.Digest != was.Digest
	if !news && !presence.CatchesUp(before.Node, b, now) {
		return outcome{answer: answer}, nil // the report contains no change
	}
	if news && !made {
		if _, err := tx.SaveBody(ctx, b, now); err != nil {
			return outcome{}, err
		}
	}
	return outcome{answer: answer}, i.record(ctx, tx, id, before, b, now)
}

// last returns the state with which the next report is compared.
func last(p store.Presence) receiver.Last {
	return receiver.Last{Boot: p.Boot, Started: p.Started, Seq: p.Seq, Arrived: p.Arrived, TTL: p.TTL, Final: p.Final != ""}
}

// record stores the changes of the node's components that a report implies.
func (i *Intake) record(ctx context.Context, tx *store.Tx, node int64, before presence.Before, b native.Body, now time.Time) error {
	states, err := tx.States(ctx, store.OfNode, b.Node.ID)
	if err != nil {
		return err
	}
	before.Lines = map[string]uptime.Timeline{}
	for name, latest := range states {
		before.Lines[name] = uptime.Timeline{latest}
	}
	if presence.CatchesUp(before.Node, b, now) {
		if err := i.loadCorrectable(ctx, tx, node, &before, b, now); err != nil {
			return err
		}
	}
	details := map[string]string{}
	for _, c := range b.Components {
		details[c.ID] = c.Detail
	}
	for _, r := range presence.Rewrites(before, b, now) {
		id, err := tx.Signal(ctx, store.Key{Kind: store.OfNode, Owner: b.Node.ID, Name: r.Component},
			store.Signal{Summary: details[r.Component]})
		if err != nil {
			return err
		}
		if err := tx.Rewrite(ctx, id, r.From, r.Changes); err != nil {
			return err
		}
	}
	return nil
}

// A silence is corrected only if it began at most this long ago, and by at most this
// many transitions.
const (
	correctedFor   = 7 * 24 * time.Hour
	maxTransitions = 5000
)

// loadCorrectable fills before with the timelines, gaps and transitions that a report may correct.
func (i *Intake) loadCorrectable(ctx context.Context, tx *store.Tx, node int64, before *presence.Before, b native.Body,
	now time.Time) (err error) {
	from := now.Add(-correctedFor)
	var keys []store.Key
	for name := range before.Lines {
		keys = append(keys, store.Key{Kind: store.OfNode, Owner: b.Node.ID, Name: name})
	}
	lines, err := tx.Timelines(ctx, keys, from)
	if err != nil {
		return err
	}
	for k, line := range lines {
		before.Lines[k.Name] = line
	}
	gaps, err := tx.Gaps(ctx, before.Node.Arrived)
	if err != nil {
		return err
	}
	for _, g := range gaps {
		before.Gaps = append(before.Gaps, presence.Gap(g))
	}
	before.Transitions, err = tx.Transitions(ctx, node, from, maxTransitions)
	return err
}

func (i *Intake) transitions(ctx context.Context, tx *store.Tx, node int64, b native.Body, now time.Time) error {
	for _, x := range b.Transitions {
		if _, err := tx.AddTransition(ctx, node, x, now); err != nil {
			return err
		}
	}
	return nil
}

// maxAnswers is the number of responses kept per node, for repeated requests.
const maxAnswers = 8

// answered returns the response that a report of this boot got before; false: the
// report is new.
func answered(p store.Presence, b native.Body) (native.Response, bool) {
	if b.Agent.Boot != p.Boot {
		return native.Response{}, false
	}
	for _, a := range p.Answered {
		if a.Accepted == b.Seq {
			return a, true
		}
	}
	return native.Response{}, false
}

// remember adds a response to the kept ones of this boot.
func remember(was, is store.Presence, a native.Response) []native.Response {
	if was.Boot != is.Boot {
		return []native.Response{a}
	}
	list := append(slices.Clone(was.Answered), a)
	return list[max(0, len(list)-maxAnswers):]
}
