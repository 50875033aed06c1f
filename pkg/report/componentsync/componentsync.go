// Package componentsync is what reporters to status pages share: which component of the
// page is to show what, what it is known to show, and how often the page may be
// asked. It speaks no backend's language and reaches no network itself.
package componentsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// again is when a component that the page refused is asked for again.
const again = 5 * time.Minute

// A Page is a status page. Its errors are *report.Failure; one of kind Partial
// concerns the named component only.
type Page interface {
	// Read returns what the component shows, in the page's own word.
	Read(ctx context.Context, id string) (state string, err error)
	// Write makes the component show the word.
	Write(ctx context.Context, id, state string) error
}

// A Syncer sets the components of a status page. It asks once what each of the page's
// components shows, and from then on writes only what has changed. What a person sets
// on the page therefore stays until nodewatch sees a change. What an earlier run made a
// component show is not bettered while this one is early (report.Report.WarmingUp). It
// is not safe for concurrent use.
type Syncer struct {
	page       Page
	components map[string]string
	state      func(report.Impact) string
	limiter    *RateLimiter
	shows      map[string]string // by the page's id; absent: not known
	written    map[string]bool   // by the page's id: this run has written it
	refused    map[string]refusal
}

type refusal struct {
	at  time.Time
	err error
}

// New returns a Board for the page. The components are the page's ids by ours;
// state is the page's word for an impact, empty where what is shown shall stay.
func New(page Page, components map[string]string, state func(report.Impact) string, pace *RateLimiter) *Syncer {
	return &Syncer{page: page, components: components, state: state, limiter: pace, shows: map[string]string{}, written: map[string]bool{}, refused: map[string]refusal{}}
}

// A target is what one of the page's components shall show.
type target struct {
	id     string
	impact report.Impact
}

// targets are what the page shall show, worst first: where not everything can be
// written now, bad news goes before good.
func (b *Syncer) targets(r report.Report) []target {
	byID := map[string]report.Impact{}
	for _, name := range Named(r, b.components) {
		id := b.components[string(name.Name)]
		byID[id] = report.Worse(cmp.Or(byID[id], report.Operational), name.Status)
	}
	list := make([]target, 0, len(byID))
	for id, impact := range byID {
		list = append(list, target{id, impact})
	}
	slices.SortFunc(list, func(a, b target) int {
		return cmp.Or(cmp.Compare(b.impact.Rank(), a.impact.Rank()), cmp.Compare(a.id, b.id))
	})
	return list
}

// Sync makes the page show what the Report says. What the pace does not allow now
// is left, with a Throttled failure, and done by a later call, in the words of
// then. A component that the page refuses does not keep the others from it.
func (b *Syncer) Sync(ctx context.Context, r report.Report) error {
	var bad []error
	good := 0
	list := b.targets(r)
	for n, w := range list {
		state := b.state(w.impact)
		if current, known := b.shows[w.id]; state == "" || known && b.keepCurrent(r, w.id, current, state) {
			good++
			continue
		}
		if no, ok := b.refused[w.id]; ok && r.At.Sub(no.at).Abs() < again {
			bad = append(bad, no.err)
			continue
		}
		err := b.show(ctx, r, w.id, state)
		switch f := report.FailureOf(err); {
		case f == nil:
			delete(b.refused, w.id)
			good++
		case f.Kind == report.Partial:
			err = fmt.Errorf("component %s: %w", w.id, f.Err)
			b.refused[w.id] = refusal{r.At, err}
			bad = append(bad, err)
		default:
			err = fmt.Errorf("%w (%d of %d components not updated)", f.Err, len(list)-n, len(list))
			return &report.Failure{Kind: f.Kind, After: f.After, Err: err}
		}
	}
	return failure(bad, good)
}

// failure is what several refusals come to: if the page took no component at all,
// more is wrong than one component.
func failure(bad []error, good int) error {
	if len(bad) == 0 {
		return nil
	}
	f := &report.Failure{Kind: report.Partial, Err: errors.Join(bad...)}
	if good == 0 {
		f.Kind = report.Misconfigured
	}
	return f
}

// show makes one component show the word, after asking whether it does already.
func (b *Syncer) show(ctx context.Context, r report.Report, id, state string) error {
	if _, known := b.shows[id]; !known {
		var current string
		err := b.limiter.Do(r, func() (err error) { current, err = b.page.Read(ctx, id); return err })
		if err != nil {
			return err
		}
		b.shows[id] = current
		if b.keepCurrent(r, id, current, state) {
			return nil
		}
	}
	err := b.limiter.Do(r, func() error { return b.page.Write(ctx, id, state) })
	switch f := report.FailureOf(err); {
	case f == nil:
		b.shows[id], b.written[id] = state, true
	case f.Kind == report.Transient:
		delete(b.shows, id) // it may have been taken
	}
	return err
}

// keepCurrent reports whether a component that shows something may keep showing it.
func (b *Syncer) keepCurrent(r report.Report, id, current, state string) bool {
	return current == state || r.WarmingUp() && !b.written[id] && b.rank(current) > b.rank(state)
}

// rank is how bad the page's word is; 0 if it is not a word for what we know.
func (b *Syncer) rank(state string) int {
	rank := 0
	for _, i := range report.Impacts() {
		if b.state(i) == state {
			rank = i.Rank()
		}
	}
	return rank
}

// Test reads what each configured component shows and changes nothing. It returns
// that in one line.
func (b *Syncer) Test(ctx context.Context, r report.Report) (string, error) {
	names := make([]string, 0, len(b.components))
	for name := range b.components {
		names = append(names, name)
	}
	slices.Sort(names)
	var lines []string
	for n, name := range names {
		var current string
		err := b.limiter.Do(r, func() (err error) { current, err = b.page.Read(ctx, b.components[name]); return err })
		if f := report.FailureOf(err); f != nil && f.Kind == report.Throttled && n > 0 {
			return fmt.Sprintf("read, nothing changed: %s; %d not read: %v", strings.Join(lines, ", "), len(names)-n, f.Err), nil
		}
		if err != nil {
			return "", fmt.Errorf("component %s (%s): %w", name, b.components[name], err)
		}
		lines = append(lines, fmt.Sprintf("%s (%s) shows %s", name, b.components[name], current))
	}
	return "read, nothing changed: " + strings.Join(lines, ", "), nil
}
