package judge

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/rule"
)

// Subjects of one rule have one order, both for findings cleared in the same tick and
// for the rule's raised findings. The incident files have too few subjects to test
// this.
func TestSubjectsHaveOneOrder(t *testing.T) {
	var subjects, given []string
	for i := range 20 {
		subjects = append(subjects, fmt.Sprintf("x%02d", i))
	}
	tr := newTrial(t, func(tr *trialRun) []rule.Rule {
		r := tr.fake("a", 0, 0)
		check := r.Check
		r.Check = func(in rule.Input) []rule.Result {
			given = nil
			for _, raised := range in.Raised {
				given = append(given, raised.Finding.Subject)
			}
			return check(in)
		}
		return []rule.Rule{r}
	})
	for _, s := range slices.Backward(subjects) {
		tr.found["a"] = append(tr.found["a"], warning(s))
	}
	tr.tick(time.Second)
	tr.found["a"] = nil
	var cleared []string
	for _, transition := range tr.tick(time.Second).Transitions[len(subjects):] {
		cleared = append(cleared, transition.Subject)
	}
	if !slices.Equal(given, subjects) {
		t.Errorf("the rule was given as raised %v", given)
	}
	if !slices.Equal(cleared, subjects) {
		t.Errorf("cleared in the order %v", cleared)
	}
}
