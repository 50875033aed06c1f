package config

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A Reporter says to which backend reports go, and which.
type Reporter struct {
	Name       string             `yaml:"name" doc:"its name in metrics and logs: a-z, 0-9, dots and dashes"`
	Every      time.Duration      `yaml:"every" default:"by backend" doc:"the state is sent again this often" min:"5s" max:"1h"`
	Deadline   time.Duration      `yaml:"deadline" default:"by backend" doc:"timeout of one attempt" min:"1s" max:"2m"`
	Severity   report.Severity    `yaml:"severity" doc:"only findings of at least this severity" oneof:"info warning critical"`
	Rules      []string           `yaml:"rules" doc:"only findings of these rules"`
	NotRules   []string           `yaml:"not_rules" doc:"no findings of these rules"`
	Components []string           `yaml:"components" doc:"only these components and their findings: storage, network, guests, cluster, host, nodewatch"`
	Silenced   bool               `yaml:"silenced" default:"by backend" doc:"also report findings that page nobody: acknowledged ones, and those raised during maintenance"`
	TLS        httpclient.Options `yaml:"tls" doc:"connection to the backend"`

	Backend  string // the name of its section
	Settings any    // its section: a pointer to the backend's Config
}

// Filter selects what of a Report the reporter receives.
func (r Reporter) Filter() report.Filter {
	return report.Filter{Severity: r.Severity, Rules: r.Rules, NotRules: r.NotRules, Components: r.Components, Pageable: !r.Silenced}
}

// Warnings are what is unsafe about the reporter's files with secrets. It looks at the
// files.
func (r Reporter) Warnings() []string {
	var list []string
	for _, f := range append(secretsIn(reflect.ValueOf(r.Settings)), secretsIn(reflect.ValueOf(r.TLS))...) {
		if w := f.Warning(); w != "" {
			list = append(list, "reporter "+r.Name+": "+w)
		}
	}
	return list
}

// secretsIn are the files with secrets that a value names, at any depth.
func secretsIn(v reflect.Value) (list []httpclient.SecretFile) {
	switch v.Kind() {
	case reflect.String:
		if f, is := v.Interface().(httpclient.SecretFile); is && f != "" {
			return []httpclient.SecretFile{f}
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return secretsIn(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			list = append(list, secretsIn(v.Field(i))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			list = append(list, secretsIn(v.Index(i))...)
		}
	case reflect.Map:
		for each := v.MapRange(); each.Next(); {
			list = append(list, secretsIn(each.Value())...)
		}
	}
	return list
}

// maxReporters is how many reporters there may be.
const maxReporters = 20

// reporters decodes the section "reporters".
func (d decoder) reporters(n *yaml.Node, b rule.RuleSet) ([]Reporter, error) {
	if n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, d.wrong(n, "reporters", "must be a list")
	}
	if len(n.Content) > maxReporters {
		return nil, d.wrong(n, "reporters", "there are %d; %d are allowed", len(n.Content), maxReporters)
	}
	var list []Reporter
	var wrong []error
	for i, item := range n.Content {
		r, err := d.reporter(item, join("reporters", itoa(i)), b)
		if err == nil && slices.ContainsFunc(list, func(o Reporter) bool { return o.Name == r.Name }) {
			err = d.wrong(item, join("reporters", itoa(i))+".name", "%s is the name of another one", r.Name)
		}
		wrong = append(wrong, err)
		list = append(list, r)
	}
	return list, together(wrong...)
}

// reporter decodes one reporter: what all have, and the section of its backend.
func (d decoder) reporter(n *yaml.Node, field string, b rule.RuleSet) (Reporter, error) {
	if n.Kind != yaml.MappingNode {
		return Reporter{}, d.wrong(n, field, "must be a mapping of fields")
	}
	at := *n // without shall not change the document
	at.Content = slices.Clone(n.Content)
	s, section, err := d.section(&at, field)
	if err != nil {
		return Reporter{}, err
	}
	r := Reporter{Every: s.every, Deadline: s.deadline, Silenced: s.silenced, Backend: s.name, Settings: s.settings()}
	if err := together(
		d.value(&at, reflect.ValueOf(&r).Elem(), field, ""),
		d.value(section, reflect.ValueOf(r.Settings).Elem(), join(field, s.name), ""),
	); err != nil {
		return r, err
	}
	return r, d.checkReporter(r, n, section, field, b)
}

// section takes the one section of a backend out of the mapping.
func (d decoder) section(n *yaml.Node, field string) (backend, *yaml.Node, error) {
	var found backend
	var section *yaml.Node
	var names []string
	for _, s := range backends() {
		names = append(names, s.name)
		value, err := d.without(n, s.name)
		if err != nil {
			return backend{}, nil, err
		}
		if value == nil {
			continue
		}
		if section != nil {
			return backend{}, nil, d.wrong(value, field, "has %s and %s; exactly one backend is allowed", found.name, s.name)
		}
		found, section = s, value
	}
	if section == nil {
		return backend{}, nil, d.wrong(n, field, "has no backend; there are %s", strings.Join(names, ", "))
	}
	return found, section, nil
}

var word = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// checkReporter checks what the types of the fields do not.
func (d decoder) checkReporter(r Reporter, n, section *yaml.Node, field string, b rule.RuleSet) error {
	var wrong []error
	add := func(n *yaml.Node, field, format string, args ...any) {
		wrong = append(wrong, d.wrong(n, field, format, args...))
	}
	if !word.MatchString(r.Name) {
		add(n, field+".name", "%q is not allowed: a word of at most 63 of a-z, 0-9, dots and dashes", r.Name)
	}
	for _, id := range slices.Concat(r.Rules, r.NotRules) {
		if _, on := b.Rule(id); !on {
			add(n, field, "%s is no rule, or is off; there are %s", id, strings.Join(ids(b), ", "))
		}
	}
	var known []string
	for _, c := range rule.Components() {
		known = append(known, string(c))
	}
	for _, c := range r.Components {
		if !slices.Contains(known, c) {
			add(n, field+".components", "%s is no component; there are %s", c, strings.Join(known, ", "))
		}
	}
	check := func(of any, n *yaml.Node, field string) {
		err := of.(interface{ Check() error }).Check()
		if one, is := errors.AsType[*report.FieldError](err); is {
			add(lineOf(n, one.Field), join(field, one.Field), "%s", one.Text)
		} else if err != nil {
			add(n, field, "%v", err)
		}
	}
	check(r.Settings, section, join(field, r.Backend))
	check(r.TLS, lineOf(n, "tls"), join(field, "tls"))
	return together(wrong...)
}

// lineOf is the node that the dotted field stands at, as far as it is there.
func lineOf(n *yaml.Node, field string) *yaml.Node {
	name, rest, _ := strings.Cut(field, ".")
	name, place, indexed := strings.Cut(name, "[")
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		if n.Content[i].Value != name {
			continue
		}
		value := n.Content[i+1]
		if at, err := strconv.Atoi(strings.TrimSuffix(place, "]")); indexed && err == nil && value.Kind == yaml.SequenceNode && at < len(value.Content) {
			value = value.Content[at]
		}
		return lineOf(value, rest)
	}
	return n
}
