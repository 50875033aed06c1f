package rule

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A Limit is one threshold of a rule, as its struct tags declare it:
//
//	Share float64 `json:"share" doc:"what it is" min:"0.5" max:"1"`
//
// Its type is time.Duration, float64, int or bool.
type Limit struct {
	Name    string // json
	Doc     string // doc
	Value   string // as it is set now, in the spelling SetLimit takes
	Allowed string // type, range and unit, for people
	Min     string // min; empty: none
	Max     string // max; empty: none
}

// Limits returns the thresholds of a rule, in the order they are declared.
func Limits(r Rule) []Limit {
	v := limitsOf(r.Limits)
	if !v.IsValid() {
		return nil
	}
	list := make([]Limit, 0, v.NumField())
	for i := range v.NumField() {
		f := v.Type().Field(i)
		list = append(list, Limit{
			Name: f.Tag.Get("json"), Doc: f.Tag.Get("doc"), Value: spelled(v.Field(i)),
			Allowed: Allowed(f.Type, f.Tag), Min: f.Tag.Get("min"), Max: f.Tag.Get("max"),
		})
	}
	return list
}

// limitsOf is the struct of thresholds; the zero Value if the rule has none.
func limitsOf(limits any) reflect.Value {
	v := reflect.ValueOf(limits)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.Elem()
}

// SetLimit sets the named threshold of a rule from its text: 90s, 0.9, 3, true.
// What is not allowed changes nothing; the error says what is.
func SetLimit(r *Rule, name, text string) error {
	v := limitsOf(r.Limits)
	if !v.IsValid() || v.NumField() == 0 {
		return errors.New("unknown threshold: this rule has none and can only be switched off")
	}
	var known []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("json") == name {
			return SetValue(v.Field(i), f.Tag, text)
		}
		known = append(known, f.Tag.Get("json"))
	}
	return fmt.Errorf("no such threshold; there are %s, and off", strings.Join(known, ", "))
}

// SetValue sets v, a settable time.Duration, float64, int or bool, from its text,
// if that is within the tag's min and max. The error says what is allowed.
func SetValue(v reflect.Value, tag reflect.StructTag, text string) error {
	n, err := parsed(v.Type(), text)
	if err == nil {
		err = within(n, tag)
	}
	if err != nil {
		return fmt.Errorf("%q is not allowed: must be %s", text, Allowed(v.Type(), tag))
	}
	v.Set(n)
	return nil
}

// CheckLimits returns an error naming the first threshold that is outside of what
// its tags allow, however it came to be set; nil if none is. limits is a Rule's Limits.
func CheckLimits(limits any) error {
	v := limitsOf(limits)
	for i := 0; v.IsValid() && i < v.NumField(); i++ {
		f := v.Type().Field(i)
		if err := within(v.Field(i), f.Tag); err != nil {
			return fmt.Errorf("%s: %s is not allowed: must be %s", f.Tag.Get("json"), spelled(v.Field(i)), Allowed(f.Type, f.Tag))
		}
	}
	return nil
}

// Allowed says for people what a value of type t with the tag's min and max may
// be: "a duration from 10s to 10m".
func Allowed(t reflect.Type, tag reflect.StructTag) string {
	var what string
	switch {
	case t == duration:
		what = "a duration"
	case t.Kind() == reflect.Float64:
		what = "a number"
	case t.Kind() == reflect.Int:
		what = "a whole number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	default:
		return "a " + t.String()
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

var duration = reflect.TypeFor[time.Duration]()

// parsed reads a value of type t.
func parsed(t reflect.Type, text string) (reflect.Value, error) {
	switch {
	case t == duration:
		d, err := time.ParseDuration(text)
		return reflect.ValueOf(d), err
	case t.Kind() == reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			err = strconv.ErrRange
		}
		return reflect.ValueOf(f).Convert(t), err
	case t.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		return reflect.ValueOf(n).Convert(t), err
	case t.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return reflect.Value{}, strconv.ErrSyntax
		}
		return reflect.ValueOf(text == "true").Convert(t), nil
	}
	return reflect.Value{}, fmt.Errorf("a threshold cannot be a %s", t)
}

// within returns an error if the value is outside of the tag's min and max.
func within(v reflect.Value, tag reflect.StructTag) error {
	if v.Kind() == reflect.Bool {
		return nil
	}
	for name, wrong := range map[string]int{"min": -1, "max": 1} {
		text := tag.Get(name)
		if text == "" {
			continue
		}
		bound, err := parsed(v.Type(), text)
		if err != nil {
			return err
		}
		if compared(v, bound) == wrong {
			return strconv.ErrRange
		}
	}
	return nil
}

// compared compares two numbers of one type. NaN is less than any.
func compared(a, b reflect.Value) int {
	if a.CanInt() {
		return cmp.Compare(a.Int(), b.Int())
	}
	return cmp.Compare(a.Float(), b.Float())
}

// spelled is a value in the spelling SetValue takes.
func spelled(v reflect.Value) string {
	if v.Type() == duration {
		return spelledDuration(time.Duration(v.Int()))
	}
	return fmt.Sprint(v.Interface())
}

// spelledDuration leaves out the parts that are zero: 5m, not 5m0s.
func spelledDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
