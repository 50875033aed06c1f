package receiver_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

// storm is a body with every field added after the first release of the protocol.
func storm() native.Body {
	return with(func(b *native.Body) {
		guests := &report.Guests{Hit: 65, Total: 66, Names: []string{"vm101", "vm102"}}
		b.Components[0].Guests = guests
		b.Components[0].Partly, b.Components[0].Remedy = "disks plugged in after the start are not seen", "give the unit CAP_SYS_PTRACE"
		b.Findings = []report.Finding{{
			Rule: "krbd-retry-storm", Component: "storage", Severity: report.Critical, Impact: report.MajorOutage, State: report.Seen,
			Since: noon, LevelSince: noon, LastSeen: noon, Summary: "a storm", Evidence: []report.Evidence{}, Against: []report.Evidence{},
			Advice: []report.Advice{},
			Guests: guests, ExplainedBy: []report.Ref{{Rule: "layer2-bond-krbd", Subject: "bond0"}},
		}}
	})
}

// A body of the first release is accepted, and one of this release conforms to its
// schema.
func TestBodiesOfEveryReleaseAreTaken(t *testing.T) {
	first, err := os.ReadFile("testdata/first.json")
	if err != nil {
		t.Fatal(err)
	}
	this, err := json.Marshal(storm())
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"first release": first, "this release": this} {
		var body native.Body
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		b := newBench(t)
		q := request(t, raw)
		q.Header.Set("Idempotency-Key", receiver.Key(body))
		if code, text := b.answer(q); code != 200 {
			t.Errorf("%s: %d %s", name, code, text)
		}
		if n := b.Node("rl1/node2"); n.Unknown != 0 {
			t.Errorf("%s: %d unknown fields", name, n.Unknown)
		}
	}
}

// Fields of later releases are ignored and counted, wherever they are.
func TestUnknownFieldsAreIgnoredAndCounted(t *testing.T) {
	b := newBench(t)
	raw := edited(t, `"summary":"storage: operational"`, `"summary":"storage: operational","more":{"a":1}`)
	raw = bytes.Replace(raw, []byte(`"seq":7`), []byte(`"seq":7,"later":[1,2]`), 1)
	q := request(t, raw)
	q.Header.Set("Idempotency-Key", receiver.Key(good()))
	if code, text := b.answer(q); code != 200 {
		t.Errorf("%d %s", code, text)
	}
	if n := b.Node("rl1/node2"); n.Unknown != 2 || len(n.Bodies) != 1 {
		t.Errorf("got %d unknown fields in %d bodies, want 2 in 1", n.Unknown, len(n.Bodies))
	}
}

// A receiver of the first release that ignores unknown fields, as the protocol
// requires, understands a body of this release.
func TestTheFirstReleaseUnderstandsThisOne(t *testing.T) {
	raw, err := os.ReadFile("testdata/first.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("first", document); err != nil {
		t.Fatal(err)
	}
	first, err := c.Compile("first")
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = json.Marshal(storm()); err != nil {
		t.Fatal(err)
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if first.Validate(body) == nil {
		t.Fatal("there is nothing in the body that the first release did not know")
	}
	if err := first.Validate(prune(first, body)); err != nil {
		t.Error(err)
	}
}

// prune removes from a value the properties that a schema does not list.
func prune(s *jsonschema.Schema, v any) any {
	for s.Ref != nil {
		s = s.Ref
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = prune(s.Items2020, v[i])
		}
	case map[string]any:
		if s.Properties == nil {
			return v
		}
		for name := range v {
			if of, known := s.Properties[name]; known {
				v[name] = prune(of, v[name])
			} else {
				delete(v, name)
			}
		}
	}
	return v
}
