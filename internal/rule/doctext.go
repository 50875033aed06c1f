package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cell formats text as one cell of a Markdown table.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\n", " "), "|", `\|`)
}

// capital begins text with a capital letter, unless it begins with a name that has none.
func capital(text string) string {
	word, _, _ := strings.Cut(text, " ")
	if strings.HasPrefix(word, "krbd") || strings.HasPrefix(word, "libceph") || strings.HasPrefix(word, "nodewatch") {
		return text
	}
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}

// wrapped breaks text at spaces into lines of at most width runes; all lines but the
// first begin with indent.
func wrapped(text, indent string, width int) string {
	var w strings.Builder
	length := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case length == 0:
		case length+1+n > width:
			w.WriteString("\n" + indent)
			length = 0
		default:
			w.WriteByte(' ')
			length++
		}
		w.WriteString(word)
		length += n
	}
	return w.String()
}
