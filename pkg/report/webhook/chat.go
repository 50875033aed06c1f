package webhook

import (
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
)

func slackBody(_ *Reporter, m message) ([]byte, error) {
	return encode(struct {
		Text   string `json:"text"`
		Markup bool   `json:"mrkdwn"`
		Links  bool   `json:"unfurl_links"`
		Media  bool   `json:"unfurl_media"`
	}{Text: m.text})
}

func mattermostBody(_ *Reporter, m message) ([]byte, error) {
	return encode(struct {
		Text string `json:"text"`
	}{m.text})
}

func discordBody(_ *Reporter, m message) ([]byte, error) {
	type mentions struct {
		Parse []string `json:"parse"`
	}
	return encode(struct {
		Content  string   `json:"content"`
		Mentions mentions `json:"allowed_mentions"`
		Flags    int      `json:"flags"`
	}{m.text, mentions{[]string{}}, suppressEmbeds})
}

// suppressEmbeds is Discord's flag that disables the preview of a link.
const suppressEmbeds = 1 << 2

// telegramBody is a text without parse_mode, so that it has no markup.
func telegramBody(w *Reporter, m message) ([]byte, error) {
	type preview struct {
		Off bool `json:"is_disabled"`
	}
	var chat any = w.c.Chat
	if n, err := strconv.ParseInt(w.c.Chat, 10, 64); err == nil {
		chat = n
	}
	return encode(struct {
		Chat    any     `json:"chat_id"`
		Text    string  `json:"text"`
		Preview preview `json:"link_preview_options"`
		Quiet   bool    `json:"disable_notification"`
	}{chat, m.text, preview{true}, !m.urgent()})
}

// urgent reports whether the message justifies a sound.
func (m message) urgent() bool {
	if len(m.event.Changes) == 0 {
		return false
	}
	switch m.event.Changes[0].Kind {
	case changes.Raised, changes.Worse, changes.Blind:
		return true
	}
	return false
}

// mostTitle is the maximum length of a title, in bytes.
const mostTitle = 250

func ntfyBody(w *Reporter, m message) ([]byte, error) {
	title, rest, _ := strings.Cut(m.text, "\n")
	if rest == "" || (limit{mostTitle, inBytes}).of(title) > mostTitle {
		title, rest = "nodewatch: "+singleLine(m.report.Node), m.text
	}
	body := struct {
		Topic    string   `json:"topic"`
		Title    string   `json:"title"`
		Message  string   `json:"message"`
		Priority int      `json:"priority"`
		Tags     []string `json:"tags"`
		Click    string   `json:"click,omitempty"`
	}{
		w.c.Topic, limit{mostTitle, inBytes}.cut(title), w.preset.limit.cut(rest), m.priority(), []string{"nodewatch"}, w.c.Page,
	}
	if c := m.event.Changes; len(c) > 0 {
		body.Tags = append(body.Tags, "severity-"+string(c[0].Severity()))
		if f := c[0].Finding; f != nil && f.Runbook != "" {
			body.Click = f.Runbook
		}
	}
	return encode(body)
}

// priority returns ntfy's priority, from 1 to 5; 3 is the default, 4 and 5 sound and
// vibrate longer.
func (m message) priority() int {
	if !m.urgent() {
		return 2
	}
	switch m.event.Changes[0].Severity() {
	case report.Critical:
		return 5
	case report.Warning:
		return 4
	}
	return 3
}
