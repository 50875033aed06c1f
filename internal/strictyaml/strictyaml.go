// Package strictyaml decodes YAML files strictly: unknown fields are errors, and every
// error has the file, the line and the allowed values.
package strictyaml

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// MaxErrors is the maximum number of errors reported for one file.
const MaxErrors = 100

// An Error is one mistake.
type Error struct {
	File  string
	Line  int
	Field string // such as groups[0].name; empty: the file as a whole
	Text  string
}

func (e *Error) Error() string {
	place := fmt.Sprintf("%s:%d", e.File, e.Line)
	if e.Field != "" {
		place += ": " + e.Field
	}
	return place + ": " + e.Text
}

// Errors are the mistakes in one file, in its order, one line each.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// A Document is a decoded file that knows where its fields are.
type Document struct {
	file  string
	lines map[string]int // by field
	errs  Errors
}

// Decode decodes raw into the struct that v points to. Fields have the tag yaml;
// strings the tag oneof with the words that are allowed, numbers and durations the
// tags min and max. What the file does not set is left alone. Report ends it.
func Decode(file string, raw []byte, v any) *Document {
	d := &Document{file: file, lines: map[string]int{}}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return d
	} else if err != nil {
		d.syntax(err)
		return d
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		d.add(more.Line, "", "a second document in the file; one is allowed")
		return d
	}
	d.value(doc.Content[0], reflect.ValueOf(v).Elem(), "", "")
	return d
}

// Wrong adds a mistake in a field that was read. A field that is not in the file is
// wrong where its parent is.
func (d *Document) Wrong(field, format string, args ...any) {
	d.add(d.line(field), field, fmt.Sprintf(format, args...))
}

// Report returns all mistakes, in the order of the file: Errors, or nil.
func (d *Document) Report() error {
	if len(d.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(d.errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	return d.errs[:min(len(d.errs), MaxErrors)]
}

// Has reports whether a mistake in the field, or below it, was found.
func (d *Document) Has(field string) bool {
	return slices.ContainsFunc(d.errs, func(e *Error) bool {
		return e.Field == field || strings.HasPrefix(e.Field, field+".") || strings.HasPrefix(e.Field, field+"[")
	})
}

func (d *Document) add(line int, field, text string) {
	if len(d.errs) < 10*MaxErrors {
		d.errs = append(d.errs, &Error{File: d.file, Line: max(line, 1), Field: field, Text: text})
	}
}

func (d *Document) line(field string) int {
	for field != "" {
		if n, known := d.lines[field]; known {
			return n
		}
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	return 1
}

// yamlLine finds the line in an error of the YAML parser.
var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

func (d *Document) syntax(err error) {
	text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1])
		d.add(line, "", m[2])
		return
	}
	d.add(1, "", text) // the parser names no line where it means the first
}

var (
	duration = reflect.TypeFor[time.Duration]()
	part     = reflect.TypeFor[Part]()
)

// value decodes n into v. The tag is the struct tag of the field v is.
func (d *Document) value(n *yaml.Node, v reflect.Value, field string, tag reflect.StructTag) {
	d.lines[field] = n.Line
	switch {
	case n.Kind == yaml.AliasNode:
		d.add(n.Line, field, "aliases are not allowed")
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null": // nothing is set
	case v.Type() == part:
		d.part(n, v, field)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), field, tag)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, field)
	case v.Kind() == reflect.Slice:
		d.list(n, v, field, tag)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, field, tag)
	case n.Kind != yaml.ScalarNode:
		d.add(n.Line, field, "must be "+allowed(v.Type(), tag))
	default:
		if text := scalar(n, v, tag); text != "" {
			d.add(n.Line, field, text)
		}
	}
}

