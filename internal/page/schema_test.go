package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A schema is the part of JSON Schema 2020-12 that docs/report.schema.json uses.
// Strict decoding ensures that it uses no more.
type schema struct {
	Schema      string             `json:"$schema"`
	ID          string             `json:"$id"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Ref         string             `json:"$ref"`
	Type        string             `json:"type"`
	Format      string             `json:"format"`
	Enum        []string           `json:"enum"`
	Minimum     *float64           `json:"minimum"`
	Required    []string           `json:"required"`
	Properties  map[string]*schema `json:"properties"`
	Additional  *further           `json:"additionalProperties"`
	Items       *schema            `json:"items"`
	Defs        map[string]*schema `json:"$defs"`
}

// A further describes the properties that an object may have in addition to the named
// ones: none, any, or those of a schema.
type further struct {
	any bool
	of  *schema
}

func (f *further) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &f.any) == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(&f.of)
}

func readSchema(t *testing.T) *schema { return readSchemaOf(t, "report") }

func readSchemaOf(t *testing.T, name string) *schema {
	t.Helper()
	raw, err := os.ReadFile("../../docs/" + name + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var s schema
	if err := d.Decode(&s); err != nil {
		t.Fatalf("the schema uses more than this checker knows: %v", err)
	}
	return &s
}

// at resolves a reference within the root.
func (root *schema) at(s *schema) *schema {
	if s.Ref == "#" {
		return root
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		return root.Defs[name]
	}
	return s
}

// check returns every deviation of the value from the schema.
func (root *schema) check(s *schema, value any, path string) []string {
	s = root.at(s)
	wrong := func(format string, args ...any) []string {
		return []string{path + ": " + fmt.Sprintf(format, args...)}
	}
	switch v := value.(type) {
	case map[string]any:
		if s.Type != "object" {
			return wrong("an object, want %s", s.Type)
		}
		return root.checkObject(s, v, path)
	case []any:
		if s.Type != "array" {
			return wrong("an array, want %s", s.Type)
		}
		var all []string
		for i, item := range v {
			all = append(all, root.check(s.Items, item, fmt.Sprintf("%s[%d]", path, i))...)
		}
		return all
	case string:
		_, err := time.Parse(time.RFC3339, v)
		switch {
		case s.Type != "string":
			return wrong("a string, want %s", s.Type)
		case len(s.Enum) > 0 && !slices.Contains(s.Enum, v):
			return wrong("%q, want one of %v", v, s.Enum)
		case s.Format == "date-time" && err != nil:
			return wrong("%q is no time", v)
		}
		return nil
	case bool:
		if s.Type != "boolean" {
			return wrong("true or false, want %s", s.Type)
		}
		return nil
	case float64:
		if s.Type == "number" {
			return nil
		}
		if s.Type != "integer" || v != float64(int64(v)) || s.Minimum != nil && v < *s.Minimum {
			return wrong("%v is no %s, or too small", v, s.Type)
		}
		return nil
	}
	return wrong("%v, want %s", value, s.Type)
}

func (root *schema) checkObject(s *schema, v map[string]any, path string) []string {
	var all []string
	for _, name := range s.Required {
		if _, found := v[name]; !found {
			all = append(all, path+": no "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		p := s.Properties[name]
		if p == nil && s.Additional != nil {
			p = s.Additional.of
		}
		if p == nil {
			all = append(all, path+": "+name+" is not in the schema")
			continue
		}
		all = append(all, root.check(p, v[name], path+"."+name)...)
	}
	return all
}

func (root *schema) checkJSON(t *testing.T, raw []byte) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return root.check(root, v, "report")
}

func asJSON(t testing.TB, r report.Report) []byte {
	t.Helper()
	b, err := JSON(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenReport(t *testing.T) {
	golden(t, "storm.json", asJSON(t, stormView().Report))
}

func TestReportsAreAsTheSchemaSays(t *testing.T) {
	s := readSchema(t)
	for name, v := range map[string]judge.View{
		"healthy": healthyView(), "risk": riskView(), "storm": stormView(), "blind": blindView(), "large": largeView(),
		"a component without a name": {Report: report.Report{Status: report.Unknown}},
	} {
		for _, wrong := range s.checkJSON(t, asJSON(t, v.Report)) {
			t.Errorf("%s: %s", name, wrong)
		}
	}
}

func TestReplayLineMatchesTheSchema(t *testing.T) {
	root := readSchema(t)
	raw, err := ReplayLine(stormView().Report, 90500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	var line any
	if err := json.Unmarshal(raw, &line); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range root.check(root.Defs["replay_line"], line, "line") {
		t.Error(wrong)
	}
	if !bytes.HasPrefix(raw, []byte(`{"offset_s":90.5,"report":{`)) || bytes.Count(raw, []byte("\n")) != 1 {
		t.Errorf("not one line with its offset: %.60s", raw)
	}
}

// JSON may be printed on a terminal, so it must not contain control characters.
func TestJSONEscapesControlCharacters(t *testing.T) {
	const hostile = "vm\x1b[2J\x7f\u009b31m\u202e\U000e0041 <&>"
	raw := asJSON(t, report.Report{Node: hostile})
	if at := bytes.IndexFunc(raw, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }); at >= 0 {
		t.Errorf("raw control character at %d of %q", at, raw)
	}
	var back report.Report
	if err := json.Unmarshal(raw, &back); err != nil || back.Node != hostile {
		t.Errorf("got %q back (%v)", back.Node, err)
	}
}

// Violations of the schema are found: a checker that finds nothing proves nothing.
func TestSchemaRefusesWhatIsNoReport(t *testing.T) {
	s, good := readSchema(t), string(asJSON(t, stormView().Report))
	for _, c := range []struct{ old, new, want string }{
		{`"node": "node2",`, ``, "report: no node"},
		{`"node": "node2"`, `"node": 2`, "report.node: 2 is no string, or too small"},
		{`"node": "node2",`, `"node": "node2", "more": true,`, "report: more is not in the schema"},
		{`"at": "2026-03-01T02:14:00Z",`, `"at": "now",`, `report.at: "now" is no time`},
		{`"status": "major_outage"`, `"status": "bad"`, `report.status: "bad", want one of`},
		{`"severity": "critical"`, `"severity": null`, "report.findings[0].severity: <nil>, want string"},
		{`"n": 1,`, `"n": 0,`, "report.transitions[0].n: 0 is no integer, or too small"},
		{`"against": [],`, `"against": {},`, "report.findings[1].against: an object, want array"},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("there is no %s in the report", c.old)
		}
		if got := strings.Join(s.checkJSON(t, []byte(bad)), "\n"); !strings.HasPrefix(got, c.want) {
			t.Errorf("with %s: got %q, want %q", c.new, got, c.want)
		}
	}
}

// The schema and the Go types have the same fields.
func TestSchemaHasTheFieldsOfTheGoTypes(t *testing.T) {
	s := readSchema(t)
	compareWith(t, s, s, reflect.TypeFor[report.Report](), "report")
}

func compareWith(t *testing.T, root, s *schema, typ reflect.Type, path string) {
	t.Helper()
	s = root.at(s)
	switch {
	case typ == reflect.TypeFor[time.Time]():
		wantKind(t, s, path, "string", "date-time")
	case typ.Kind() == reflect.Slice:
		wantKind(t, s, path, "array", "")
		compareWith(t, root, s.Items, typ.Elem(), path+"[]")
	case typ.Kind() == reflect.Struct:
		wantKind(t, s, path, "object", "")
		var names, required []string
		for field := range typ.Fields() {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			names = append(names, name)
			if options != "omitempty" && options != "omitzero" {
				required = append(required, name)
			}
			if p := s.Properties[name]; p != nil {
				compareWith(t, root, p, field.Type, path+"."+name)
			}
		}
		if s.Additional == nil || s.Additional.any || s.Additional.of != nil {
			t.Errorf("%s: further properties are allowed", path)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(names)), slices.Sorted(maps.Keys(s.Properties))); diff != "" {
			t.Errorf("%s: the properties are not the fields (-fields +properties):\n%s", path, diff)
		}
		if diff := cmp.Diff(required, s.Required); diff != "" {
			t.Errorf("%s: required is not what is always there (-fields +required):\n%s", path, diff)
		}
	case typ.Kind() == reflect.Pointer:
		compareWith(t, root, s, typ.Elem(), path)
	case typ.Kind() == reflect.Map:
		wantKind(t, s, path, "object", "")
		if s.Additional == nil || s.Additional.of == nil {
			t.Fatalf("%s: the schema does not say what the values are", path)
		}
		compareWith(t, root, s.Additional.of, typ.Elem(), path+"{}")
	case typ.Kind() == reflect.Bool:
		wantKind(t, s, path, "boolean", "")
	case typ.Kind() == reflect.Uint64, typ.Kind() == reflect.Int:
		wantKind(t, s, path, "integer", "")
	case typ.Kind() == reflect.Float64:
		wantKind(t, s, path, "number", "")
	case typ.Kind() == reflect.String:
		wantKind(t, s, path, "string", "")
	default:
		t.Errorf("%s: %s is no type that the schema can tell", path, typ)
	}
}

func wantKind(t *testing.T, s *schema, path, kind, format string) {
	t.Helper()
	if s.Type != kind || s.Format != format {
		t.Errorf("%s: got type %q format %q, want %q %q", path, s.Type, s.Format, kind, format)
	}
}

// The enumerations of the schema are those of the program.
func TestSchemaHasTheValuesOfTheProgram(t *testing.T) {
	s := readSchema(t)
	var impacts, components []string
	for _, i := range report.Impacts() {
		impacts = append(impacts, string(i))
	}
	for _, c := range report.ComponentNames() {
		components = append(components, string(c))
	}
	severities := []string{string(report.Info), string(report.Warning), string(report.Critical)}
	states := []string{"ok", "starting", string(node.Stalled), "stale", string(node.Failed), string(node.Denied), string(node.Absent),
		string(node.Held)}
	for name, c := range map[string]struct{ got, want []string }{
		"state":      {s.Defs["source"].Properties["state"].Enum, states},
		"impact":     {s.Defs["impact"].Enum, impacts},
		"severity":   {s.Defs["severity"].Enum, severities},
		"level":      {s.Defs["level"].Enum, append([]string{string(report.Clear)}, severities...)},
		"visibility": {s.Defs["visibility"].Enum, []string{string(report.Seen), string(report.Blind)}},
		"component":  {s.Defs["component"].Properties["name"].Enum, components},
		"finding":    {s.Defs["finding"].Properties["component"].Enum, components},
		"change":     {s.Defs["transition"].Properties["component"].Enum, components},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-program +schema):\n%s", name, diff)
		}
	}
}

func TestJSONListsAreNeverNull(t *testing.T) {
	b := asJSON(t, report.Report{Findings: []report.Finding{{Rule: "r"}}})
	if bytes.Contains(b, []byte("null")) {
		t.Errorf("there is a null in %s", b)
	}
	if r := stormView().Report; len(asJSON(t, r)) > 0 && r.Findings[1].Against != nil {
		t.Error("the report itself was changed")
	}
}

func TestJSONGivesTheReportBack(t *testing.T) {
	want := largeView().Report
	var got report.Report
	if err := json.Unmarshal(asJSON(t, want), &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(asJSON(t, want), asJSON(t, got)) {
		t.Error("the report that was read back is another")
	}
}
