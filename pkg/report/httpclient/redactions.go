package httpclient

import (
	"net/url"
	"strings"
)

// leastHidden is the length of the shortest part of a secret that is redacted
// separately, in bytes: shorter ones are words such as api or v1.
const leastHidden = 8

// Redactions returns the texts that must not be shown, as a Request's Secrets, if the
// whole text is a secret: an address with a token in it, a header's value. They are
// the text and its longer parts, because a server may echo any of them.
func Redactions(text string) []string {
	if text == "" {
		return nil
	}
	words := []string{text}
	address := text
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		address = u.RequestURI() // scheme and host are shown
		if len(address) >= leastHidden {
			words = append(words, address)
		}
	}
	for _, part := range strings.FieldsFunc(address, func(r rune) bool { return strings.ContainsRune("/?&=: ,;", r) }) {
		if len(part) < leastHidden {
			continue
		}
		words = append(words, part)
		if plain, err := url.PathUnescape(part); err == nil && plain != part {
			words = append(words, plain)
		}
	}
	return words
}
