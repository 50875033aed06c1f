package receiver

import (
	"bytes"
	_ "embed" // for the schema
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// Document is docs/report-protocol.schema.json.
//
//go:embed report-protocol.schema.json
var Document []byte

// A Schema checks documents against the protocol.
type Schema struct {
	report, answer, refusal *jsonschema.Schema
	body                    fields // of native.Body
}

// NewSchema compiles Document.
func NewSchema() (*Schema, error) {
	const address = "report-protocol.schema.json"
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Document))
	if err != nil {
		return nil, fmt.Errorf("receiver: schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(address, doc); err != nil {
		return nil, fmt.Errorf("receiver: schema: %w", err)
	}
	s := Schema{body: fieldsOf(reflect.TypeFor[native.Body]())}
	for part, to := range map[string]**jsonschema.Schema{"": &s.report, "#/$defs/answer": &s.answer, "#/$defs/refusal": &s.refusal} {
		if *to, err = c.Compile(address + part); err != nil {
			return nil, fmt.Errorf("receiver: schema: %w", err)
		}
	}
	return &s, nil
}

// Report returns the errors in the body of a report; none if it is valid.
func (s *Schema) Report(raw []byte) []native.Field {
	_, wrong := check(s.report, raw)
	return wrong
}

// Answer is like Report for a response with code 200.
func (s *Schema) Answer(raw []byte) []native.Field {
	_, wrong := check(s.answer, raw)
	return wrong
}

// Refusal is like Report for any other response.
func (s *Schema) Refusal(raw []byte) []native.Field {
	_, wrong := check(s.refusal, raw)
	return wrong
}

// check decodes a document and returns its errors.
func check(s *jsonschema.Schema, raw []byte) (doc any, wrong []native.Field) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, []native.Field{{Text: "is not a single JSON document: " + err.Error()}}
	}
	err = s.Validate(doc)
	if err == nil {
		return doc, nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return doc, []native.Field{{Text: err.Error()}}
	}
	return doc, leaves(invalid)
}

// leaves returns the individual errors of which an error consists.
func leaves(e *jsonschema.ValidationError) (list []native.Field) {
	if len(e.Causes) == 0 {
		_, text, _ := strings.Cut(e.Error(), ": ") // the location precedes it
		return []native.Field{{Field: place(e.InstanceLocation), Text: text}}
	}
	for _, c := range e.Causes {
		list = append(list, leaves(c)...)
	}
	return list
}

// place formats a location as components[0].status.
func place(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		switch {
		case p != "" && strings.Trim(p, "0123456789") == "":
			b.WriteString("[" + p + "]")
		case b.Len() > 0:
			b.WriteString("." + p)
		default:
			b.WriteString(p)
		}
	}
	return b.String()
}
