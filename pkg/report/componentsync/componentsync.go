// Package componentsync is the common part of reporters to status pages: the required
// state of each of the page's components, its last known state, and the rate of
// requests to the page. It depends on no particular backend and does not use the
// network itself.
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

// again is the time until a rejected component is tried again.
const again = 5 * time.Minute

// A Page is a status page. Its errors are *report.Failure; one of kind Partial
// concerns only the named component.
type Page interface {
	// Read returns the state of the component, in the page's own term.
	Read(ctx context.Context, id string) (state string, err error)
	// Write sets the state of the component.
	Write(ctx context.Context, id, state string) error
}

// A Syncer sets the components of a status page. It reads the state of each of the
// page's components once, and from then on writes only changes. A state set manually on
// the page therefore stays until nodewatch sees a change. While this run is warming up
// (report.Report.WarmingUp), a state set by an earlier run is not improved. A Syncer is
// not safe for concurrent use.
type Syncer struct {
	page       Page
	components map[string]string
	state      func(report.Impact) string
	limiter    *RateLimiter
	shows      map[string]string // by the page's id; absent if unknown
	written    map[string]bool   // by the page's id: written in this run
	refused    map[string]refusal
}

type refusal struct {
	at  time.Time
	err error
}

// New returns a Syncer for the page. components maps our names to the page's ids.
// state returns the page's state for an impact, or an empty string if the shown state
// must not change.
func New(page Page, components map[string]string, state func(report.Impact) string, pace *RateLimiter) *Syncer {
	return &Syncer{page: page, components: components, state: state, limiter: pace, shows: map[string]string{}, written: map[string]bool{},
		refused: map[string]refusal{}}
}

// A target is the required state of one of the page's components.
type target struct {
	id     string
	impact report.Impact
}

// targets returns the required states, worst first: if not all of them can be written
// now, bad states take precedence.
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

// Sync updates the page according to the Report. Updates beyond the rate limit are
// left to a later call, which uses the state at that time, and a Throttled failure is
// returned. A component that the page rejects does not affect the others.
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

// failure combines several rejections: if the page accepted no component at all, the
// problem is not limited to one component.
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

// show sets the state of one component, unless it already has it.
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
		delete(b.shows, id) // the page may have accepted it
	}
	return err
}

// keepCurrent reports whether a component may keep its current state.
func (b *Syncer) keepCurrent(r report.Report, id, current, state string) bool {
	return current == state || r.WarmingUp() && !b.written[id] && b.rank(current) > b.rank(state)
}

// rank returns how bad the page's state is; 0 for a state that does not correspond to
// an impact.
func (b *Syncer) rank(state string) int {
	rank := 0
	for _, i := range report.Impacts() {
		if b.state(i) == state {
			rank = i.Rank()
		}
	}
	return rank
}

// Test reads the state of each configured component and changes nothing. It returns
// the states in one line.
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
