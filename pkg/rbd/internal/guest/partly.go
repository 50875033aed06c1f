package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// Partly collects, for display, the parts of a view that could not be read: each
// once, with the first three guests by name that share a reason.
type Partly struct {
	reasons []string
	names   map[string][]string
	fixes   []string
}

// Remedy adds a way to make something readable.
func (p *Partly) Remedy(text string) {
	if text != "" && !slices.Contains(p.fixes, text) {
		p.fixes = append(p.fixes, text)
	}
}

// Remedies returns the collected remedies. It is empty if none is known.
func (p *Partly) Remedies() string { return strings.Join(p.fixes, "; ") }

// Add adds a reason that does not concern a particular guest.
func (p *Partly) Add(reason string) {
	if reason != "" && !slices.Contains(p.reasons, reason) {
		p.reasons = append(p.reasons, reason)
	}
}

// Of adds a reason for one guest.
func (p *Partly) Of(name string, err error) {
	if p.names == nil {
		p.names = map[string][]string{}
	}
	reason := Reason(err)
	p.Add(reason)
	p.names[reason] = append(p.names[reason], name)
}

// String returns the reasons. It is empty if all parts could be read.
func (p *Partly) String() string {
	texts := make([]string, 0, len(p.reasons))
	for _, reason := range p.reasons {
		switch names := p.names[reason]; {
		case len(names) == 0:
			texts = append(texts, reason)
		case len(names) <= 3:
			texts = append(texts, strings.Join(names, ", ")+": "+reason)
		default:
			texts = append(texts, fmt.Sprintf("%s and %d more: %s", strings.Join(names[:3], ", "), len(names)-3, reason))
		}
	}
	if len(texts) > 8 {
		texts = append(texts[:8], fmt.Sprintf("and %d more reasons", len(texts)-8))
	}
	return strings.Join(texts, "; ")
}

// denied is the reason for parts that may not be read.
const denied = "permission denied"

// Reason returns an error's text without the package name and the details that differ
// from guest to guest, so that equal reasons are reported once.
func Reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return denied
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "did not answer in time"
	}
	return naming.Text(strings.TrimPrefix(err.Error(), "rbd: "))
}
