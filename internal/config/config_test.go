package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/strictyaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMistakesAreOneLineWithPlaceAndRemedy(t *testing.T) {
	for text, want := range map[string]string{
		"nodes: a":                    "f.yml:1: nodes: unknown field; valid are node, ",
		"\nnode: [a]":                 "f.yml:2: node: must be a text",
		"node: 7":                     "f.yml:1: node: 7 is not a string; put it in quotes",
		"node: a\nnode: b":            "f.yml:2: node: is there twice",
		"rules: {}\nrules: {}":        "f.yml:2: rules: is there twice",
		"web: 3":                      "f.yml:1: web: must be a mapping of fields",
		"web:\n  listen: 127.0.0.1:1": "f.yml:2: web.listen: must be a list",
		"web:\n  listen: [1]":         "f.yml:2: web.listen[0]: 1 is not a string",
		"web:\n  listen: []":          "f.yml:2: web.listen: is empty",
		"web:\n  listen:\n  - 127.0.0.1:1\n  - 127.0.0.1:99999": `f.yml:4: web.listen[1]: "127.0.0.1:99999" is not allowed: the port must be a number from 0 to 65535`,
		"web:\n  listen: [1, b]":                                "f.yml:2: web.listen[0]: 1 is not a string; put it in quotes (1 of 2 errors",
		"web:\n  listen: [\"a:1\", \"a:1\"]":                    "f.yml:2: web.listen[1]: a:1 is listed twice",
		"web:\n  max_connections: 3":                            `f.yml:2: web.max_connections: "3" is not allowed: must be a whole number from 10 to 10000`,
		"ceph:\n  every: 5s":                                    `f.yml:2: ceph.every: "5s" is not allowed: must be a duration from 10s to 1h`,
		"ceph:\n  every: [5s]":                                  "f.yml:2: ceph.every: must be a duration from 10s to 1h",
		"libvirt:\n  off: maybe":                                `f.yml:2: libvirt.off: "maybe" is not allowed: must be true or false`,
		"rules: 3":                                              "f.yml:1: rules: must be a mapping of rule ids",
		"rules:\n  no-rule: {}":                                 "f.yml:2: rules.no-rule: unknown rule; valid are ",
		"rules:\n  kmsg-lost: on":                               "f.yml:2: rules.kmsg-lost: must be a mapping of thresholds",
		"rules:\n  kmsg-lost:\n    windows: 5m":                 "f.yml:3: rules.kmsg-lost.windows: unknown threshold; valid are window",
		"rules:\n  kmsg-lost:\n    window: 11m":                 `f.yml:3: rules.kmsg-lost.window: "11m" is not allowed: must be a duration from 10s to 10m`,
		"rules:\n  kmsg-lost:\n    window: {}":                  "f.yml:3: rules.kmsg-lost.window: must be a single value",
		"rules:\n  kmsg-lost:\n    off: 1":                      "f.yml:3: rules.kmsg-lost.off: \"1\" is not allowed: must be true or false",
		"rules:\n  kmsg-lost: {}\n  kmsg-lost: {}":              "f.yml:3: rules.kmsg-lost: is there twice",
		"a: &x 1\nnode: *x":                                     "unknown field",
		"node: &x a\nrunbook: *x":                               "f.yml:2: runbook: aliases are not allowed",
		"rules: &x {}\nlinks: *x":                               "f.yml:2: links: aliases are not allowed",
		"- a":                                                   "f.yml:1: must be a mapping of fields",
		"node: a\n---\nnode: b":                                 "a second document",
		"node: \"a":                                             "f.yml:",
		"\tnode: a":                                             "f.yml:1: found character that cannot start any token",
		"? [a]\n: b":                                            "a field's name must be a word",
		"node: " + strings.Repeat("a", MaxSize):                 "f.yml: is larger than 1 MiB",
	} {
		_, err := Read("f.yml", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: got %v, want %q in one line", text, err, want)
		}
	}
}

