package webhook

import (
	"net/url"

	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A preset describes one kind of backend.
type preset struct {
	url         string // its default address; empty if there is none
	secret      bool   // its address is a secret
	tokenInPath bool   // its token is a part of the address, not a header
	data        bool   // read by programs: complete data, no text that must be cut
	alerts      bool   // it keeps alerts, which must be ended
	contentType string // empty: as configured
	limit       limit  // limit of the text
	escape      func(string) string
	body        func(w *Reporter, m message) ([]byte, error)
	address     func(u *url.URL, token string)  // changes the address for the request; nil: unchanged
	accept      func(httpclient.Response) error // rejects a 2xx response that is not a success
}

const (
	jsonType  = "application/json"
	cloudType = "application/cloudevents+json; charset=utf-8"
)

// presets are all presets, by name. If a size limit is not documented, it is one that
// the service certainly accepts.
func presets() map[string]preset {
	return map[string]preset{
		// Incoming webhooks. Slack truncates a text at 40,000 characters, and
		// recommends 4,000.
		"slack": {secret: true, contentType: jsonType, limit: limit{4000, inRunes}, escape: slackText, body: slackBody, accept: saysOK},
		// Incoming webhooks; a post has at most 16,383 characters.
		"mattermost": {secret: true, contentType: jsonType, limit: limit{16383, inRunes}, escape: mattermostText, body: mattermostBody,
			accept: saysOK},
		// Execute Webhook; content has at most 2,000 characters. With wait the
		// response contains the message, instead of an empty 204.
		"discord": {secret: true, contentType: jsonType, limit: limit{2000, inUTF16}, escape: discordText, body: discordBody, address: wait,
			accept: discordAccepts},
		// Publish as JSON, to the server's root; a message has at most 4,096 bytes.
		"ntfy": {url: "https://ntfy.sh", contentType: jsonType, limit: limit{4096, inBytes}, escape: plain, body: ntfyBody,
			accept: ntfyAccepts},
		// Bot API, sendMessage; text has at most 4,096 UTF-16 code units.
		"telegram": {url: "https://api.telegram.org", tokenInPath: true, contentType: jsonType, limit: limit{4096, inUTF16}, escape: plain,
			body: telegramBody, address: sendMessage, accept: telegramAccepts},

		"json":        {data: true, contentType: jsonType, body: jsonBody, accept: any2xx},
		"cloudevents": {data: true, contentType: cloudType, body: cloudBody, accept: any2xx},
		"template":    {data: true, body: func(_ *Reporter, m message) ([]byte, error) { return []byte(m.text), nil }, accept: any2xx},

		// Grafana OnCall's and IRM's formatted webhook.
		"oncall": {secret: true, alerts: true, contentType: jsonType, limit: limit{4096, inRunes}, escape: plain, body: oncallBody,
			accept: any2xx},
		// Alert Events V2, HTTP source; a body has at most 512 KB.
		"incidentio": {alerts: true, contentType: jsonType, limit: limit{4096, inRunes}, escape: plain, body: incidentBody,
			accept: incidentAccepts},
		// Incoming webhook; rules in the service map the fields.
		"betterstack": {secret: true, alerts: true, contentType: jsonType, limit: limit{4096, inRunes}, escape: plain, body: betterBody,
			accept: any2xx},
	}
}

func wait(u *url.URL, _ string) {
	q := u.Query()
	q.Set("wait", "true")
	u.RawQuery = q.Encode()
}

func sendMessage(u *url.URL, token string) { *u = *u.JoinPath("bot"+token, "sendMessage") }
