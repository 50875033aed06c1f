package page

import (
	"fmt"
	"hash/fnv"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// maxSteps is how many commands are given at the top of the page.
const maxSteps = 2

// A firstView is what on-call does first.
type firstView struct {
	Steps []report.Advice
	Of    string // the id of the finding with all steps
}

// firstOf are the first commands of the leading finding, or its first step if it has
// no command; nil if it has no step.
func firstOf(worst report.Finding) *firstView {
	if len(worst.Advice) == 0 {
		return nil
	}
	v := &firstView{Of: idOf(worst)}
	for _, a := range worst.Advice {
		if a.Command != "" && len(v.Steps) < maxSteps {
			v.Steps = append(v.Steps, a)
		}
	}
	if len(v.Steps) == 0 {
		v.Steps = worst.Advice[:1]
	}
	return v
}

// idOf is the id of a finding on the page. A subject may be the name of a guest, which
// no address shows.
func idOf(f report.Finding) string {
	if f.Subject == "" {
		return "f-" + f.Rule
	}
	h := fnv.New32a()
	h.Write([]byte(f.Subject))
	return fmt.Sprintf("f-%s-%08x", f.Rule, h.Sum32())
}

// hitNow are the guests that the incident hits now or, without one, the leading
// finding, which is zero if there is none.
func hitNow(r report.Report, worst report.Finding) *guestsView {
	if worst.Guests != nil {
		return guestsOf(worst.Guests)
	}
	if r.Incident != nil && !ended(r) {
		return guestsOf(r.Incident.Guests)
	}
	return nil
}
