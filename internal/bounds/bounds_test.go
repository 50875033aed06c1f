package bounds_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/bounds"
)

type word string

// Set accepts only values within the bounds. The error for any other value names it and
// the allowed values.
func TestSet(t *testing.T) {
	for _, c := range []struct {
		of   any // a value of the type to parse
		tag  reflect.StructTag
		text string
		want string // the value as Text spells it, or the error
	}{
		{time.Second, `min:"1s" max:"1h"`, "90s", "1m30s"},
		{time.Second, `min:"1s" max:"1h"`, "1h", "1h"},
		{time.Second, `min:"1s" max:"1h"`, "1h0m1s", `"1h0m1s" is not allowed: must be a duration from 1s to 1h`},
		{time.Second, "", "5", `"5" is not allowed: must be a duration such as 90s or 5m`},
		{1, `min:"1"`, "0", `"0" is not allowed: must be a whole number of at least 1`},
		{int64(1), `max:"9"`, "9", "9"},
		{int8(1), "", "300", `"300" is not allowed: must be a whole number`},
		{0.5, `min:"0.5" max:"1"`, "0.75", "0.75"},
		{0.5, "", "NaN", `"NaN" is not allowed: must be a number`},
		{0.5, "", "1e999", `"1e999" is not allowed: must be a number`},
		{true, "", "false", "false"},
		{true, "", "True", `"True" is not allowed: must be true or false`},
		{"", "", "anything", "anything"},
		{word(""), `oneof:"a b"`, "b", "b"},
		{word(""), `oneof:"a b"`, "c", `"c" is not allowed: must be one of a, b`},
		{uint(1), "", "1", `"1" is not allowed: must be a whole number`},
	} {
		v := reflect.New(reflect.TypeOf(c.of)).Elem()
		var got string
		if err := bounds.Set(v, c.tag, c.text); err != nil {
			got = err.Error()
			if !v.IsZero() {
				t.Errorf("%v: %s: an error, and %v is set", v.Type(), c.text, v)
			}
		} else {
			got = bounds.Text(v)
		}
		if got != c.want {
			t.Errorf("%v: %s: got %s, want %s", v.Type(), c.text, got, c.want)
		}
	}
}

func TestNoBoundsHoldsNaN(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if bounds.Within(reflect.ValueOf(x), "") {
			t.Errorf("%v is within", x)
		}
	}
}

func TestTextOfDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", time.Minute: "1m", time.Hour: "1h", 61 * time.Minute: "1h1m",
		time.Hour + time.Second: "1h0m1s", 10 * time.Minute: "10m", 100 * time.Millisecond: "100ms", 20 * time.Hour: "20h",
	} {
		got := bounds.Text(reflect.ValueOf(d))
		if back, err := time.ParseDuration(got); got != want || err != nil || back != d {
			t.Errorf("%s: got %q, want %q, which reads as %s", d, got, want, back)
		}
	}
}
