package webhook

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		limit limit
		text  string
		want  string
	}{
		{limit{5, inRunes}, "hello", "hello"},
		{limit{5, inRunes}, "hello!", "hell…"},
		{limit{5, inBytes}, "hello!", "he…"},
		{limit{5, inBytes}, "éééé", "é…"},
		{limit{4, inUTF16}, "a💥b💥", "a💥…"},
		{limit{5, inUTF16}, "a💥b💥", "a💥b…"},
		{limit{6, inRunes}, "one two", "one t…"},
		{limit{5, inRunes}, "one  two", "one…"},
	} {
		if got := c.limit.cut(c.text); got != c.want {
			t.Errorf("%q cut at %d: %q, want %q", c.text, c.limit.most, got, c.want)
		}
	}
}

func TestEscapes(t *testing.T) {
	for _, c := range []struct {
		escape     func(string) string
		text, want string
	}{
		{slackText, `a && b <!channel> <@U1> &lt;`, `a &amp;&amp; b &lt;!channel&gt; &lt;@U1&gt; &amp;lt;`},
		{discordText, "*a* _b_ ~c~ `d` |e| <@1> # [x](y) \\", "\\*a\\* \\_b\\_ \\~c\\~ \\`d\\` \\|e\\| \\<@1\\> \\# \\[x\\](y) \\\\"},
		{discordText, "- a\n+ b\nc - d", "\\- a\n\\+ b\nc - d"},
		{discordText, "see https://example.net/a_b#c_d now_", "see https://example.net/a_b#c_d now\\_"},
		{discordText, "https://example.net/<b>*", "https://example.net/\\<b\\>\\*"},
		{mattermostText, "@all and @here", "@\u200ball and @\u200bhere"},
		{mattermostText, "https://example.net/@all", "https://example.net/@\u200ball"},
	} {
		if got := c.escape(c.text); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestClean(t *testing.T) {
	if got := singleLine(" a\tb\r\nc\x1b[31m \u202e\xff\x00d "); got != "a b c[31m ?d" {
		t.Errorf("%q", got)
	}
}

// For any text, the result is within the limit, is valid UTF-8, mentions no one and,
// if it is short enough, loses nothing.
func FuzzEscaped(f *testing.F) {
	f.Add("osd & <!channel> @everyone *bold* `code` is 遅い", uint16(20))
	f.Add(strings.Repeat("&", 50)+"💥", uint16(40))
	f.Add("https://example.net/a_b\n- x @all", uint16(300))
	f.Fuzz(func(t *testing.T, text string, most uint16) {
		text = strings.ToValidUTF8(text, "?")
		for name, p := range presets() {
			if p.data {
				continue
			}
			l := limit{int(most), p.limit.size}
			got := l.escaped(text, p.escape)
			if !utf8.ValidString(got) || l.of(got) > max(l.most, l.size('…')) {
				t.Fatalf("%s: %d of %d: %q", name, l.of(got), l.most, got)
			}
			if whole := p.escape(text); l.of(whole) <= l.most && got != whole {
				t.Fatalf("%s: %q became %q", name, whole, got)
			}
			rest := strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(got)
			if name == "slack" && strings.ContainsAny(rest, "&<>") || name == "mattermost" &&
				strings.Contains(strings.ReplaceAll(got, "@\u200b", ""), "@") {
				t.Fatalf("%s: %q has a meaning", name, got)
			}
		}
	})
}
