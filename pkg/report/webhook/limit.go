package webhook

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A limit is how long a text may be, in the unit that the backend counts in.
type limit struct {
	most int
	size func(rune) int
}

func inBytes(r rune) int { return utf8.RuneLen(r) }

// inUTF16 counts as Discord and Telegram do, at the most.
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

// cut shortens the text to the limit, between two characters and with an
// ellipsis. The text must be valid UTF-8.
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

// escaped is the text as escape makes it, cut before it is escaped so that what
// comes out obeys the limit and no escape is cut in two.
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

// singleLine is a text of one line: white space is one blank, what cannot be shown is
// not there.
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

// plain is a text as it is: for backends that read no markup.
func plain(text string) string { return text }

// slackText escapes the three characters that Slack's text gives a meaning to;
// this takes the meaning from mentions, too.
func slackText(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// discordText escapes Markdown. Mentions are switched off by allowed_mentions.
func discordText(text string) string { return markdown(text) }

// mattermostText escapes Markdown, and takes the meaning from mentions by a
// character without width, as incoming webhooks have no switch for them.
func mattermostText(text string) string { return strings.ReplaceAll(markdown(text), "@", "@\u200b") }

// markdown takes the meaning from Markdown's characters. Addresses are left as
// they are: in them a backslash would be one.
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
