package rule

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/nodewatch/nodewatch/internal/bounds"
)

// A Limit is one threshold of a rule, declared by struct tags:
//
//	Share float64 `json:"share" doc:"what it is" min:"0.5" max:"1"`
//
// Its type is time.Duration, float64, int or bool.
type Limit struct {
	Name    string // from the tag json
	Doc     string // from the tag doc
	Value   string // the current value, in the spelling SetLimit accepts
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
			Name: f.Tag.Get("json"), Doc: f.Tag.Get("doc"), Value: bounds.Text(v.Field(i)),
			Allowed: bounds.Allowed(f.Type, f.Tag), Min: f.Tag.Get("min"), Max: f.Tag.Get("max"),
		})
	}
	return list
}

// limitsOf returns the struct of thresholds, or the zero Value if the rule has none.
func limitsOf(limits any) reflect.Value {
	v := reflect.ValueOf(limits)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.Elem()
}

// SetLimit sets the named threshold of a rule from its text: 90s, 0.9, 3, true. A
// value that is not allowed changes nothing; the error describes the allowed values.
func SetLimit(r *Rule, name, text string) error {
	v := limitsOf(r.Limits)
	if !v.IsValid() || v.NumField() == 0 {
		return errors.New("unknown threshold: this rule has none and can only be switched off")
	}
	var known []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("json") == name {
			return bounds.Set(v.Field(i), f.Tag, text)
		}
		known = append(known, f.Tag.Get("json"))
	}
	return fmt.Errorf("unknown threshold; valid are %s and off", strings.Join(known, ", "))
}

// CheckLimits returns an error that names the first threshold outside the range of its
// tags, regardless of how it was set; nil if there is none. limits is a Rule's Limits.
func CheckLimits(limits any) error {
	v := limitsOf(limits)
	for i := 0; v.IsValid() && i < v.NumField(); i++ {
		f := v.Type().Field(i)
		if !bounds.Within(v.Field(i), f.Tag) {
			return fmt.Errorf("%s: %s is not allowed: must be %s", f.Tag.Get("json"), bounds.Text(v.Field(i)),
				bounds.Allowed(f.Type, f.Tag))
		}
	}
	return nil
}
