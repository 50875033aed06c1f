package rule

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/bounds"
)

type testLimits struct {
	Window time.Duration `json:"window" doc:"a time" min:"10s" max:"1h"`
	Share  float64       `json:"share" doc:"a part" min:"0.5" max:"1"`
	Count  int           `json:"count" doc:"a number" min:"1" max:"100"`
	Strict bool          `json:"strict" doc:"a switch"`
}

func testRule() (Rule, *testLimits) {
	l := &testLimits{Window: 5 * time.Minute, Share: 0.9, Count: 3}
	return Rule{ID: "t", Limits: l}, l
}

func TestLimitsAreListed(t *testing.T) {
	r, _ := testRule()
	want := []Limit{
		{Name: "window", Doc: "a time", Value: "5m", Allowed: "a duration from 10s to 1h", Min: "10s", Max: "1h"},
		{Name: "share", Doc: "a part", Value: "0.9", Allowed: "a number from 0.5 to 1", Min: "0.5", Max: "1"},
		{Name: "count", Doc: "a number", Value: "3", Allowed: "a whole number from 1 to 100", Min: "1", Max: "100"},
		{Name: "strict", Doc: "a switch", Value: "false", Allowed: "true or false"},
	}
	if diff := cmp.Diff(want, Limits(r)); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if got := Limits(Rule{}); got != nil {
		t.Errorf("got %v of a rule without thresholds, want none", got)
	}
}

func TestSetLimit(t *testing.T) {
	for _, c := range []struct{ name, text, err string }{
		{"window", "90s", ""}, {"window", "10s", ""}, {"window", "1h", ""},
		{"window", "9.999s", `"9.999s" is not allowed: must be a duration from 10s to 1h`},
		{"window", "1h0m1s", `"1h0m1s" is not allowed: must be a duration from 10s to 1h`},
		{"window", "90", `"90" is not allowed: must be a duration from 10s to 1h`},
		{"window", "", `"" is not allowed: must be a duration from 10s to 1h`},
		{"share", "0.5", ""}, {"share", "1", ""},
		{"share", "0.49", `"0.49" is not allowed: must be a number from 0.5 to 1`},
		{"share", "1.01", `"1.01" is not allowed: must be a number from 0.5 to 1`},
		{"share", "NaN", `"NaN" is not allowed: must be a number from 0.5 to 1`},
		{"share", "+Inf", `"+Inf" is not allowed: must be a number from 0.5 to 1`},
		{"share", "90%", `"90%" is not allowed: must be a number from 0.5 to 1`},
		{"count", "1", ""}, {"count", "100", ""},
		{"count", "0", `"0" is not allowed: must be a whole number from 1 to 100`},
		{"count", "101", `"101" is not allowed: must be a whole number from 1 to 100`},
		{"count", "2.5", `"2.5" is not allowed: must be a whole number from 1 to 100`},
		{"count", "99999999999999999999", `"99999999999999999999" is not allowed: must be a whole number from 1 to 100`},
		{"strict", "true", ""}, {"strict", "false", ""},
		{"strict", "yes", `"yes" is not allowed: must be true or false`},
		{"shares", "0.9", "unknown threshold; valid are window, share, count, strict and off"},
	} {
		r, l := testRule()
		before := *l
		got := ""
		if err := SetLimit(&r, c.name, c.text); err != nil {
			got = err.Error()
		}
		if got != c.err {
			t.Errorf("%s: %s: got error %q, want %q", c.name, c.text, got, c.err)
		}
		if changed := *l != before; got != "" && changed {
			t.Errorf("%s: %s: an error changed the thresholds to %+v", c.name, c.text, *l)
		}
		if got == "" && !strings.HasPrefix(Limits(r)[map[string]int{"window": 0, "share": 1, "count": 2, "strict": 3}[c.name]].Value,
			strings.TrimSuffix(spelledText(c.text), "0")) {
			t.Errorf("%s: %s: got %+v", c.name, c.text, *l)
		}
	}
	if err := SetLimit(&Rule{}, "window", "1s"); err == nil || !strings.Contains(err.Error(), "can only be switched off") {
		t.Errorf("got %v of a rule without thresholds", err)
	}
}

// spelledText spells a duration as Limits does and returns other text unchanged.

func spelledText(text string) string {
	if d, err := time.ParseDuration(text); err == nil {
		return bounds.Text(reflect.ValueOf(d))
	}
	return text
}

func TestCheckLimits(t *testing.T) {
	_, l := testRule()
	if err := CheckLimits(l); err != nil {
		t.Errorf("got %v, want the defaults allowed", err)
	}
	for _, c := range []struct {
		change func(*testLimits)
		want   string
	}{
		{func(l *testLimits) { l.Window = 0 }, "window: 0s is not allowed: must be a duration from 10s to 1h"},
		{func(l *testLimits) { l.Share = math.NaN() }, "share: NaN is not allowed: must be a number from 0.5 to 1"},
		{func(l *testLimits) { l.Share = math.Inf(1) }, "share: +Inf is not allowed: must be a number from 0.5 to 1"},
		{func(l *testLimits) { l.Count = -1 }, "count: -1 is not allowed: must be a whole number from 1 to 100"},
	} {
		_, l := testRule()
		c.change(l)
		if err := CheckLimits(l); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if err := CheckLimits(nil); err != nil {
		t.Errorf("got %v of no thresholds", err)
	}
}

// Every threshold of every rule has a description, and its default is allowed.

// Settings contain the changed thresholds, and those from a tape are checked like
// those from a file.

// FuzzSetLimit: CheckLimits accepts every value that SetLimit accepts, and SetLimit
// parses its spelling to the same value again.
func FuzzSetLimit(f *testing.F) {
	for _, text := range []string{"90s", "0.9", "3", "true", "-1", "1e308", "NaN", "0x10", "1h1h", "٣", ""} {
		for i := range uint8(4) {
			f.Add(i, text)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		r, l := testRule()
		name := []string{"window", "share", "count", "strict"}[which%4]
		if SetLimit(&r, name, text) != nil {
			return
		}
		if err := CheckLimits(l); err != nil {
			t.Fatalf("%s: %q was taken, but %v", name, text, err)
		}
		set := *l
		for _, each := range Limits(r) {
			if err := SetLimit(&r, each.Name, each.Value); err != nil {
				t.Fatalf("%s: its own spelling %q: %v", each.Name, each.Value, err)
			}
		}
		if *l != set {
			t.Fatalf("%s: %q became %+v, and by its own spelling %+v", name, text, set, *l)
		}
	})
}
