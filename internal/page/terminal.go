package page

import (
	"strings"
	"unicode/utf8"
)

// leastWidth is the minimum width to which lines are wrapped: a narrower terminal
// wraps them itself.
const leastWidth = 40

// A terminal collects lines of text. Every text is sanitized when it is added.
type terminal struct {
	style Style
	b     strings.Builder
}

// head begins a section.
func (t *terminal) head(title string) {
	t.b.WriteString("\n")
	for _, line := range t.wrap(title, 0) {
		t.b.WriteString(t.paint("1", line) + "\n")
	}
}

// line writes a text with each of its lines indented.
func (t *terminal) line(indent int, text string) { t.put(indent, "", "", text) }

// item writes a label and, next to it, a text that is wrapped in its own column.
func (t *terminal) item(indent int, tone tone, label, text string) {
	t.put(indent, tone, label, text)
}

// hanging writes a text after a head that is not wrapped; its other lines are indented.
func (t *terminal) hanging(head, text string) {
	const indent = 4
	for i, line := range t.wrapAfter(text, indent, utf8.RuneCountInString(head)) {
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		t.b.WriteString(strings.TrimRight(head+line, " ") + "\n")
	}
}

// whole writes a line without wrapping it.
func (t *terminal) whole(indent int, text string) {
	t.b.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+Printable(text), " ") + "\n")
}

// command writes a command so that it can be pasted: a long command continues after a
// backslash on the next line.
func (t *terminal) command(indent int, text string) {
	if text == "" {
		return
	}
	text = Printable(text)
	if t.style.Width <= 0 || t.style.Whole {
		t.whole(indent, text)
		return
	}
	if indent+2 > t.width()/3 {
		indent = 2
	}
	for i, line := range continued(text, t.width()-indent-2) {
		in := indent
		if i > 0 {
			in += 2
		}
		t.whole(in, line)
	}
}

// continued wraps a shell command at spaces outside of quotes, so that no line is
// longer than room if a space allows it. A line that continues ends with a backslash.
func continued(command string, room int) []string {
	var words []string
	start, quote, escaped := 0, rune(0), false
	for i, r := range command {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == ' ' && strings.HasPrefix(command[start:], "#"): // a comment ends with its line
		case r == ' ':
			words = append(words, command[start:i])
			start = i + 1
		}
	}
	words = append(words, command[start:])
	var lines []string
	line := words[0]
	for _, word := range words[1:] {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word)+2 > room {
			lines = append(lines, line+" \\")
			line = word
			continue
		}
		line += " " + word
	}
	return append(lines, line)
}

// runbookLine writes the URL of a rule's runbook or, if it does not fit, the command that
// prints the same text.
func (t *terminal) runbookLine(indent int, rule, runbook string) {
	const label = "see     "
	if t.style.Width > 0 && !t.style.Whole && indent+len(label)+utf8.RuneCountInString(runbook) > t.width() {
		runbook = "nodewatch rules " + rule
	}
	t.item(indent, "", strings.TrimSpace(label)+"    ", runbook)
}

// width returns the width to which lines are wrapped.
func (t *terminal) width() int { return max(t.style.Width, leastWidth) }

func (t *terminal) put(indent int, tone tone, label, text string) {
	label = Printable(label)
	lines := t.wrap(Printable(text), indent)
	pad := strings.Repeat(" ", indent)
	t.b.WriteString(pad)
	if label != "" {
		beside := indent + utf8.RuneCountInString(label) + 1
		if t.style.Width > 0 && beside > t.width()/2 { // below the label, except for texts that fit next to it
			pad = strings.Repeat(" ", indent+2)
			if lines = t.wrapAfter(Printable(text), indent+2, beside); lines[0] == "" {
				label = strings.TrimRight(label, " ")
			}
		} else {
			pad = strings.Repeat(" ", beside)
			lines = t.wrap(Printable(text), beside)
		}
		t.b.WriteString(t.paint(ink(tone), label))
		if lines[0] != "" {
			t.b.WriteByte(' ')
		}
	}
	t.b.WriteString(lines[0] + "\n")
	for _, l := range lines[1:] {
		t.b.WriteString(pad + l + "\n")
	}
}

// wrap wraps a text between words into lines that fit to the right of pad columns.
func (t *terminal) wrap(text string, pad int) []string { return t.wrapAfter(text, pad, pad) }

// wrapAfter wraps a text. Its first line begins after the given number of columns,
// the others after pad. A word that is longer than a line is cut, unless it is a URL.
func (t *terminal) wrapAfter(text string, pad, first int) []string {
	if t.style.Width <= 0 {
		return []string{text}
	}
	var lines []string
	line, length, room := "", 0, t.width()-first
	end := func() {
		lines, line, length, room = append(lines, line), "", 0, t.width()-pad
	}
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if length > 0 && length+1+n > room || length == 0 && n > room && len(lines) == 0 && first > pad {
			end()
		}
		for runes := []rune(word); n > room && !strings.Contains(word, "://") && room > 0; runes = []rune(word) {
			line, word = string(runes[:room]), string(runes[room:])
			n -= room
			end()
		}
		if length > 0 {
			line, length = line+" ", length+1
		}
		line, length = line+word, length+n
	}
	return append(lines, line)
}

// paint gives a text a terminal color, if colors are enabled.
func (t *terminal) paint(code, text string) string {
	if !t.style.Color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// ink returns the terminal color of a tone.
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
	case unknown:
		return "1;35"
	}
	return "1"
}
