package prometheus_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/rule/all"
)

// An inhibition is one rule of Alertmanager.
type inhibition struct {
	Source []string `yaml:"source_matchers"`
	Target []string `yaml:"target_matchers"`
	Equal  []string
}

// A pair is a rule and another one whose finding it explains.
type pair struct{ by, explained string }

var ruleMatcher = regexp.MustCompile(`^rule(=~?)"(.+)"$`)

// matched returns the rules that the matchers select; none if they do not select by
// rule.
func matched(matchers []string) []string {
	for _, m := range matchers {
		if parts := ruleMatcher.FindStringSubmatch(m); parts != nil && parts[2] != ".+" {
			return strings.Split(parts[2], "|")
		}
	}
	return nil
}

// Alertmanager inhibits exactly the findings that the judge explains: both have the same pairs of
// rules. Only alerts of the same node inhibit each other, and only critical ones inhibit, because the
// judge's condition, at least the same severity, cannot be expressed in Alertmanager.
func TestInhibitionIsWhatTheJudgeExplains(t *testing.T) {
	var config struct {
		Inhibit []inhibition `yaml:"inhibit_rules"`
	}
	decode(t, deployed("prometheus", "alertmanager-example.yml"), &config)
	inhibited, explained := map[pair]bool{}, map[pair]bool{}
	for _, x := range config.Inhibit {
		if !slices.Contains(x.Source, `severity="critical"`) || !slices.Contains(x.Equal, "node") || !slices.Contains(x.Equal, "instance") {
			t.Errorf("%v inhibits other nodes' alerts, or is not critical", x)
		}
		sources, targets := matched(x.Source), matched(x.Target)
		if (len(sources) == 0 || len(targets) == 0) && !(slices.Contains(x.Equal, "rule") && slices.Contains(x.Equal, "subject")) {
			t.Errorf("%v is neither about a pair of rules nor about one finding", x)
		}
		for _, by := range sources {
			for _, target := range targets {
				inhibited[pair{by, target}] = true
			}
		}
	}
	for _, r := range all.Rules() {
		for _, other := range r.Explains {
			if strings.Contains(r.Severity, "critical") {
				explained[pair{r.ID, other}] = true
			}
		}
	}
	for p := range explained {
		if !inhibited[p] {
			t.Errorf("the judge explains %s by %s, and Alertmanager does not inhibit it", p.explained, p.by)
		}
	}
	for p := range inhibited {
		if !explained[p] {
			t.Errorf("Alertmanager inhibits %s for %s, and the judge does not explain it", p.explained, p.by)
		}
	}
	if len(explained) < 40 {
		t.Errorf("only %d pairs were compared", len(explained))
	}
}
