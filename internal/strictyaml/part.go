package strictyaml

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Part is a part of a file whose fields belong to another program. Decode leaves it
// undecoded.
type Part struct{ node *yaml.Node }

// part keeps n. Aliases are not allowed in it either.
func (d *Document) part(n *yaml.Node, v reflect.Value, field string) {
	if alias := aliasIn(n); alias != nil {
		d.add(alias.Line, field, "aliases are not allowed")
		return
	}
	v.Set(reflect.ValueOf(Part{n}))
}

// aliasIn returns the first alias in n; nil: there is none.
func aliasIn(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n
	}
	for _, below := range n.Content {
		if alias := aliasIn(below); alias != nil {
			return alias
		}
	}
	return nil
}

// place matches the position in an error of the YAML library, which is relative to
// the part, not to the file.
var place = regexp.MustCompile(`line \d+: `)

// Decode decodes the part into v. Fields that v does not have are mistakes.
func (p Part) Decode(v any) error {
	if p.node == nil {
		return nil
	}
	raw, err := yaml.Marshal(p.node)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil {
		text := strings.Join(strings.Fields(place.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "")), " ")
		return errors.New(strings.TrimPrefix(text, "unmarshal errors: "))
	}
	return nil
}
