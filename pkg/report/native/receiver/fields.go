package receiver

import (
	"reflect"
	"strings"
)

// Fields are those that a Go type has in JSON, by name, each with the fields of its own
// type; nil: the type is no struct.
type fields map[string]fields

// fieldsOf are the fields of a type, or of what it is a list of. No type of the protocol
// holds itself.
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

// unknown counts the fields of a decoded JSON value that are not among these.
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
