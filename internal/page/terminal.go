package page

import (
	"strings"
	"unicode/utf8"
)

// leastWidth is the least width that lines are broken to: a narrower terminal
// breaks them itself.
const leastWidth = 40

// A terminal collects lines of text. Every text is cleaned on its way in.
type terminal struct {
	style Style
	b     strings.Builder
}

// head begins a part.
func (t *terminal) head(title string) {
	t.b.WriteString("\n" + t.paint("1", title) + "\n")
}

// line writes a text with every line of it indented.
func (t *terminal) line(indent int, text string) { t.put(indent, "", "", text) }

// item writes a label and, beside it, a text that is broken to the right of it.
func (t *terminal) item(indent int, tone tone, label, text string) {
	t.put(indent, tone, label, text)
}

// whole writes a line that is not broken.
func (t *terminal) whole(indent int, text string) {
	t.b.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+Printable(text), " ") + "\n")
}

// command writes a command, which is not broken, so that it can be pasted.
func (t *terminal) command(indent int, text string) {
	if text != "" {
		t.whole(indent, text)
	}
}

func (t *terminal) put(indent int, tone tone, label, text string) {
	label = Printable(label)
	pad := indent
	t.b.WriteString(strings.Repeat(" ", indent))
	if label != "" {
		t.b.WriteString(t.paint(ink(tone), label) + " ")
		pad += utf8.RuneCountInString(label) + 1
	}
	if t.style.Width > 0 && pad > max(t.style.Width, leastWidth)/2 {
		pad = indent + 2
	}
	for i, l := range t.broken(Printable(text), pad) {
		if i > 0 {
			t.b.WriteString(strings.Repeat(" ", pad))
		}
		t.b.WriteString(l + "\n")
	}
}

// broken breaks a text between words, so that a line of it fits beside pad columns.
func (t *terminal) broken(text string, pad int) []string {
	if t.style.Width <= 0 {
		return []string{text}
	}
	room := max(t.style.Width, leastWidth) - pad
	var lines []string
	line, length := "", 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if length > 0 && length+1+n > room {
			lines, line, length = append(lines, line), "", 0
		}
		if length > 0 {
			line, length = line+" ", length+1
		}
		line, length = line+word, length+n
	}
	return append(lines, line)
}

// paint gives a text a terminal's colour, if there is to be any.
func (t *terminal) paint(code, text string) string {
	if !t.style.Color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// ink is a tone as a terminal's colour.
func ink(t tone) string {
	switch t {
	case bad:
		return "1;31"
	case warn:
		return "1;33"
	case good:
		return "32"
	case info:
		return "36"
	case blind:
		return "1;35"
	}
	return "1"
}
