package strictyaml_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/strictyaml"
)

type inner struct {
	Name string        `yaml:"name" oneof:"a b"`
	Wait time.Duration `yaml:"wait" min:"1s" max:"1m"`
}

type outer struct {
	Title string            `yaml:"title"`
	Count int               `yaml:"count" min:"1" max:"9"`
	Share float64           `yaml:"share"`
	On    bool              `yaml:"on"`
	List  []inner           `yaml:"list"`
	Map   map[string]string `yaml:"map"`
	Maybe *inner            `yaml:"maybe"`
}

func TestWhatIsRead(t *testing.T) {
	got := outer{Count: 4}
	d := strictyaml.Decode("f", []byte("title: x\nshare: 0.5\non: true\nlist: [{name: a, wait: 2s}]\nmap: {k: v}\nmaybe: {name: b}\n"), &got)
	if err := d.Report(); err != nil {
		t.Fatal(err)
	}
	want := outer{Title: "x", Count: 4, Share: 0.5, On: true, List: []inner{{"a", 2 * time.Second}}, Map: map[string]string{"k": "v"},
		Maybe: &inner{Name: "b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each mistake is one line with its position and the allowed values, and does not
// hide others.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"titel: x", "f:1: titel: unknown field; valid are title, count, share, on, list, map, maybe"},
		{"title: 7", "f:1: title: 7 is not a string; put it in quotes"},
		{"count: 10", `f:1: count: "10" is not allowed: must be a whole number from 1 to 9`},
		{"count: many\nshare: x", "f:1: count: \"many\" is not allowed: must be a whole number from 1 to 9\nf:2: share: \"x\" is not allowed: must be a number"},
		{"on: perhaps", `f:1: on: "perhaps" is not allowed: must be true or false`},
		{"list:\n  - name: c\n    wait: 2m",
			"f:2: list[0].name: \"c\" is not allowed: must be one of a, b\nf:3: list[0].wait: \"2m\" is not allowed: must be a duration from 1s to 1m"},
		{"list: x", "f:1: list: must be a list"},
		{"map: [x]", "f:1: map: must be a mapping of strings to strings"},
		{"[x]", "f:1: must be a mapping of fields"},
		{"title: [x]", "f:1: title: must be a text"},
		{"title: x\ntitle: y", "f:2: title: is there twice"},
		{"title: &a x\nmap: {k: *a}", "f:2: map.k: aliases are not allowed"},
		{"title: x\n---\ntitle: y", "f:2: the file has a second document; only one is allowed"},
		{"title: \"x", "f:1: found unexpected end of stream"},
	} {
		d := strictyaml.Decode("f", []byte(c.file), &outer{})
		err := d.Report()
		if err == nil || err.Error() != c.want {
			t.Errorf("%q:\n%v\nwant\n%s", c.file, err, c.want)
		}
	}
}

// A mistake in a field that is not in the file is reported at the line where it
// should be.
func TestWrongNamesTheNearestLine(t *testing.T) {
	d := strictyaml.Decode("f", []byte("title: x\nlist:\n  - wait: 2s\n"), &outer{})
	d.Wrong("list[0].name", "must not be empty")
	if got, want := d.Report().Error(), "f:3: list[0].name: must not be empty"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("title: x\nlist: [{name: a}]")
	f.Add("a: &a [*a, *a]")
	f.Fuzz(func(t *testing.T, text string) {
		var v outer
		err := strictyaml.Decode("f", []byte(text), &v).Report()
		if err == nil {
			return
		}
		for line := range strings.Lines(err.Error()) {
			if !strings.HasPrefix(line, "f:") {
				t.Errorf("a mistake without a place: %q", line)
			}
		}
	})
}
