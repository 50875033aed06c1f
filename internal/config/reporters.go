package config

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/strictyaml"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A Reporter describes one backend and the reports that it receives.
type Reporter struct {
	Name       string                 `yaml:"name" doc:"its name in metrics and logs: a-z, 0-9, dots and dashes"`
	Every      time.Duration          `yaml:"every" default:"by backend" doc:"interval at which the current state is sent again" min:"5s" max:"1h"`
	Deadline   time.Duration          `yaml:"deadline" default:"by backend" doc:"timeout of one attempt" min:"1s" max:"2m"`
	Severity   report.Severity        `yaml:"severity" doc:"only findings of at least this severity" oneof:"info warning critical"`
	Rules      []string               `yaml:"rules" doc:"only findings of these rules"`
	NotRules   []string               `yaml:"not_rules" doc:"no findings of these rules"`
	Components []report.ComponentName `yaml:"components" doc:"only these components and their findings" oneof:"storage network guests cluster host nodewatch"`
	Silenced   bool                   `yaml:"silenced" default:"by backend" doc:"also report findings that do not page: acknowledged ones, and those raised during maintenance"`
	TLS        httpclient.Options     `yaml:"tls" doc:"connection to the backend"`

	Backend  string // the name of its section
	Settings any    // its section: a pointer to the backend's Config
}

// Filter selects the parts of a Report that the reporter receives.
func (r Reporter) Filter() report.Filter {
	return report.Filter{Severity: r.Severity, Rules: r.Rules, NotRules: r.NotRules, Components: r.Components, Pageable: !r.Silenced}
}

// Warnings returns the security problems of the reporter's files with secrets. It
// reads the files' metadata.
func (r Reporter) Warnings() []string {
	var list []string
	for _, f := range append(secretsIn(reflect.ValueOf(r.Settings)), secretsIn(reflect.ValueOf(r.TLS))...) {
		if w := f.Warning(); w != "" {
			list = append(list, "reporter "+r.Name+": "+w)
		}
	}
	return list
}

// secretsIn returns the files with secrets that a value names, at any depth.
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

// maxReporters is the maximum number of reporters.
const maxReporters = 20

// decodeReporters decodes the section "reporters".
func decodeReporters(s *strictyaml.Section, b rule.RuleSet) []Reporter {
	items := s.Items()
	if len(items) > maxReporters {
		s.Wrong("", "there are %d; %d are allowed", len(items), maxReporters)
		return nil
	}
	var list []Reporter
	for _, item := range items {
		r, ok := decodeReporter(item, b)
		if ok && slices.ContainsFunc(list, func(o Reporter) bool { return o.Name == r.Name }) {
			item.Wrong("name", "%s is already used", r.Name)
		}
		list = append(list, r)
	}
	return list
}

// decodeReporter decodes one reporter: the common fields, and the section of its
// backend. ok reports whether all of it could be decoded.
func decodeReporter(s *strictyaml.Section, b rule.RuleSet) (r Reporter, ok bool) {
	var found *backend
	var settings *strictyaml.Section
	var names []string
	for _, one := range backends() {
		names = append(names, one.name)
		section := s.Take(one.name)
		switch {
		case !section.In():
		case found != nil:
			s.Wrong("", "has %s and %s; exactly one backend is allowed", found.name, one.name)
			return r, false
		default:
			found, settings = &one, section
		}
	}
	if found == nil {
		if s.Mapping("fields") {
			s.Wrong("", "has no backend; valid are %s", strings.Join(names, ", "))
		}
		return r, false
	}
	r = Reporter{Every: found.every, Deadline: found.deadline, Silenced: found.silenced, Backend: found.name, Settings: found.settings()}
	common, own := s.Decode(&r), settings.Decode(r.Settings)
	if !common || !own {
		return r, false
	}
	r.check(s, settings, b)
	return r, true
}

var word = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// check checks what the types of the fields do not enforce.
func (r Reporter) check(s, settings *strictyaml.Section, b rule.RuleSet) {
	if !word.MatchString(r.Name) {
		s.Wrong("name", "%q is not allowed: a word of at most 63 of a-z, 0-9, dots and dashes", r.Name)
	}
	for field, list := range map[string][]string{"rules": r.Rules, "not_rules": r.NotRules} {
		for _, id := range list {
			if _, on := b.Rule(id); !on {
				s.Wrong(field, "%s is not a rule, or is off; valid are %s", id, strings.Join(ids(b), ", "))
			}
		}
	}
	wrong := func(s *strictyaml.Section, field string, err error) {
		if one, is := errors.AsType[*report.FieldError](err); is {
			s.Wrong(field+one.Field, "%s", one.Text)
		} else if err != nil {
			s.Wrong(strings.TrimSuffix(field, "."), "%v", err)
		}
	}
	wrong(settings, "", r.Settings.(interface{ Check() error }).Check())
	wrong(s, "tls.", r.TLS.Check())
}
