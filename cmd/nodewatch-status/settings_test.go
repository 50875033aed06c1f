package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/strictyaml"
)

// A setting is a field of the configuration file.
type setting struct {
	field string // such as page.title; [] is an entry of a list
	text  string // its description
	value string // its default; empty: none
	allow string // what is allowed; empty: see the text
}

func (s setting) sentence() string {
	text := strings.ToUpper(s.text[:1]) + strings.TrimSuffix(s.text[1:], ".") + "."
	if s.allow != "" {
		text += " Allowed: " + s.allow + "."
	}
	if s.value != "" {
		text += " Default: " + s.value + "."
	}
	return text
}

// comments returns the trailing comments of the fields of all structs of the
// configuration's package, by TYPE.FIELD: they are its documentation.
func comments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../internal/status/config/*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, is := n.(*ast.TypeSpec)
			if !is {
				return true
			}
			fields, is := spec.Type.(*ast.StructType)
			if !is {
				return true
			}
			for _, f := range fields.Fields.List {
				for _, name := range f.Names {
					all[spec.Name.Name+"."+name.Name] = strings.TrimSpace(strings.Join(strings.Fields(f.Comment.Text()), " "))
				}
			}
			return true
		})
	}
	return all
}

// settings returns all fields with a value, in the order of the structs.
func settings(t *testing.T) (list []setting) {
	t.Helper()
	texts := comments(t)
	duration := reflect.TypeFor[time.Duration]()
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if name == "" || name == "-" {
				continue
			}
			value, kind := v.Field(i), f.Type
			if kind.Kind() == reflect.Pointer {
				kind, value = kind.Elem(), reflect.Zero(kind.Elem())
			}
			switch {
			case kind.Kind() == reflect.Struct:
				walk(prefix+name+".", value)
				continue
			case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct:
				walk(prefix+name+"[].", reflect.Zero(kind.Elem()))
				continue
			case kind.Kind() == reflect.Map && kind.Elem().Kind() == reflect.Struct && kind.Elem() != reflect.TypeFor[strictyaml.Part]():
				walk(prefix+name+".NAME.", reflect.Zero(kind.Elem()))
				continue
			}
			s := setting{field: prefix + name, text: texts[v.Type().Name()+"."+f.Name]}
			if s.text == "" {
				t.Errorf("%s.%s has no comment behind it, which documents %s", v.Type().Name(), f.Name, s.field)
				s.text = "not documented"
			}
			if !value.IsZero() {
				s.value = fmt.Sprint(value.Interface())
			}
			low, high := f.Tag.Get("min"), f.Tag.Get("max")
			switch {
			case f.Tag.Get("oneof") != "":
				s.allow = strings.Join(strings.Fields(f.Tag.Get("oneof")), ", ")
			case low != "" && high != "":
				s.allow = low + " to " + high
			case low != "":
				s.allow = low + " and more"
			case kind == duration:
				s.allow = "a duration such as 30s"
			}
			list = append(list, s)
		}
	}
	walk("", reflect.ValueOf(config.Default()))
	if !slices.ContainsFunc(list, func(s setting) bool { return s.field == "groups[].components[].id" }) {
		t.Error("the lists are not in it")
	}
	return list
}

// settingsPage returns docs/status-configuration.md.
func settingsPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# Configuration of nodewatch-status\n\n<!-- generated: change internal/status/config, then run \"make docs\" -->\n\n" +
		"`[]` is an entry of a list. [status-backend.md](status-backend.md) explains which settings belong together, and has examples.\n\n" +
		"| field | default | description |\n|---|---|---|\n")
	cell := strings.NewReplacer("|", "\\|")
	for _, s := range settings(t) {
		value := "none"
		if s.value != "" {
			value = "`" + s.value + "`"
		}
		text := s.text
		if s.allow != "" {
			text += "; " + s.allow
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.field, cell.Replace(value), cell.Replace(text))
	}
	return b.String()
}
