package ceph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds a line for people, in bytes.
const maxText = 512

// text makes a line of s that is fit for people's eyes: printable, and bounded.
// Pool and image names in Ceph's messages may hold anything.
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

// A size bounds what is parsed. Values are counted by commas, before anything is
// made of them, as an empty object of two bytes becomes a struct of a hundred.
type size struct {
	bytes  int
	values int
}

// unmarshal parses JSON within the bounds. Names it does not know are passed
// over, and encoding/json ends at a depth of 10,000.
func (limit size) unmarshal(b []byte, v any) error {
	if len(b) > limit.bytes {
		return fmt.Errorf("%d bytes are more than %d", len(b), limit.bytes)
	}
	if n := bytes.Count(b, []byte(",")); n > limit.values {
		return fmt.Errorf("%d values are more than %d", n, limit.values)
	}
	return json.Unmarshal(b, v)
}