// A mistake does not hide the others, and they are reported in the order of the file.
func TestAllMistakesAreReported(t *testing.T) {
	_, err := Read("f.yml", strings.NewReader(`
node: [a]
web:
  listen: [127.0.0.1]
  max_connections: 5
rules:
  kmsg-lost: {window: soon}
  no-rule: {}
reporters:
  - name: Hub 1
    rules: [nic-full]
    native: {url: ftp://192.0.2.1}
    tls: {proxy_url: "http://me:hunter2@192.0.2.3:3128"}
ceph: {every: 1s}
`))
	all, is := errors.AsType[Errors](err)
	if !is {
		t.Fatalf("got %T: %v", err, err)
	}
	var got []string
	for _, e := range all {
		got = append(got, fmt.Sprintf("%d %s", e.Line, e.Field))
	}
	want := []string{
		"2 node", "4 web.listen[0]", "5 web.max_connections", "7 rules.kmsg-lost.window", "8 rules.no-rule", "10 reporters[0].name",
		"11 reporters[0].rules",
		"12 reporters[0].native.url", "13 reporters[0].tls.proxy_url", "14 ceph.every",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if text := err.Error(); !strings.Contains(text, "1 of 10 errors") || strings.Contains(text, "hunter2") {
		t.Error(text)
	}
	for _, e := range all {
		if strings.Contains(e.Error(), "hunter2") {
			t.Errorf("a password is shown: %v", e)
		}
	}
	_, err = Read("f.yml", strings.NewReader(unknown(5000)))
	if all, _ := errors.AsType[Errors](err); len(all) != strictyaml.MaxErrors {
		t.Errorf("got %d mistakes of 5000, want %d", len(all), strictyaml.MaxErrors)
	}
}

// unknown returns a file with n fields that do not exist.
func unknown(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "f%d: 1\n", i)
	}
	return b.String()
}

func TestAddressesToListenOn(t *testing.T) {
	for address, good := range map[string]bool{
		"127.0.0.1:10090": true, "[::1]:10090": true, ":10090": true, "[::]:0": true, "[]:1": true, "localhost:1": true,
		"node2.example.net:10090": true, "0.0.0.0:65535": true,
		"": false, "127.0.0.1": false, "127.0.0.1:": false, "127.0.0.1:http": false, "127.0.0.1:65536": false, "127.0.0.1:-1": false,
		"127.0.0.1:+1": false, "127.0.0.300:1": false,
		"1.2.3:1": false, "::1:10090": false, "[::1:10090": false, "[127.0.0.1]:1": false, "[::1]": false, "node 2:1": false,
		"http://a:1": false, "a/b:1": false, "-a:1": false, "a..b:1": false,
		"224.0.0.1:1": false, "255.255.255.255:1": false, "[ff02::1]:1": false, "[::ffff:224.0.0.1]:1": false,
		"vsock://:1": false, "ä:1": false, "127.0.0.1:99999999999999999999": false,
	} {
		wrong := Web{Listen: []string{address}, Connections: 100}.Mistakes()
		if (len(wrong) == 0) != good {
			t.Errorf("%q: %v", address, wrong)
		}
	}
}

// Addresses on which the kernel cannot listen at the same time are refused: a retry of
// the second one would never succeed.
func TestAddressesMustNotOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		good bool
	}{
		{"127.0.0.1:1", "127.0.0.2:1", true}, {"127.0.0.1:1", "[::1]:1", true}, {"0.0.0.0:1", ":2", true}, {":0", ":0", true},
		{"localhost:1", "127.0.0.1:1", true}, // only the resolver knows: refused at the start
		{"127.0.0.1:1", "0.0.0.0:1", false}, {":1", "[2001:db8::7]:1", false}, {"[::]:1", "a:1", false}, {"[]:1", "0.0.0.0:1", false},
		{"127.0.0.1:1", "127.0.0.1:01", false}, {"[::1]:1", "[0:0::1]:1", false}, {"[::ffff:127.0.0.1]:1", "127.0.0.1:1", false},
		{"A.example.net.:1", "a.example.net:1", false},
	} {
		for _, list := range [][]string{{c.a, c.b}, {c.b, c.a}} {
			if wrong := (Web{Listen: list, Connections: 100}).Mistakes(); (len(wrong) == 0) != c.good {
				t.Errorf("%q: %v", list, wrong)
			}
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

// A field set to null counts as not set, and not as the text "null".
func TestNullSetsNothing(t *testing.T) {
	c, err := Read("f.yml", strings.NewReader("node: null\nruntime_directory: ~\nceph: {keyring: , every: ~}\nlibvirt: {off: null, sockets: }\nlabels:\nreporters: ~\nrules: {kmsg-lost: }\n"))
	if err != nil {
		t.Fatal(err)
	}
	c.Digest = ""
	if diff := cmp.Diff(Default(), c, cmpopts.IgnoreTypes(rule.RuleSet{})); diff != "" {
		t.Errorf("(-default +got)\n%s", diff)
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
		t.Errorf("docs/configuration.md is stale; make docs rewrites it (-file +code)\n%s", diff)
	}
}

// FuzzRead: whatever the file contains, reading it returns a configuration with
// allowed thresholds only, or one line that begins with the file's name.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"node: node2\nrules:\n  kmsg-lost:\n    window: 90s\n    off: false\n", "web: {listen: [a, b]}", "a: &x [*x]", "? {a: b}\n: c",
		"node: !!binary aGk=",
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
