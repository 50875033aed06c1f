// Package bounds parses, checks and describes values by the struct tags of their
// fields: min and max of numbers and durations, and oneof of texts, the allowed words.
package bounds

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

var duration = reflect.TypeFor[time.Duration]()

// Set sets v, a settable duration, number, bool or string, from its text if the tag
// allows it. The error names the allowed values and leaves v unchanged.
func Set(v reflect.Value, tag reflect.StructTag, text string) error {
	x, err := parsed(v.Type(), text)
	if err != nil || !Within(x, tag) {
		return fmt.Errorf("%q is not allowed: must be %s", text, Allowed(v.Type(), tag))
	}
	v.Set(x)
	return nil
}

// Within reports whether the tag allows the value.
func Within(v reflect.Value, tag reflect.StructTag) bool {
	switch {
	case v.Kind() == reflect.String:
		words := strings.Fields(tag.Get("oneof"))
		return len(words) == 0 || slices.Contains(words, v.String())
	case v.Kind() == reflect.Bool:
		return true
	case v.CanFloat() && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)):
		return false
	}
	for name, wrong := range map[string]int{"min": -1, "max": 1} {
		text := tag.Get(name)
		if text == "" {
			continue
		}
		if bound, err := parsed(v.Type(), text); err != nil || compared(v, bound) == wrong {
			return false
		}
	}
	return true
}

// Allowed describes the values of a field of type t: "a duration from 10s to 10m".
func Allowed(t reflect.Type, tag reflect.StructTag) string {
	var what string
	switch t.Kind() {
	case reflect.String:
		if words := strings.Fields(tag.Get("oneof")); len(words) > 0 {
			return "one of " + strings.Join(words, ", ")
		}
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64, reflect.Float32:
		what = "a number"
	default:
		what = "a whole number"
	}
	if t == duration {
		what = "a duration"
	}
	low, high := tag.Get("min"), tag.Get("max")
	switch {
	case low != "" && high != "":
		what += " from " + low + " to " + high
	case low != "":
		what += " of at least " + low
	case high != "":
		what += " of at most " + high
	case t == duration:
		what += " such as 90s or 5m"
	}
	return what
}

// Text formats a value in the spelling that Set accepts. Durations have no zero parts:
// 5m, not 5m0s.
func Text(v reflect.Value) string {
	if v.Type() != duration {
		return fmt.Sprint(v.Interface())
	}
	s := time.Duration(v.Int()).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parsed parses a value of type t.
func parsed(t reflect.Type, text string) (reflect.Value, error) {
	v := reflect.New(t).Elem()
	var err error
	switch {
	case t == duration:
		var d time.Duration
		d, err = time.ParseDuration(text)
		v.SetInt(int64(d))
	case t.Kind() == reflect.String:
		v.SetString(text)
	case t.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return v, strconv.ErrSyntax
		}
		v.SetBool(text == "true")
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(text, 10, t.Bits())
		v.SetInt(n)
	case v.CanFloat():
		var f float64
		f, err = strconv.ParseFloat(text, t.Bits())
		v.SetFloat(f)
	default:
		return v, fmt.Errorf("a %s cannot be set from a text", t)
	}
	return v, err
}

// compared compares two numbers of one type.
func compared(a, b reflect.Value) int {
	if a.CanInt() {
		return cmp.Compare(a.Int(), b.Int())
	}
	return cmp.Compare(a.Float(), b.Float())
}
