package page

import (
	"fmt"
	"hash/fnv"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// maxSteps is the maximum number of steps at the top of the page.
const maxSteps = 2

// A firstView shows what on-call does first.
type firstView struct {
	Steps []report.Advice
	Of    string // the id of the finding with all steps
}

// firstOf returns the first step of the leading finding, with or without a command, and
// the next step with a command; nil if there is no step.
func firstOf(worst report.Finding) *firstView {
	if len(worst.Advice) == 0 {
		return nil
	}
	v := &firstView{Steps: worst.Advice[:1:1], Of: idOf(worst)}
	for _, a := range worst.Advice[1:] {
		if a.Command != "" && len(v.Steps) < maxSteps {
			v.Steps = append(v.Steps, a)
		}
	}
	return v
}

// idOf returns the HTML id of a finding. It does not contain the subject, which may be
// the name of a guest: guest names must not appear in URLs.
func idOf(f report.Finding) string {
	if f.Subject == "" {
		return "f-" + f.Rule
	}
	h := fnv.New32a()
	h.Write([]byte(f.Subject))
	return fmt.Sprintf("f-%s-%08x", f.Rule, h.Sum32())
}

// hitNow returns the guests that are affected now by the incident or, without one, by
// the leading finding, which is zero if there is none.
func hitNow(r report.Report, worst report.Finding) *guestsView {
	if worst.Guests != nil {
		return guestsOf(worst.Guests)
	}
	if r.Incident != nil && !ended(r) {
		return guestsOf(r.Incident.Guests)
	}
	return nil
}
