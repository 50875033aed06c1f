package rule

import "unicode/utf8"

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
