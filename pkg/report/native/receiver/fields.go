package receiver

import (
	"reflect"
	"strings"
)

// Fields are the JSON fields of a Go type, by name, each with the fields of its
// type; nil if the type is not a struct.
type fields map[string]fields

// fieldsOf returns the fields of a type, or of a list's element type. No type of the
// protocol contains itself.
func fieldsOf(t reflect.Type) fields {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	f := fields{}
	for _, x := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(x.Tag.Get("json"), ",")
		f[name] = fieldsOf(x.Type)
	}
	return f
}

// unknown counts the fields of a decoded JSON value that are not in f.
func (f fields) unknown(v any) (n int) {
	if f == nil {
		return 0
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			n += f.unknown(item)
		}
	case map[string]any:
		for name, below := range v {
			if of, is := f[name]; is {
				n += of.unknown(below)
			} else {
				n++
			}
		}
	}
	return n
}
