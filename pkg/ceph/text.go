package ceph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the maximum length of a displayed line, in bytes.
const maxText = 512

// text returns s as a line that can be shown: printable, and bounded. Pool and image
// names in Ceph's messages may contain any character.
func text(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
	if len(s) <= maxText {
		return s
	}
	const cut = "..."
	end := maxText - len(cut)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cut
}

// A size bounds JSON before it is parsed. Its values are counted by their commas,
// because an empty object of two bytes becomes a struct of a hundred.
type size struct {
	bytes  int
	values int
}

// unmarshal parses JSON within the bounds. It ignores unknown names, and
// encoding/json stops at a depth of 10,000.
func (limit size) unmarshal(b []byte, v any) error {
	if len(b) > limit.bytes {
		return fmt.Errorf("%d bytes are more than %d", len(b), limit.bytes)
	}
	if n := bytes.Count(b, []byte(",")); n > limit.values {
		return fmt.Errorf("%d values are more than %d", n, limit.values)
	}
	return json.Unmarshal(b, v)
}
