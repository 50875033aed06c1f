package config

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nodewatch/nodewatch/internal/rule"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMistakesAreOneLineWithPlaceAndRemedy(t *testing.T) {
	for text, want := range map[string]string{
		"nodes: a":                                 "f.yml:1: nodes: no such field; there are node, ",
		"\nnode: [a]":                              "f.yml:2: node: must be a string",
		"node: 7":                                  "f.yml:1: node: 7 is not a text; put it in quotes",
		"node: a\nnode: b":                         "f.yml:2: node: stands twice",
		"rules: {}\nrules: {}":                     "f.yml:2: rules: stands twice",
		"web: 3":                                   "f.yml:1: web: must be a mapping of fields",
		"web:\n  listen: 127.0.0.1:1":              "f.yml:2: web.listen: must be a list",
		"web:\n  listen: [1]":                      "f.yml:2: web.listen[0]: 1 is not a text",
		"ceph:\n  every: 5s":                       `f.yml:2: ceph.every: "5s" is not allowed: must be a duration from 10s to 1h`,
		"ceph:\n  every: [5s]":                     "f.yml:2: ceph.every: must be a duration from 10s to 1h",
		"libvirt:\n  off: maybe":                   `f.yml:2: libvirt.off: "maybe" is not allowed: must be true or false`,
		"rules: 3":                                 "f.yml:1: rules: must be a mapping of rule ids",
		"rules:\n  no-rule: {}":                    "f.yml:2: rules.no-rule: no such rule; there are ",
		"rules:\n  kmsg-lost: on":                  "f.yml:2: rules.kmsg-lost: must be a mapping of thresholds",
		"rules:\n  kmsg-lost:\n    windows: 5m":    "f.yml:3: rules.kmsg-lost.windows: no such threshold; there are window",
		"rules:\n  kmsg-lost:\n    window: 11m":    `f.yml:3: rules.kmsg-lost.window: "11m" is not allowed: must be a duration from 10s to 10m`,
		"rules:\n  kmsg-lost:\n    window: {}":     "f.yml:3: rules.kmsg-lost.window: must be a single value",
		"rules:\n  kmsg-lost:\n    off: 1":         "f.yml:3: rules.kmsg-lost.off: 1 is not allowed: true or false",
		"rules:\n  kmsg-lost: {}\n  kmsg-lost: {}": "f.yml:3: rules.kmsg-lost: stands twice",
		"a: &x 1\nnode: *x":                        "no such field",
		"node: &x a\nrunbook: *x":                  "f.yml:2: runbook: aliases are not allowed",
		"- a":                                      "f.yml:1: must be a mapping of fields",
		"node: a\n---\nnode: b":                    "a second document",
		"node: \"a":                                "f.yml:",
		"\tnode: a":                                "f.yml:1: found character that cannot start any token",
		"? [a]\n: b":                               "a field's name must be a word",
		"node: " + strings.Repeat("a", maxSize):    "f.yml: is larger than 1 MiB",
	} {
		_, err := Read("f.yml", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: got %v, want %q in one line", text, err, want)
		}
	}
}

func TestWhatIsSetHolds(t *testing.T) {
	c, err := Read("f.yml", strings.NewReader(`
# a comment
node: node2
runbook: https://runbooks.example.net/nodewatch
web:
  listen: ["192.0.2.12:10090", "[::1]:10090"]
ceph:
  every: 2m
  off: true
rules:
  kmsg-lost:
    window: 90s
  source-stalled:
    off: true
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Node != "node2" || c.Ceph.Every != 2*time.Minute || !c.Ceph.Off || len(c.Web.Listen) != 2 || c.Ceph.Name != "client.nodewatch" {
		t.Errorf("got %+v", c)
	}
	if _, on := c.Rules.Rule("source-stalled"); on {
		t.Error("a rule that is off is in force")
	}
	r, _ := c.Rules.Rule("kmsg-lost")
	if l := rule.Limits(r); l[0].Value != "1m30s" {
		t.Errorf("got window %s, want 1m30s", l[0].Value)
	}
	if got := c.Rules.RunbookURL("kmsg-lost"); got != "https://runbooks.example.net/nodewatch#kmsg-lost" {
		t.Errorf("got runbook %s", got)
	}
}

func TestAnEmptyFileIsTheDefault(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "{}", "web:\nrules:\n", "null"} {
		c, err := Read("f.yml", strings.NewReader(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if len(c.Digest) != 16 {
			t.Errorf("%q: digest %q", text, c.Digest)
		}
		c.Digest = ""
		want := Default()
		if diff := cmp.Diff(want, c, cmpopts.IgnoreTypes(rule.RuleSet{})); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", text, diff)
		}
	}
}

func TestDocsAreFresh(t *testing.T) {
	const name = "../../docs/configuration.md"
	if *update {
		if err := os.WriteFile(name, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(raw), Markdown()); diff != "" {
		t.Errorf("docs/configuration.md is stale; make docs writes it anew (-file +code)\n%s", diff)
	}
}

// FuzzRead: whatever the file holds, reading it gives a configuration whose
// thresholds are all allowed, or one line that begins with the file's name.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"node: node2\nrules:\n  kmsg-lost:\n    window: 90s\n    off: false\n", "web: {listen: [a, b]}", "a: &x [*x]", "? {a: b}\n: c", "node: !!binary aGk=",
		"rules:\n  nic-saturated: {share: .nan}", "---\n---\n", "%YAML 1.1\n---\nnode: a", "ceph: {every: 9999999999h}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Read("f.yml", strings.NewReader(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yml") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q", err)
			}
			return
		}
		for _, r := range c.Rules.Rules {
			if err := rule.CheckLimits(r.Limits); err != nil {
				t.Errorf("%s: %v", r.ID, err)
			}
		}
	})
}