// scalar sets v, or says what is wrong with n.
func scalar(n *yaml.Node, v reflect.Value, tag reflect.StructTag) string {
	must := fmt.Sprintf("%q must be %s", n.Value, allowed(v.Type(), tag))
	switch {
	case v.Type() == duration:
		x, err := time.ParseDuration(n.Value)
		if err != nil || !within(float64(x), tag, func(s string) float64 { l, _ := time.ParseDuration(s); return float64(l) }) {
			return must
		}
		v.SetInt(int64(x))
	case v.Kind() == reflect.String:
		if n.Tag != "!!str" {
			return n.Value + " is not a text; put it in quotes"
		}
		if words := strings.Fields(tag.Get("oneof")); len(words) > 0 && !slices.Contains(words, n.Value) {
			return must
		}
		v.SetString(n.Value)
	case v.Kind() == reflect.Bool:
		if n.Tag != "!!bool" {
			return must
		}
		v.SetBool(n.Value == "true")
	case v.CanInt():
		x, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil || v.OverflowInt(x) || !within(float64(x), tag, parseFloat) {
			return must
		}
		v.SetInt(x)
	case v.CanFloat():
		x, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || !within(x, tag, parseFloat) {
			return must
		}
		v.SetFloat(x)
	default:
		return "cannot be set in a file"
	}
	return ""
}

func parseFloat(s string) float64 { x, _ := strconv.ParseFloat(s, 64); return x }

func within(x float64, tag reflect.StructTag, parse func(string) float64) bool {
	low, hasLow := tag.Lookup("min")
	high, hasHigh := tag.Lookup("max")
	return (!hasLow || x >= parse(low)) && (!hasHigh || x <= parse(high))
}

// allowed says which values a field takes.
func allowed(t reflect.Type, tag reflect.StructTag) string {
	kind := "a whole number"
	switch {
	case t == duration:
		kind = "a duration such as 30s"
	case t.Kind() == reflect.String:
		kind = "a text"
		if words := strings.Fields(tag.Get("oneof")); len(words) > 0 {
			return "one of " + strings.Join(words, ", ")
		}
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		kind = "a number"
	}
	low, hasLow := tag.Lookup("min")
	high, hasHigh := tag.Lookup("max")
	switch {
	case hasLow && hasHigh:
		return fmt.Sprintf("%s from %s to %s", kind, low, high)
	case hasLow:
		return fmt.Sprintf("%s of at least %s", kind, low)
	case hasHigh:
		return fmt.Sprintf("%s of at most %s", kind, high)
	}
	return kind
}

func (d *Document) list(n *yaml.Node, v reflect.Value, field string, tag reflect.StructTag) {
	if n.Kind != yaml.SequenceNode {
		d.add(n.Line, field, "must be a list")
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, list.Index(i), fmt.Sprintf("%s[%d]", field, i), tag)
	}
	v.Set(list)
}

func (d *Document) mapping(n *yaml.Node, v reflect.Value, field string, tag reflect.StructTag) {
	if n.Kind != yaml.MappingNode {
		d.add(n.Line, field, "must be a mapping")
		return
	}
	m := reflect.MakeMap(v.Type())
	d.fields(n, field, func(key, value *yaml.Node) {
		x := reflect.New(v.Type().Elem()).Elem()
		d.value(value, x, join(field, key.Value), tag)
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), x)
	})
	v.Set(m)
}

func (d *Document) structure(n *yaml.Node, v reflect.Value, field string) {
	if n.Kind != yaml.MappingNode {
		d.add(n.Line, field, "must be a mapping of fields")
		return
	}
	d.fields(n, field, func(key, value *yaml.Node) {
		t := v.Type()
		var known []string
		for i := range t.NumField() {
			name := t.Field(i).Tag.Get("yaml")
			if name == "" {
				continue
			}
			if name == key.Value {
				d.value(value, v.Field(i), join(field, name), t.Field(i).Tag)
				return
			}
			known = append(known, name)
		}
		d.add(key.Line, join(field, key.Value), "no such field; there are "+strings.Join(known, ", "))
	})
}

// fields calls f for each field of the mapping.
func (d *Document) fields(m *yaml.Node, field string, f func(key, value *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			d.add(key.Line, field, "a field's name must be a word")
		case seen[key.Value]:
			d.add(key.Line, join(field, key.Value), "is there twice")
		default:
			seen[key.Value] = true
			f(key, m.Content[i+1])
		}
	}
}

func join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}
