// Package strictyaml decodes YAML files strictly: unknown fields are errors, and every
// error has the file, the line and the allowed values.
package strictyaml

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/nodewatch/nodewatch/internal/bounds"
)

// MaxErrors is the maximum number of errors reported for one file.
const MaxErrors = 100

// An Error is one mistake.
type Error struct {
	File  string
	Line  int    // line number, from 1; 0: the file as a whole
	Field string // such as groups[0].name; empty: the file as a whole
	Text  string
}

func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place += fmt.Sprintf(":%d", e.Line)
	}
	if e.Field != "" {
		place += ": " + e.Field
	}
	return place + ": " + e.Text
}

// Errors are the mistakes in one file, in the order of the file, one line each.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// A Document is a decoded file with the positions of its fields.
type Document struct {
	file  string
	lines map[string]int // by field
	errs  Errors
}

// Decode decodes raw into the struct that v points to. Fields have the tag yaml, and the
// tags of package bounds. Fields that the file does not set, or sets to null, are not
// changed. Report returns the mistakes.
func Decode(file string, raw []byte, v any) *Document {
	d, root := Parse(file, raw)
	root.Decode(v)
	return d
}

// Parse parses raw and returns the root of the file, to be decoded.
func Parse(file string, raw []byte) (*Document, *Section) {
	d := &Document{file: file, lines: map[string]int{}}
	root := &Section{doc: d}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return d, root
	} else if err != nil {
		d.syntax(err)
		return d, root
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		d.add(more.Line, "", "the file has a second document; only one is allowed")
		return d, root
	}
	root.node = doc.Content[0]
	return d, root
}

// Wrong adds a mistake in a decoded field. A mistake in a field that is not in the
// file gets the line of its parent.
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

// yamlLine extracts the line from an error of the YAML parser.
var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

func (d *Document) syntax(err error) {
	text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1])
		d.add(line, "", m[2])
		return
	}
	d.add(1, "", text) // the parser omits the number of the first line
}

var part = reflect.TypeFor[Part]()

// value decodes n into v. tag is the struct tag of v's field.
func (d *Document) value(n *yaml.Node, v reflect.Value, field string, tag reflect.StructTag) {
	d.lines[field] = n.Line
	switch {
	case n.Kind == yaml.AliasNode:
		d.add(n.Line, field, "aliases are not allowed")
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null": // not set
	case v.Type() == part:
		d.part(n, v, field)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), field, tag)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, field, nil)
	case v.Kind() == reflect.Slice:
		d.list(n, v, field, tag)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, field, tag)
	case n.Kind != yaml.ScalarNode:
		d.add(n.Line, field, "must be "+bounds.Allowed(v.Type(), tag))
	case v.Kind() == reflect.String && n.Tag != "!!str":
		d.add(n.Line, field, n.Value+" is not a string; put it in quotes")
	default:
		if err := bounds.Set(v, tag, n.Value); err != nil {
			d.add(n.Line, field, err.Error())
		}
	}
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
		what := "a mapping"
		if v.Type().Elem().Kind() == reflect.String {
			what = "a mapping of strings to strings"
		}
		d.add(n.Line, field, "must be "+what)
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

// structure decodes a mapping. further are the names of fields that were taken out of
// it.
func (d *Document) structure(n *yaml.Node, v reflect.Value, field string, further []string) {
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
		d.add(key.Line, join(field, key.Value), "unknown field; valid are "+strings.Join(append(known, further...), ", "))
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
