package rule

import (
	"strings"
	"unicode/utf8"
)

// MaxSummary is how many characters a summary has at most: what one line of a phone
// or a chat shows.
const MaxSummary = 140

// Summary is the first of the texts, the fullest first, that is short enough for a
// summary; the last one if none is.
func Summary(texts ...string) string {
	for _, text := range texts {
		if utf8.RuneCountInString(text) <= MaxSummary {
			return text
		}
	}
	return texts[len(texts)-1]
}

// Shorten is the text as a summary: one that is too long ends with the last of its
// clauses that fits, or with a word if that clause ends before half of it, and "…".
func Shorten(text string) string {
	runes := []rune(text)
	if len(runes) <= MaxSummary {
		return text
	}
	fits := string(runes[:MaxSummary-1])
	end := max(strings.LastIndex(fits, "; "), strings.LastIndex(fits, ". "))
	if end < len(fits)/2 {
		end = strings.LastIndexByte(fits, ' ')
	}
	if end < len(fits)/2 {
		end = len(fits) // no blank to end at
	}
	return fits[:end] + "…"
}
