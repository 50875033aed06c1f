package bond

import (
	"encoding/json"
	"fmt"
)

// Values of OVSDB in the JSON encoding of RFC 7047, section 5.1.
type (
	// uuid is ["uuid", "..."].
	uuid string
	// set is ["set", [...]], or a bare value if it has one element.
	set[T any] []T
	// dict is ["map", [[key, value], ...]], of strings.
	dict map[string]string
)

// tagged reads [tag, value].
func tagged(b []byte, tag string) (json.RawMessage, bool) {
	var pair []json.RawMessage
	var name string
	if json.Unmarshal(b, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &name) != nil {
		return nil, false
	}
	return pair[1], name == tag
}

// UnmarshalJSON implements json.Unmarshaler.
func (u *uuid) UnmarshalJSON(b []byte) error {
	v, ok := tagged(b, "uuid")
	if !ok {
		return fmt.Errorf("not a uuid: %.60s", b)
	}
	return json.Unmarshal(v, (*string)(u))
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *set[T]) UnmarshalJSON(b []byte) error {
	if v, ok := tagged(b, "set"); ok {
		return json.Unmarshal(v, (*[]T)(s))
	}
	*s = make([]T, 1)
	return json.Unmarshal(b, &(*s)[0])
}

// first returns the element of a set of at most one, or the zero value.
func (s set[T]) first() T {
	if len(s) == 0 {
		return *new(T)
	}
	return s[0]
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *dict) UnmarshalJSON(b []byte) error {
	v, ok := tagged(b, "map")
	if !ok {
		return fmt.Errorf("not a map: %.60s", b)
	}
	var pairs [][2]string
	if err := json.Unmarshal(v, &pairs); err != nil {
		return err
	}
	*d = dict{}
	for _, p := range pairs {
		(*d)[p[0]] = p[1]
	}
	return nil
}
