package judge

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// incidentQuiet is how long there must be no impact before an incident has ended.
const incidentQuiet = 10 * time.Minute

// incidentShown is how long an ended incident is shown.
const incidentShown = 24 * time.Hour

// IncidentOver is the rule whose finding shows the last incident until the finding is
// acknowledged.
const IncidentOver = "incident-over"

// incidents are the current incident and the previous one.
type incidents struct {
	now, before *report.Incident // immutable, because Reports share them
	lastImpact  time.Time        // when the current incident last had an impact
}

// latest returns the current or else the last incident; nil: none.
func (i *incidents) latest() *report.Incident {
	if i.now != nil {
		return i.now
	}
	return i.before
}

// follow updates the incidents on a tick. The findings are sorted, worst first.
func (j *Judge) follow(findings []report.Finding) {
	now, i := j.snapshot.Now, &j.incidents
	var worst *report.Finding
	for k := range findings {
		f := &findings[k]
		bad := f.Impact.Rank() >= report.DegradedPerformance.Rank() || f.Severity == report.Critical
		if bad && len(f.ExplainedBy) == 0 && f.Accepted == nil && (worst == nil || levelOf(*worst).compare(levelOf(*f)) < 0) {
			worst = f
		}
	}
	switch {
	case worst != nil:
		i.now, i.lastImpact = j.widened(i.now, worst), now
	case i.now != nil && now.Sub(i.lastImpact) >= incidentQuiet:
		over := *i.now
		over.End = i.lastImpact
		i.now, i.before = nil, &over
	}
	if i.before != nil && (now.Sub(i.before.End) >= incidentShown || j.acknowledged(i.before)) {
		i.before = nil
	}
}

// widened returns the incident, which may be nil, updated with a finding that is the
// worst unexplained one.
func (j *Judge) widened(old *report.Incident, f *report.Finding) *report.Incident {
	in := report.Incident{Begin: f.LevelSince, Peak: report.Operational}
	if old != nil {
		in = *old
	}
	at := level{in.Severity, in.Peak}
	if f.Severity.Rank() > in.Severity.Rank() {
		in.Severity = f.Severity
	}
	in.Peak = report.Worse(in.Peak, f.Impact)
	if levelOf(*f).compare(at) >= 0 {
		in.Headline, in.Finding = f.Summary, report.Ref{Rule: f.Rule, Subject: f.Subject}
		if cause, is := j.memory[f.Rule][f.Subject].result.Cause.(fmt.Stringer); is {
			in.Cause = cause.String()
		}
	}
	if f.Guests != nil && (in.Guests == nil || f.Guests.Hit > in.Guests.Hit) {
		in.Guests = f.Guests
	}
	return &in
}

// acknowledged reports whether an operator has acknowledged an incident since it ended.
func (j *Judge) acknowledged(in *report.Incident) bool {
	for _, a := range j.snapshot.Overrides.Value.Accepted {
		if a.Rule == IncidentOver && !a.At.Before(in.End) {
			return true
		}
	}
	return false
}
