package strictyaml_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/strictyaml"
)

// The content of a section is decoded separately from its file, and every mistake is
// still reported at its line.
func TestSections(t *testing.T) {
	type kind struct {
		Title string `yaml:"title"`
		Level string `yaml:"level" oneof:"low high"`
	}
	for _, c := range []struct{ file, want string }{
		{"", ""},
		{"title: x\nlist:\n  - {one: {count: 3}}\nwords: {a: 1, b: 2}", "one 3; a=1 b=2"},
		{"list:\nwords: ~\ntitle: ~", "; "},
		{"titel: x", "f:1: titel: unknown field; valid are title, level, list, words"},
		{"title: x\nlist: y\nwords: [z]", "f:2: list: must be a list\nf:3: words: must be a mapping of numbers"},
		{"list:\n  - one: {count: 0}\n  - two: {}\n  - x\n  -\n",
			"f:2: list[0].one.count: \"0\" is not allowed: must be a whole number from 1 to 9\nf:3: list[1]: has no one\nf:3: list[1].two: unknown field; valid are title, level, one\nf:4: list[2]: has no one\nf:4: list[2]: must be a mapping of fields\nf:5: list[3]: has no one"},
		{"list:\n  - one: {}\n    level: mid\n    one: {}",
			"f:3: list[0].level: \"mid\" is not allowed: must be one of low, high\nf:4: list[0].one: is there twice"},
		{"list: [{one: &a {}}, *a, {one: *a}]\nwords: *a",
			"f:1: list[1]: has no one\nf:1: list[1]: aliases are not allowed\nf:1: list[2].one: aliases are not allowed\nf:2: words: aliases are not allowed"},
		{"words:\n  a: 1\n  a: 2\n  b: []\n  ? [c]\n  : 4",
			"f:3: words.a: is there twice\nf:4: words.b: must be a single value\nf:5: words: a field's name must be a word"},
		{"[list]", "f:1: must be a mapping of fields"},
		{"&a {list: [*a]}", "f:1: list[0]: has no one\nf:1: list[0]: aliases are not allowed"},
	} {
		d, root := strictyaml.Parse("f", []byte(c.file))
		list, words := root.Take("list"), root.Take("words")
		root.Decode(&kind{})
		got := ""
		for _, item := range list.Items() {
			one := item.Take("one")
			if !one.In() {
				item.Wrong("", "has no one")
			}
			var v outer
			if item.Decode(&kind{}) && one.Decode(&v) && one.In() {
				got += "one " + string(rune('0'+v.Count))
			}
		}
		got += "; "
		words.Each("numbers", func(name string, value *strictyaml.Section) {
			if text, ok := value.Text(); ok {
				got += name + "=" + text + " "
			}
		})
		if err := d.Report(); err != nil {
			got = err.Error()
		} else if got != "; " {
			got = got[:len(got)-1]
		}
		if c.file == "" {
			c.want = "; "
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.file, diff)
		}
	}
}
