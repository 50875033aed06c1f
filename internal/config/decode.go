package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/nodewatch/nodewatch/internal/rule"
)

// A decoder decodes one file, strictly: what it does not know is a mistake.
type decoder struct{ file string }

func (d decoder) config(raw []byte) (Config, error) {
	c := Default()
	root, err := d.parse(raw)
	if err != nil || root == nil {
		return c, err
	}
	rules, twice := d.without(root, "rules")
	reporters, again := d.without(root, "reporters")
	values := together(d.value(root, reflect.ValueOf(&c).Elem(), "", ""))
	wrong := []error{twice, again, values}
	for _, m := range c.Web.Mistakes() {
		if !mentions(values, "web."+m.Field) { // what could not even be read is not wrong twice
			wrong = append(wrong, d.wrong(lineOf(lineOf(root, "web"), m.Field), join("web", m.Field), "%s", m.Text))
		}
	}
	for _, m := range c.Links.mistakes() {
		if !mentions(values, "links."+m.Field) {
			wrong = append(wrong, d.wrong(lineOf(lineOf(root, "links"), m.Field), join("links", m.Field), "%s", m.Text))
		}
	}
	if c.Runbook != "" {
		c.Rules.Runbook = c.Runbook
	}
	all := c.Rules
	c.Rules, err = d.rules(rules, c.Rules)
	if err != nil {
		c.Rules = all // so that a reporter may still name any rule
	}
	wrong = append(wrong, err)
	c.Reporters, err = d.reporters(reporters, c.Rules)
	return c, together(append(wrong, err)...)
}

// yamlLine finds the line in an error of the YAML parser.
var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// parse returns the mapping at the file's root; nil for an empty file.
func (d decoder) parse(raw []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, d.syntax(err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &Error{File: d.file, Line: more.Line, Text: "a second document in the file; one is allowed"}
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, d.wrong(root, "", "must be a mapping of fields")
	}
	return root, nil
}

func (d decoder) syntax(err error) error {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		return &Error{File: d.file, Line: line, Text: m[2]}
	}
	// The parser names no line where it means the first.
	text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
	return &Error{File: d.file, Line: 1, Text: text}
}

func (d decoder) wrong(n *yaml.Node, field, format string, args ...any) error {
	return &Error{File: d.file, Line: n.Line, Field: field, Text: fmt.Sprintf(format, args...)}
}

// without takes the named field out of the mapping and returns its value; nil if
// it is not there.
func (d decoder) without(m *yaml.Node, name string) (*yaml.Node, error) {
	var value *yaml.Node
	for i := 0; i+1 < len(m.Content); {
		if m.Content[i].Value != name {
			i += 2
			continue
		}
		if value != nil {
			return nil, d.wrong(m.Content[i], name, "is there twice")
		}
		value = m.Content[i+1]
		m.Content = append(m.Content[:i:i], m.Content[i+2:]...)
	}
	return value, nil
}

var duration = reflect.TypeFor[time.Duration]()

// value decodes n into v. The tag is the struct tag of the field v is.
func (d decoder) value(n *yaml.Node, v reflect.Value, field string, tag reflect.StructTag) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return d.wrong(n, field, "aliases are not allowed")
	case v.Kind() == reflect.Struct:
		return d.structure(n, v, field)
	case v.Kind() == reflect.Slice:
		return d.list(n, v, field)
	case v.Kind() == reflect.Map:
		return d.mapping(n, v, field)
	case n.Kind != yaml.ScalarNode:
		return d.wrong(n, field, "must be %s", rule.Allowed(v.Type(), tag))
	case v.Kind() == reflect.String && v.Type() != duration:
		if n.Tag != "!!str" && n.Tag != "!!null" {
			return d.wrong(n, field, "%s is not a text; put it in quotes", n.Value)
		}
		if words := strings.Fields(tag.Get("oneof")); len(words) > 0 && !slices.Contains(words, n.Value) {
			return d.wrong(n, field, "%q is not allowed: one of %s", n.Value, strings.Join(words, ", "))
		}
		v.SetString(n.Value)
		return nil
	}
	if err := rule.SetValue(v, tag, n.Value); err != nil {
		return d.wrong(n, field, "%v", err)
	}
	return nil
}

func (d decoder) list(n *yaml.Node, v reflect.Value, field string) error {
	if n.Kind != yaml.SequenceNode {
		return d.wrong(n, field, "must be a list")
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	var wrong []error
	for i, item := range n.Content {
		wrong = append(wrong, d.value(item, list.Index(i), join(field, itoa(i)), ""))
	}
	v.Set(list)
	return together(wrong...)
}

// mapping decodes words to texts.
func (d decoder) mapping(n *yaml.Node, v reflect.Value, field string) error {
	if n.Kind != yaml.MappingNode {
		return d.wrong(n, field, "must be a mapping of words to texts")
	}
	m := reflect.MakeMap(v.Type())
	err := d.fields(n, field, func(key, value *yaml.Node) error {
		text := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(value, text, join(field, key.Value), ""); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), text)
		return nil
	})
	v.Set(m)
	return err
}

func (d decoder) structure(n *yaml.Node, v reflect.Value, field string) error {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return d.wrong(n, field, "must be a mapping of fields")
	}
	return d.fields(n, field, func(key, value *yaml.Node) error {
		t := v.Type()
		var known []string
		for i := range t.NumField() {
			name := t.Field(i).Tag.Get("yaml")
			if name == key.Value && name != "" {
				return d.value(value, v.Field(i), join(field, name), t.Field(i).Tag)
			}
			if name != "" {
				known = append(known, name)
			}
		}
		if field == "" {
			known = append(known, "reporters", "rules")
		}
		if v.Type() == reflect.TypeFor[Reporter]() {
			for _, b := range backends() {
				known = append(known, b.name)
			}
		}
		return d.wrong(key, join(field, key.Value), "no such field; there are %s", strings.Join(known, ", "))
	})
}

// fields calls f for each field of the mapping, and sees to it that none is there
// twice. A mistake in one does not hide those in others.
func (d decoder) fields(m *yaml.Node, field string, f func(key, value *yaml.Node) error) error {
	seen := map[string]bool{}
	var wrong []error
	for i := 0; i+1 < len(m.Content) && len(wrong) < maxErrors; i += 2 {
		key := m.Content[i]
		var err error
		switch {
		case key.Kind != yaml.ScalarNode:
			err = d.wrong(key, field, "a field's name must be a word")
		case seen[key.Value]:
			err = d.wrong(key, join(field, key.Value), "is there twice")
		default:
			seen[key.Value] = true
			err = f(key, m.Content[i+1])
		}
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	return together(wrong...)
}

// itoa is the place in a list, as fields are named.
func itoa(i int) string { return "[" + strconv.Itoa(i) + "]" }

func join(field, name string) string {
	if field == "" || strings.HasPrefix(name, "[") {
		return field + name
	}
	return field + "." + name
}
