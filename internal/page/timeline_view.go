package page

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// maxRows is the maximum number of findings in the timeline.
const maxRows = 8

// A timelineView shows the findings around the incident over time.
type timelineView struct {
	From, To moment
	Rows     []rowView
	More     string // number of findings left out; empty: none
}

// A rowView shows one finding over time.
type rowView struct {
	Name  string
	Text  string // description of the row in words
	Tone  tone   // tone of its highest severity
	Parts []partView
	since time.Time
	rank  int
}

// A partView shows a period in which a finding had one severity.
type partView struct {
	Tone tone
	spanView
}

// A stretch is a period in which a finding had one severity.
type stretch struct {
	severity   report.Severity
	begin, end time.Time
}

// timelineOf returns the timeline of the report's incident; nil if there is none.
func timelineOf(r report.Report) *timelineView {
	in := r.Incident
	if in == nil {
		return nil
	}
	end := r.At
	if ended(r) {
		end = in.End.Add(in.End.Sub(in.Begin) / 10)
	}
	margin := max(end.Sub(in.Begin)/10, 30*time.Second)
	from, to := in.Begin.Add(-margin), end
	v := &timelineView{From: momentOf(from, r.At), To: momentOf(to, r.At)}
	for ref, list := range stretches(r) {
		if row, worth := rowOf(ref, list, from, to, r.At); worth {
			v.Rows = append(v.Rows, row)
		}
	}
	if len(v.Rows) == 0 {
		return nil
	}
	slices.SortFunc(v.Rows, func(a, b rowView) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), a.since.Compare(b.since), cmp.Compare(a.Name, b.Name))
	})
	if more := len(v.Rows) - maxRows; more > 0 {
		v.More = plural(more, "more finding", "more findings")
	}
	v.Rows = v.Rows[:min(len(v.Rows), maxRows)]
	return v
}

// stretches returns the periods in which each finding was raised, from the report's
// transitions and findings.
func stretches(r report.Report) map[report.Ref][]stretch {
	all := map[report.Ref][]stretch{}
	for _, t := range r.Transitions {
		ref := report.Ref{Rule: t.Rule, Subject: t.Subject}
		list := all[ref]
		if n := len(list); n > 0 && list[n-1].end.IsZero() {
			if list[n-1].severity == t.To {
				continue // only its impact or visibility has changed
			}
			list[n-1].end = t.At
		} else if n == 0 && t.From != report.Clear {
			list = append(list, stretch{severity: t.From, end: t.At}) // raised before the list begins
			if t.From == t.To {
				list[0].end = time.Time{}
				all[ref] = list
				continue
			}
		}
		if t.To != report.Clear {
			list = append(list, stretch{severity: t.To, begin: t.At})
		}
		all[ref] = list
	}
	for _, f := range r.Findings {
		if _, known := all[refOf(f)]; !known {
			all[refOf(f)] = []stretch{{severity: f.Severity, begin: f.LevelSince}}
		}
	}
	return all
}

// rowOf returns a finding's row for a period. A finding that is only an info, or was
// not raised in that period, has no row.
func rowOf(ref report.Ref, list []stretch, from, to, now time.Time) (row rowView, worth bool) {
	row = rowView{Name: finding(ref.Rule, ref.Subject), Tone: info}
	for _, s := range list {
		ends := s.end
		if ends.IsZero() || ends.After(to) {
			ends = to
		}
		begins := s.begin
		if begins.Before(from) {
			begins = from
		}
		if !ends.After(begins) {
			continue
		}
		x := func(at time.Time) float64 { return 1000 * float64(at.Sub(from)) / float64(to.Sub(from)) }
		row.Parts = append(row.Parts, partView{toneOf(s.severity), spanView{x(begins), max(x(ends)-x(begins), 4)}})
		if rank := s.severity.Rank(); rank > row.rank {
			row.rank, row.Tone = rank, toneOf(s.severity)
		}
		if row.since.IsZero() {
			row.since = begins
		}
		if row.Text != "" {
			row.Text += "; "
		}
		row.Text += string(s.severity) + " " + stretchText(s, from, now)
	}
	return row, row.rank > report.Info.Rank()
}

// stretchText formats a period: "02:13:51 to 02:14:20".
func stretchText(s stretch, from, now time.Time) string {
	switch {
	case s.begin.Before(from) && s.end.IsZero():
		return "all the time"
	case s.begin.Before(from):
		return "until " + hour(s.end, now)
	case s.end.IsZero():
		return "since " + hour(s.begin, now)
	}
	return hour(s.begin, now) + " to " + hour(s.end, now)
}
