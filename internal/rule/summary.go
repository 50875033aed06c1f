package rule

import (
	"strings"
	"unicode/utf8"
)

// MaxSummary is the maximum length of a summary in characters: one line of a phone or
// chat.
const MaxSummary = 140

// Summary returns the first of the texts that is short enough for a summary, or the
// last one if none is. The texts are ordered from longest to shortest.
func Summary(texts ...string) string {
	for _, text := range texts {
		if utf8.RuneCountInString(text) <= MaxSummary {
			return text
		}
	}
	return texts[len(texts)-1]
}

// Shorten returns the text as a summary. A text that is too long is cut after the
// last clause that fits, or after a word if that clause ends in the first half, and
// ends with "…".
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
		end = len(fits) // no space to cut at
	}
	return fits[:end] + "…"
}
