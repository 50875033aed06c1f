package webhook

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Config is the configuration of the reporter: the backend and how to notify it. Its zero value is
// invalid: start from Default.
type Config struct {
	Preset      string                           `yaml:"preset" doc:"the kind of receiver" oneof:"slack mattermost discord ntfy telegram json cloudevents oncall incidentio betterstack template"`
	URL         string                           `yaml:"url" doc:"address, if it is not a secret; empty: the preset's default, if it has one"`
	URLFile     httpclient.SecretFile            `yaml:"url_file" doc:"file with the address, if it is a secret"`
	Token       httpclient.SecretFile            `yaml:"token_file" doc:"file with the token: Telegram's bot token, or a bearer token"`
	Topic       string                           `yaml:"topic" doc:"ntfy: topic to publish to"`
	Chat        string                           `yaml:"chat" doc:"telegram: id of the chat, or @name of the channel"`
	Mode        string                           `yaml:"mode" doc:"changes: a message when something changes; state: the whole report at each interval, for json, cloudevents and template" oneof:"changes state"`
	Tell        []string                         `yaml:"tell" doc:"changes to report: raised worse blind milder seen passed cleared"`
	Template    string                           `yaml:"template" doc:"Go template of the text or, for the preset template, of the body; empty: the preset's text"`
	ContentType string                           `yaml:"content_type" doc:"content type of the body of the preset template"`
	Method      string                           `yaml:"method" doc:"HTTP method" oneof:"POST PUT PATCH"`
	Headers     map[string]string                `yaml:"headers" doc:"additional headers; no secrets"`
	HeaderFiles map[string]httpclient.SecretFile `yaml:"header_files" doc:"additional headers with values in files, such as Authorization"`
	SignKey     httpclient.SecretFile            `yaml:"sign_key_file" doc:"file with the key to sign requests (HMAC-SHA-256); empty: not signed"`
	Pause       time.Duration                    `yaml:"pause" doc:"minimum time between two messages; changes in between are combined into one" min:"0s" max:"10m"`
	Page        string                           `yaml:"page" doc:"address of this node's page, to link to; empty: no link"`
}

// Default returns the default configuration, without the preset.
func Default() Config {
	return Config{
		Mode: "changes", Method: "POST", ContentType: "application/json", Pause: 10 * time.Second,
		Tell: []string{"raised", "worse", "blind", "milder", "passed", "cleared"},
	}
}

var (
	topicWord  = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)            // valid topics of ntfy
	chatWord   = regexp.MustCompile(`^(-?[0-9]{1,20}|@[A-Za-z0-9_]+)$`) // chat_id of Telegram's sendMessage
	headerWord = regexp.MustCompile(`^[-_A-Za-z0-9]{1,100}$`)
)

// Check returns a *report.FieldError for a missing or invalid field. It reads no
// files.
func (c Config) Check() error {
	p, known := presets()[c.Preset]
	if !known {
		return report.WrongField("preset",
			"%q is not allowed: must be one of slack mattermost discord ntfy telegram json cloudevents oncall incidentio betterstack template", c.Preset)
	}
	for _, check := range []func(preset) error{c.checkAddress, c.checkTarget, c.checkMode, c.checkTell, c.checkHeaders, c.checkTemplate} {
		if err := check(p); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) checkAddress(p preset) error {
	switch {
	case c.URL != "" && c.URLFile != "":
		return report.WrongField("url", "cannot be set together with url_file")
	case c.URL != "" && p.secret:
		return report.WrongField("url", "is a secret for this preset: write it to a file and set url_file")
	case c.URLFile != "":
		return nil
	case c.URL == "" && p.url == "" && p.secret:
		return report.WrongField("url_file", "is missing: set the file with the address, which is a secret for this preset")
	case c.URL == "" && p.url == "":
		return report.WrongField("url", "is missing: set an address, or url_file")
	case c.URL != "":
		return httpclient.CheckURL("url", c.URL)
	}
	return nil
}

// checkTarget checks the fields that only some presets need.
func (c Config) checkTarget(preset) error {
	switch {
	case c.Preset == "ntfy" && !topicWord.MatchString(c.Topic):
		return report.WrongField("topic", "must be a word of at most 64 letters, digits, - and _")
	case c.Preset != "ntfy" && c.Topic != "":
		return report.WrongField("topic", "is for ntfy only")
	case c.Preset == "telegram" && !chatWord.MatchString(c.Chat):
		return report.WrongField("chat", "must be the number of a chat or the @name of a channel")
	case c.Preset != "telegram" && c.Chat != "":
		return report.WrongField("chat", "is for telegram only")
	case (c.Preset == "telegram" || c.Preset == "incidentio") && c.Token == "":
		return report.WrongField("token_file", "is missing: set the file with the token")
	}
	return nil
}

func (c Config) checkMode(p preset) error {
	switch {
	case c.Mode != "changes" && c.Mode != "state":
		return report.WrongField("mode", "%q is not allowed: must be changes or state", c.Mode)
	case c.Mode == "state" && !p.data:
		return report.WrongField("mode", "state is only for json, cloudevents and template; other presets send changes")
	case !slices.Contains([]string{"POST", "PUT", "PATCH"}, c.Method):
		return report.WrongField("method", "%q is not allowed: must be POST, PUT or PATCH", c.Method)
	case c.Pause < 0 || c.Pause > 10*time.Minute:
		return report.WrongField("pause", "must be from 0s to 10m")
	case c.Page != "":
		return httpclient.CheckURL("page", c.Page)
	}
	return nil
}

func (c Config) checkTell(p preset) error {
	for _, word := range c.Tell {
		if !slices.Contains(changes.Kinds(), changes.Kind(word)) {
			return report.WrongField("tell", "%q is not allowed: must be one of raised worse blind milder seen passed cleared", word)
		}
	}
	for _, word := range []changes.Kind{changes.Raised, changes.Cleared} {
		if p.alerts && !slices.Contains(c.Tell, string(word)) {
			return report.WrongField("tell", "must include %s, otherwise alerts would not end", word)
		}
	}
	if len(c.Tell) == 0 {
		return report.WrongField("tell", "must not be empty: nothing would be reported")
	}
	return nil
}

func (c Config) checkHeaders(preset) error {
	secret := []string{"Authorization", "Cookie", "X-Api-Key", "Proxy-Authorization"}
	fixed := []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Content-Type", timeHeader, signHeader}
	files := map[string]string{}
	for name, file := range c.HeaderFiles {
		files[name] = string(file)
	}
	for field, list := range map[string]map[string]string{"headers": c.Headers, "header_files": files} {
		for name, value := range list {
			same := func(other string) bool { return strings.EqualFold(name, other) }
			switch {
			case !headerWord.MatchString(name):
				return report.WrongField(field, "%q is not the name of a header", name)
			case slices.ContainsFunc(fixed, same):
				return report.WrongField(field, "%s is set by nodewatch", name)
			case field == "headers" && slices.ContainsFunc(secret, same):
				return report.WrongField(field, "%s is a secret: set its file in header_files", name)
			case strings.ContainsAny(value, "\r\n\x00") || value == "":
				return report.WrongField(field, "%s must be one line", name)
			}
		}
	}
	return nil
}
