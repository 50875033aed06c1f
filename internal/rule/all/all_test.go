package all_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
)

var update = flag.Bool("update", false, "rewrite the generated files")

func TestDocsOfRulesAreFresh(t *testing.T) {
	const path = "../../../docs/rules.md"
	got := rule.Markdown(all.Default())
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/rules.md is not what the rules say; run \"make docs\" (-file +rules):\n%s", diff)
	}
}

func TestDocsHaveAnAnchorForEveryRule(t *testing.T) {
	text := rule.Markdown(all.Default())
	for _, r := range all.Rules() {
		if n := strings.Count(text, "\n## "+r.ID+"\n"); n != 1 {
			t.Errorf("%s: %d headings, want one", r.ID, n)
		}
		if strings.ToLower(r.ID) != r.ID || strings.ContainsAny(r.ID, " ._/#") {
			t.Errorf("%q is no anchor", r.ID)
		}
	}
}

func TestEveryRuleSaysWhatItIs(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range all.Rules() {
		if seen[r.ID] {
			t.Errorf("%s is there twice", r.ID)
		}
		seen[r.ID] = true
		if r.Title == "" || r.About == "" || r.Severity == "" || r.Component == "" || r.Impact == "" || len(r.Do) == 0 || r.Check == nil {
			t.Errorf("%s: title %q, severity %q, impact %q, component %q, about %q, %d things to do", r.ID, r.Title, r.Severity, r.Impact,
				r.Component, r.About, len(r.Do))
		}
	}
}

func TestEveryRulesLimitsAreSound(t *testing.T) {
	for _, r := range all.Rules() {
		if err := rule.CheckLimits(r.Limits); err != nil {
			t.Errorf("%s: %v", r.ID, err)
		}
		if v := reflect.ValueOf(r.Limits); r.Limits != nil && (v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct) {
			t.Errorf("%s: Limits is %T, want a pointer to a struct", r.ID, r.Limits)
		}
		for i, l := range rule.Limits(r) {
			f := reflect.TypeOf(r.Limits).Elem().Field(i)
			if l.Name == "" || l.Name == "off" || l.Doc == "" || strings.HasSuffix(l.Doc, ".") {
				t.Errorf("%s: %s: name %q, doc %q", r.ID, f.Name, l.Name, l.Doc)
			}
			if f.Type.Kind() != reflect.Bool && (l.Min == "" || l.Max == "") {
				t.Errorf("%s: %s has no min or no max", r.ID, l.Name)
			}
			if err := rule.SetLimit(&r, l.Name, l.Value); err != nil {
				t.Errorf("%s: %s: its default cannot be set: %v", r.ID, l.Name, err)
			}
			if l.Min != "" && rule.SetLimit(&r, l.Name, l.Min) != nil || l.Max != "" && rule.SetLimit(&r, l.Name, l.Max) != nil {
				t.Errorf("%s: %s: %s or %s is not a value of it", r.ID, l.Name, l.Min, l.Max)
			}
		}
	}
}

func TestSettingsRoundTrip(t *testing.T) {
	b := all.Default()
	r, _ := b.Rule("nic-saturated")
	if err := rule.SetLimit(&r, "share", "0.75"); err != nil {
		t.Fatal(err)
	}
	s, err := b.Without("kmsg-lost").Settings()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var read node.Settings
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	got := all.Default().With(read)
	again, err := got.Settings()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, again); diff != "" {
		t.Errorf("settings (-written +read):\n%s", diff)
	}
	if r, _ := got.Rule("nic-saturated"); rule.Limits(r)[0].Value != "0.75" {
		t.Errorf("got %+v", rule.Limits(r))
	}
	if _, on := got.Rule("kmsg-lost"); on {
		t.Error("kmsg-lost is on again")
	}
	if r, _ := all.Default().Rule("nic-saturated"); rule.Limits(r)[0].Value != "0.9" {
		t.Errorf("got default %s: thresholds are shared between sets", rule.Limits(r)[0].Value)
	}
}

func TestSettingsThatAreNotAllowedLeaveTheDefaults(t *testing.T) {
	for _, raw := range []string{`{"share": 7}`, `{"share": 0.8, "for": 1}`, `{"share": "x"}`, `{"share": 0.8`, `[]`, `null`} {
		got := all.Default().With(node.Settings{Limits: map[string]json.RawMessage{"nic-saturated": json.RawMessage(raw),
			"no-such-rule": json.RawMessage(`{}`), "source-stalled": json.RawMessage(`{"a":1}`)}})
		r, _ := got.Rule("nic-saturated")
		if l := rule.Limits(r); l[0].Value != "0.9" || l[1].Value != "5s" {
			t.Errorf("%s: got share %s for %s, want the defaults", raw, l[0].Value, l[1].Value)
		}
	}
}

// The Alertmanager example inhibits the alerts that the rules explain.
func TestDocsInhibitRulesAreFresh(t *testing.T) {
	const path, begin, end = "../../../deploy/prometheus/alertmanager-example.yml", "  # --- written by make docs\n", "  # --- end\n"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(raw), begin)
	old, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the rules", path)
	}
	var b strings.Builder
	for _, r := range all.Rules() {
		if len(r.Explains) > 0 && strings.Contains(r.Severity, "critical") {
			fmt.Fprintf(&b, "  - source_matchers: ['rule=%q', 'severity=\"critical\"']\n    target_matchers: ['rule=~%q']\n    equal: [node, instance]\n", r.ID, strings.Join(r.Explains, "|"))
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(head+begin+b.String()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(b.String(), old); diff != "" {
		t.Errorf("%s is not what the rules explain; run \"make docs\" (-rules +file):\n%s", path, diff)
	}
}

// The relation Explains has no cycles and refers only to existing rules.
func TestExplainsIsAcyclic(t *testing.T) {
	explains := map[string][]string{}
	for _, r := range all.Rules() {
		explains[r.ID] = r.Explains
	}
	for id, list := range explains {
		for _, other := range list {
			if _, exists := explains[other]; !exists {
				t.Errorf("%s explains %q, which is no rule", id, other)
			}
		}
	}
	const open, closed = 1, 2
	state := map[string]int{}
	var visit func(id string, path []string)
	visit = func(id string, path []string) {
		path = append(path, id)
		if state[id] == open {
			t.Errorf("a cycle: %s", strings.Join(path, " explains "))
		}
		if state[id] != 0 {
			return
		}
		state[id] = open
		for _, other := range explains[id] {
			visit(other, path)
		}
		state[id] = closed
	}
	for id := range explains {
		visit(id, nil)
	}
}

// Commands must time out if the cluster is down, so that on-call does not wait.
func TestCephCommandsInTextsHaveATimeout(t *testing.T) {
	command := regexp.MustCompile("`ceph [^`]*`")
	for _, r := range all.Default().Rules {
		for _, text := range append([]string{r.About}, r.Do...) {
			for _, c := range command.FindAllString(text, -1) {
				if !strings.Contains(c, "--connect-timeout") {
					t.Errorf("%s: %s", r.ID, c)
				}
			}
		}
	}
}
