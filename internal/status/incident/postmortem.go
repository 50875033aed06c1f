package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// ToWrite marks the places in a draft where a person has to write. A text that
// contains it is not published.
const ToWrite = "TO WRITE"

// A Record is the record of a public component.
type Record struct {
	Component string // its id
	Name      string // the name that customers see
	Line      uptime.Timeline
}

// maxEntries is the maximum number of entries in the timeline of a draft.
const maxEntries = 200

// Draft returns the post-mortem of an incident in Markdown, generated from the
// record: what happened when, to which components, and for how long. A person has to
// add the causes.
func Draft(i Incident, records []Record, zone *time.Location, now time.Time) string {
	end := i.Resolved
	if end.IsZero() {
		end = now
	}
	type entry struct {
		at   time.Time
		text string
	}
	var entries []entry
	var impact []string
	for _, r := range records {
		from := i.Started.Add(-time.Minute)
		sum := uptime.Tally{}
		for _, x := range r.Line.Between(from, end) {
			sum[x.State] += x.Length()
			if x.From.After(from) || bad(x.State) {
				entries = append(entries, entry{x.From, plain(r.Name) + ": " + words(x.State) + "."})
			}
		}
		var parts []string
		for _, s := range []report.Impact{report.MajorOutage, report.PartialOutage, report.DegradedPerformance, report.Unknown} {
			if sum[s] > 0 {
				parts = append(parts, words(s)+" for "+human.Span(sum[s].Round(time.Second)))
			}
		}
		if len(parts) > 0 {
			impact = append(impact, "- "+plain(r.Name)+": "+strings.Join(parts, ", ")+".")
		}
	}
	for _, u := range i.Updates {
		entries = append(entries, entry{u.At, "Published: " + strings.Join(strings.Fields(u.Body), " ")})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.at.Compare(b.at) })

	var b strings.Builder
	fmt.Fprintf(&b, "%s: what happened, in two or three sentences.\n\n## Timeline\n\n", ToWrite)
	for n, e := range entries {
		if n == maxEntries {
			fmt.Fprintf(&b, "- … and %s more.\n", human.Number(len(entries)-n))
			break
		}
		fmt.Fprintf(&b, "- **%s** %s\n", e.at.In(zone).Format("2006-01-02 15:04:05 MST"), e.text)
	}
	fmt.Fprintf(&b, "\n## Impact\n\nFrom %s to %s (%s).\n\n", clock(i.Started, zone), clock(end, zone),
		human.Span(end.Sub(i.Started).Round(time.Second)))
	if len(impact) > 0 {
		b.WriteString(strings.Join(impact, "\n") + "\n\n")
	}
	fmt.Fprintf(&b, "%s: what customers felt, and whether data was lost.\n", ToWrite)
	for _, s := range []struct{ title, what string }{
		{"Root cause", "why it happened, and why nothing prevented it."}, {"Resolution", "what ended it."},
		{"Preventive measures", "what changes, and by when."},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s: %s\n", s.title, ToWrite, s.what)
	}
	return b.String()
}

// words returns the words for a state within a sentence.
func words(i report.Impact) string {
	switch i {
	case report.Operational:
		return "operational"
	case report.UnderMaintenance:
		return "under maintenance"
	case report.DegradedPerformance:
		return "degraded performance"
	case report.PartialOutage:
		return "partial outage"
	case report.MajorOutage:
		return "major outage"
	}
	return "no data"
}
