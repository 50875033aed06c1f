package page

import (
	"fmt"
	"hash/fnv"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// maxSteps is how many steps are given at the top of the page.
const maxSteps = 2

// A firstView is what on-call does first.
type firstView struct {
	Steps []report.Advice
	Of    string // the id of the finding with all steps
}

// firstOf is the first step of the leading finding, whether it has a command or not, and
// the next one that has; nil if it has no step.
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
