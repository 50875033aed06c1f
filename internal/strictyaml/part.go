package strictyaml

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Part is a part of a file whose fields are those of another program. Decode leaves
// it as it is.
type Part struct{ node *yaml.Node }

// part keeps n, in which aliases are as little allowed as elsewhere.
func (d *Document) part(n *yaml.Node, v reflect.Value, field string) {
	if alias := aliasIn(n); alias != nil {
		d.add(alias.Line, field, "aliases are not allowed")
		return
	}
	v.Set(reflect.ValueOf(Part{n}))
}

// aliasIn is the first alias in n; nil: there is none.
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

// place is where the YAML library says a mistake is: in the part, not in the file.
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
