package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

const hub = `
site: rl1
labels: {rack: "7", switch: sw1}
reporters:
  - name: hub
    native: {url: https://192.0.2.10, token_file: hub-token}
    severity: warning
    not_rules: [krbd-shared-fate]
    tls:
      ca_file: /etc/nodewatch/ca.pem
      source_address: 198.51.100.4
`

func TestReporters(t *testing.T) {
	c, err := Read("f.yml", strings.NewReader(hub))
	if err != nil {
		t.Fatal(err)
	}
	if c.Site != "rl1" || c.Labels["switch"] != "sw1" || len(c.Reporters) != 1 {
		t.Fatalf("%+v", c)
	}
	r := c.Reporters[0]
	s, is := r.Settings.(*native.Config)
	if !is || s.URL != "https://192.0.2.10" || s.Token != "hub-token" || r.Backend != "native" || r.Every != 30*time.Second ||
		r.TLS.Source != "198.51.100.4" {
		t.Errorf("%+v", r)
	}
	if f := r.Filter(); f.Severity != report.Warning || f.Pageable || len(f.NotRules) != 1 {
		t.Errorf("%+v", f)
	}
}

func TestMistakesInReporters(t *testing.T) {
	for text, want := range map[string]string{
		"reporters: hub":            "f.yml:1: reporters: must be a list",
		"reporters:\n  - hub":       "f.yml:2: reporters[0]: must be a mapping of fields",
		"reporters:\n  - name: hub": "f.yml:2: reporters[0]: has no backend; valid are native, ",
		"reporters:\n  - name: hub\n    native: {url: \"http://192.0.2.1\"}\n    statuspage: {}":                                 "f.yml:2: reporters[0]: has native and statuspage; exactly one backend is allowed",
		"reporters:\n  - name: hub\n    native: {url: \"http://192.0.2.1\", key: x}":                                             "f.yml:3: reporters[0].native.key: unknown field; valid are url, ",
		"reporters:\n  - name: hub\n    native:\n      token_file: a\n      url: ftp://192.0.2.1":                                "f.yml:5: reporters[0].native.url: ",
		"reporters:\n  - name: hub\n    native: {url: \"http://192.0.2.1\"}\n    severity: bad":                                  `f.yml:4: reporters[0].severity: "bad" is not allowed: must be one of info, warning, critical`,
		"reporters:\n  - name: hub\n    native: {url: \"http://192.0.2.1\"}\n    every: 1s":                                      "f.yml:4: reporters[0].every: ",
		"reporters:\n  - name: hub\n    native: {url: \"http://192.0.2.1\"}\n    rules: [nic-full]":                              "f.yml:4: reporters[0].rules: nic-full is not a rule, or is off; valid are ",
		"reporters:\n  - name: hub\n    native: {url: \"http://192.0.2.1\"}\n    components: [disks]":                            "f.yml:4: reporters[0].components[0]: \"disks\" is not allowed: must be one of storage, network, guests, cluster, host, nodewatch",
		"reporters:\n  - name: Hub 1\n    native: {url: \"http://192.0.2.1\"}":                                                   `f.yml:2: reporters[0].name: "Hub 1" is not allowed`,
		"reporters:\n  - {name: hub, native: {url: \"http://192.0.2.1\"}}\n  - {name: hub, native: {url: \"http://192.0.2.1\"}}": "f.yml:3: reporters[1].name: hub is already used",
		"reporters:\n  - name: hub\n    native: {url: \"http://192.0.2.1\"}\n    tls: {verify: false}":                           "f.yml:4: reporters[0].tls.verify: unknown field; valid are ca_file, ",
		"reporters:\n  - name: hub\n    native: {url: \"http://192.0.2.1\"}\n    more: 1":                                        "f.yml:4: reporters[0].more: unknown field; valid are name, every, deadline, severity, rules, not_rules, components, silenced, tls, native, ",
		"reporters:\n  - name: hub\n    native: {url: \"http://192.0.2.1\"}\n    not_rules:\n      - nic-full":                   "f.yml:5: reporters[0].not_rules: nic-full is not a rule",
		"labels: [a]":       "f.yml:1: labels: must be a mapping of strings to strings",
		"labels: {rack: 7}": "f.yml:1: labels.rack: 7 is not a string; put it in quotes",
	} {
		_, err := Read("f.yml", strings.NewReader(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

// Every component can be selected.
func TestComponentsOfReporters(t *testing.T) {
	field, _ := reflect.TypeFor[Reporter]().FieldByName("Components")
	var names []report.ComponentName
	for name := range strings.FieldsSeq(field.Tag.Get("oneof")) {
		names = append(names, report.ComponentName(name))
	}
	if !slices.Equal(names, report.ComponentNames()) {
		t.Errorf("got %v, want %v", names, report.ComponentNames())
	}
}
