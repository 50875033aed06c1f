package strictyaml

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// A Section is the value of one field of a file, or its root, to be decoded in parts.
// This is needed if the type of one part depends on another, or if names are only known
// when the file is read. Mistakes are added to its Document.
type Section struct {
	doc   *Document
	node  *yaml.Node // nil: not in the file
	field string
	taken []string // names of fields that Take took out
}

// In reports whether the section is in the file, even as null.
func (s *Section) In() bool { return s.node != nil }

// Wrong adds a mistake in the section, or in the named field below it.
func (s *Section) Wrong(field, format string, args ...any) {
	if field != "" {
		field = join(s.field, field)
	} else {
		field = s.field
	}
	s.doc.Wrong(field, format, args...)
}

// Take removes the named field from the mapping and returns it: Decode then treats it
// as decoded elsewhere. A value that is not a mapping has no fields.
func (s *Section) Take(name string) *Section {
	s.taken = append(s.taken, name)
	one := &Section{doc: s.doc, field: join(s.field, name)}
	if s.node == nil || s.node.Kind != yaml.MappingNode {
		return one
	}
	for i := 0; i+1 < len(s.node.Content); {
		key, value := s.node.Content[i], s.node.Content[i+1]
		switch {
		case key.Value != name:
			i += 2
			continue
		case one.node != nil:
			s.doc.add(key.Line, one.field, "is there twice")
		default:
			one.node = value
			s.doc.lines[one.field] = value.Line
		}
		s.node.Content = append(s.node.Content[:i:i], s.node.Content[i+2:]...)
	}
	return one
}

// Decode decodes the section in the same way as Decode decodes a file, and reports
// whether it found no mistake.
func (s *Section) Decode(v any) bool {
	if s.node == nil {
		return len(s.doc.errs) == 0
	}
	before, to := len(s.doc.errs), reflect.ValueOf(v).Elem()
	if len(s.taken) > 0 && s.node.Kind != yaml.AliasNode && s.node.Tag != "!!null" {
		s.doc.lines[s.field] = s.node.Line
		s.doc.structure(s.node, to, s.field, s.taken)
	} else {
		s.doc.value(s.node, to, s.field, "")
	}
	return len(s.doc.errs) == before
}

// Mapping reports whether the section is a mapping; if not, unless it is null or not in
// the file, that is a mistake. of describes what it maps.
func (s *Section) Mapping(of string) bool { return s.is(yaml.MappingNode, "a mapping of "+of) }

func (s *Section) is(kind yaml.Kind, what string) bool {
	switch {
	case s.node == nil || s.node.Tag == "!!null":
		return false
	case s.node.Kind == yaml.AliasNode:
		s.Wrong("", "aliases are not allowed")
		return false
	case s.node.Kind != kind:
		s.Wrong("", "must be %s", what)
		return false
	}
	return true
}

// Each calls f for each field of the mapping; of has the same meaning as in Mapping.
func (s *Section) Each(of string, f func(name string, one *Section)) {
	if !s.Mapping(of) {
		return
	}
	s.doc.fields(s.node, s.field, func(key, value *yaml.Node) {
		one := &Section{doc: s.doc, node: value, field: join(s.field, key.Value)}
		s.doc.lines[one.field] = key.Line
		f(key.Value, one)
	})
}

// Items returns the items of the list.
func (s *Section) Items() []*Section {
	if !s.is(yaml.SequenceNode, "a list") {
		return nil
	}
	var list []*Section
	for i, item := range s.node.Content {
		one := &Section{doc: s.doc, node: item, field: fmt.Sprintf("%s[%d]", s.field, i)}
		s.doc.lines[one.field] = item.Line
		list = append(list, one)
	}
	return list
}

// Text returns the scalar value of the section as written in the file; a list or
// mapping is a mistake.
func (s *Section) Text() (text string, ok bool) {
	if !s.is(yaml.ScalarNode, "a single value") {
		return "", false
	}
	return s.node.Value, true
}
