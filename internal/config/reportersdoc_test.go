package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var example = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Every example in the documentation is a valid configuration, and every backend and
// each of its presets has one.
func TestDocsShowAWorkingExampleOfEachReporter(t *testing.T) {
	raw, err := os.ReadFile("../../docs/reporters.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, m := range example.FindAllStringSubmatch(string(raw), -1) {
		c, err := Read("docs/reporters.md", strings.NewReader(m[1]))
		if err != nil {
			t.Errorf("%v in\n%s", err, m[1])
			continue
		}
		for _, r := range c.Reporters {
			shown[r.Backend] = true
			shown[r.Backend+" "+preset(m[1], r.Name)] = true
		}
	}
	for _, b := range backends() {
		if !shown[b.name] {
			t.Errorf("there is no example of %s", b.name)
		}
		for _, p := range presets(b) {
			if !shown[b.name+" "+p] {
				t.Errorf("there is no example of %s with the preset %s", b.name, p)
			}
		}
	}
}

// preset returns the preset of the named reporter of an example; empty if it has
// none.
func preset(text, name string) string {
	at := regexp.MustCompile(`name: ` + regexp.QuoteMeta(name) + `\b`).FindStringIndex(text)
	if at == nil {
		return ""
	}
	rest, _, _ := strings.Cut(text[at[1]:], "- name:")
	if m := regexp.MustCompile(`preset: (\w+)`).FindStringSubmatch(rest); m != nil {
		return m[1]
	}
	return ""
}

// presets returns the presets that a backend allows.
func presets(b backend) []string {
	t := reflect.TypeOf(b.settings()).Elem()
	f, found := t.FieldByName("Preset")
	if !found {
		return nil
	}
	return strings.Fields(f.Tag.Get("oneof"))
}
