package webhook

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A limit is the maximum length of a text, in the unit that the backend counts in.
type limit struct {
	most int
	size func(rune) int
}

func inBytes(r rune) int { return utf8.RuneLen(r) }

// inUTF16 counts at least as Discord and Telegram do.
func inUTF16(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

func inRunes(rune) int { return 1 }

func (l limit) of(text string) int {
	n := 0
	for _, r := range text {
		n += l.size(r)
	}
	return n
}

// cut shortens the text to the limit, at a character boundary and with an ellipsis.
// The text must be valid UTF-8.
func (l limit) cut(text string) string {
	if l.of(text) <= l.most {
		return text
	}
	left := l.most - l.size('…')
	for i, r := range text {
		if left -= l.size(r); left < 0 {
			return strings.TrimRightFunc(text[:i], unicode.IsSpace) + "…"
		}
	}
	return text
}

// escaped returns the text with escape applied. It is cut before it is escaped, so
// that the result is within the limit and no escape sequence is cut.
func (l limit) escaped(text string, escape func(string) string) string {
	for raw := l; ; {
		out := escape(raw.cut(text))
		over := l.of(out) - l.most
		if over <= 0 || raw.most <= 0 {
			return out
		}
		raw.most = max(0, raw.most-max(1, over/2))
	}
}

// singleLine returns the text as one line: white space becomes one blank, unprintable
// characters are removed.
func singleLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.Join(strings.Fields(text), " ")
}

// plain returns a text unchanged, for backends without markup.
func plain(text string) string { return text }

// slackText escapes the three characters that are special in Slack's text, which also
// disables mentions.
func slackText(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// discordText escapes Markdown. The field allowed_mentions disables mentions.
func discordText(text string) string { return markdown(text) }

// mattermostText escapes Markdown, and disables mentions with a zero-width character,
// as incoming webhooks have no option for that.
func mattermostText(text string) string { return strings.ReplaceAll(markdown(text), "@", "@\u200b") }

// markdown escapes Markdown's special characters. URLs are unchanged: a backslash
// would become part of them.
func markdown(text string) string {
	var b strings.Builder
	for n, line := range strings.Split(text, "\n") {
		if n > 0 {
			b.WriteByte('\n')
		}
		for i, word := range strings.Split(line, " ") {
			if i > 0 {
				b.WriteByte(' ')
			}
			switch {
			case (strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://")) && !strings.ContainsAny(word, "@<>\\`"):
				b.WriteString(word)
			case i == 0 && (strings.HasPrefix(word, "-") || strings.HasPrefix(word, "+")):
				b.WriteString("\\" + escapes.Replace(word))
			default:
				b.WriteString(escapes.Replace(word))
			}
		}
	}
	return b.String()
}

var escapes = strings.NewReplacer(
	"\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "~", "\\~", "|", "\\|",
	"<", "\\<", ">", "\\>", "#", "\\#", "[", "\\[", "]", "\\]",
)
