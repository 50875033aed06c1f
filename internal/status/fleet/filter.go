package fleet

import (
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Filter selects nodes. All fields that are set must match.
type Filter struct {
	Text   string // words, each of which is in the name, a finding, a label or the inventory
	Site   string
	Status string // bad: anything but operational; silent: does not report; odd: differs from its site
}

// Apply returns the rows that match the filter.
func (f Filter) Apply(rows []Row) []Row {
	words := strings.Fields(strings.ToLower(f.Text))
	var list []Row
	for _, r := range rows {
		if (f.Site == "" || r.Site == f.Site) && f.status(r) && r.has(words) {
			list = append(list, r)
		}
	}
	return list
}

func (f Filter) status(r Row) bool {
	switch f.Status {
	case "bad":
		return r.Status != report.Operational || r.Worst.Rank() > 0
	case "silent":
		return r.Presence != presence.Reporting
	case "odd":
		return len(r.Odd) > 0
	}
	return true
}

// has reports whether the row contains all words.
func (r Row) has(words []string) bool {
	if len(words) == 0 {
		return true
	}
	var b strings.Builder
	add := func(s string) { b.WriteString(strings.ToLower(s)); b.WriteByte('\n') }
	for _, s := range []string{r.Key, r.Site, r.Version, string(r.Status), string(r.Presence)} {
		add(s)
	}
	for _, all := range []report.Labels{r.Labels, r.Made} {
		for name, value := range all {
			add(name + "=" + value)
		}
	}
	for _, f := range r.Findings {
		add(f.Rule + " " + f.Subject + " " + f.Summary)
	}
	text := b.String()
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// Sites returns the sites of the rows, sorted by name.
func Sites(rows []Row) (list []string) {
	for _, r := range rows {
		if r.Site != "" {
			list = append(list, r.Site)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
