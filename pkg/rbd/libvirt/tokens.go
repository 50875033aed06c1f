package libvirt

import (
	"bytes"
	"encoding/xml"
	"errors"
)

// The limits of tokens.
var (
	errVirtDeep     = errors.New("nested too deeply")
	errVirtElements = errors.New("too many elements")
	errVirtDoctype  = errors.New("a document type is not allowed")
)

// tokens passes XML tokens on until they are too many or too deep. Entities cannot
// expand: only XML's own five are defined, and a document type, which could declare
// more, is rejected.
type tokens struct {
	from     *xml.Decoder
	depth    int
	elements int
}

// Token implements xml.TokenReader. The tokens are raw: the decoder above it matches
// the end tags and resolves the namespaces.
func (t *tokens) Token() (xml.Token, error) {
	token, err := t.from.RawToken()
	switch token.(type) {
	case xml.StartElement:
		t.depth++
		t.elements++
	case xml.EndElement:
		t.depth--
	case xml.Directive:
		return nil, errVirtDoctype
	}
	if t.depth > xmlDepth {
		return nil, errVirtDeep
	}
	if t.elements > xmlElements {
		return nil, errVirtElements
	}
	return token, err
}

// xmlFault describes an error without any of the text: encoding/xml's own messages
// quote names and values.
func xmlFault(err error) string {
	var syntax *xml.SyntaxError
	var typed xml.UnmarshalError
	switch {
	case errors.Is(err, errVirtDeep), errors.Is(err, errVirtElements), errors.Is(err, errVirtDoctype):
		return err.Error()
	case errors.As(err, &syntax):
		return "not well-formed"
	case errors.As(err, &typed):
		return "not a domain"
	}
	return "not readable" // an invalid number, or a missing end
}

// lineAt returns the line number at an offset, for display.
func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(int64(len(data)), max(0, offset))], []byte("\n"))
}
