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
	Read(ctx context.Context, id string) (word string, err error)
	// Write makes the component show the word.
	Write(ctx context.Context, id, word string) error
}

// A Board tells a status page how components are. It asks once what each of the
// page's components shows, and from then on writes only what has changed. What a
// person sets on the page therefore stays until nodewatch sees a change. What an
// earlier run made a component show is not bettered while this one is early
// (report.Report.Early). It is not safe for concurrent use.
type Board struct {
	page       Page
	components map[string]string
	word       func(report.Impact) string
	pace       *RateLimiter
	shows      map[string]string // by the page's id; absent: not known
	told       map[string]bool   // by the page's id: this run has written it
	refused    map[string]refusal
}

type refusal struct {
	at  time.Time
	err error
}

// New returns a Board for the page. The components are the page's ids by ours;
// word is the page's word for an impact, empty where what is shown shall stay.
func New(page Page, components map[string]string, word func(report.Impact) string, pace *RateLimiter) *Board {
	return &Board{page: page, components: components, word: word, pace: pace, shows: map[string]string{}, told: map[string]bool{}, refused: map[string]refusal{}}
}

// A wish is what one of the page's components shall show.
type wish struct {
	id     string
	impact report.Impact
}

// wishes are what the page shall show, worst first: where not everything can be
// told now, bad news goes before good.
func (b *Board) wishes(r report.Report) []wish {
	byID := map[string]report.Impact{}
	for _, name := range Named(r, b.components) {
		id := b.components[name.Name]
		byID[id] = report.Worse(cmp.Or(byID[id], report.Operational), name.Status)
	}
	list := make([]wish, 0, len(byID))
	for id, impact := range byID {
		list = append(list, wish{id, impact})
	}
	slices.SortFunc(list, func(a, b wish) int {
		return cmp.Or(cmp.Compare(b.impact.Rank(), a.impact.Rank()), cmp.Compare(a.id, b.id))
	})
	return list
}

// Tell makes the page show what the Report says. What the pace does not allow now
// is left, with a Throttled failure, and done by a later call, in the words of
// then. A component that the page refuses does not keep the others from it.
func (b *Board) Tell(ctx context.Context, r report.Report) error {
	var bad []error
	good := 0
	list := b.wishes(r)
	for n, w := range list {
		word := b.word(w.impact)
		if shown, known := b.shows[w.id]; word == "" || known && b.keepCurrent(r, w.id, shown, word) {
			good++
			continue
		}
		if no, ok := b.refused[w.id]; ok && r.At.Sub(no.at).Abs() < again {
			bad = append(bad, no.err)
			continue
		}
		err := b.show(ctx, r, w.id, word)
		switch f := report.FailureOf(err); {
		case f == nil:
			delete(b.refused, w.id)
			good++
		case f.Kind == report.Partial:
			err = fmt.Errorf("component %s: %w", w.id, f.Err)
			b.refused[w.id] = refusal{r.At, err}
			bad = append(bad, err)
		default:
			err = fmt.Errorf("%w (%d of %d components not told)", f.Err, len(list)-n, len(list))
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
func (b *Board) show(ctx context.Context, r report.Report, id, word string) error {
	if _, known := b.shows[id]; !known {
		var shown string
		err := b.pace.Do(r, func() (err error) { shown, err = b.page.Read(ctx, id); return err })
		if err != nil {
			return err
		}
		b.shows[id] = shown
		if b.keepCurrent(r, id, shown, word) {
			return nil
		}
	}
	err := b.pace.Do(r, func() error { return b.page.Write(ctx, id, word) })
	switch f := report.FailureOf(err); {
	case f == nil:
		b.shows[id], b.told[id] = word, true
	case f.Kind == report.Transient:
		delete(b.shows, id) // it may have been taken
	}
	return err
}

// keepCurrent reports whether a component that shows something may go on showing it.
func (b *Board) keepCurrent(r report.Report, id, shown, word string) bool {
	return shown == word || r.WarmingUp() && !b.told[id] && b.rank(shown) > b.rank(word)
}

// rank is how bad the page's word is; 0 if it is not a word for what we know.
func (b *Board) rank(word string) int {
	rank := 0
	for _, i := range report.Impacts() {
		if b.word(i) == word {
			rank = i.Rank()
		}
	}
	return rank
}

// Test reads what each configured component shows and changes nothing. It returns
// that in one line.
func (b *Board) Test(ctx context.Context, r report.Report) (string, error) {
	names := make([]string, 0, len(b.components))
	for name := range b.components {
		names = append(names, name)
	}
	slices.Sort(names)
	var lines []string
	for n, name := range names {
		var shown string
		err := b.pace.Do(r, func() (err error) { shown, err = b.page.Read(ctx, b.components[name]); return err })
		if f := report.FailureOf(err); f != nil && f.Kind == report.Throttled && n > 0 {
			return fmt.Sprintf("read, nothing changed: %s; %d not asked: %v", strings.Join(lines, ", "), len(names)-n, f.Err), nil
		}
		if err != nil {
			return "", fmt.Errorf("component %s (%s): %w", name, b.components[name], err)
		}
		lines = append(lines, fmt.Sprintf("%s (%s) shows %s", name, b.components[name], shown))
	}
	return "read, nothing changed: " + strings.Join(lines, ", "), nil
}
