package webhook_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/report/webhook"
)

// Each error names its field.
func TestCheck(t *testing.T) {
	for _, preset := range all {
		if err := config(t, preset, "https://192.0.2.1").Check(); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
	}
	type change func(*webhook.Config)
	for _, c := range []struct {
		preset, field string
		change        change
	}{
		{"slack", "preset", func(c *webhook.Config) { c.Preset = "teams" }},
		{"slack", "preset", func(c *webhook.Config) { c.Preset = "" }},
		{"slack", "url_file", func(c *webhook.Config) { c.URLFile = "" }},
		{"slack", "url", func(c *webhook.Config) { c.URL, c.URLFile = "https://192.0.2.1/T/B", "" }},
		{"json", "url", func(c *webhook.Config) { c.URLFile = "" }},
		{"json", "url", func(c *webhook.Config) { c.URL = "https://192.0.2.1" }},
		{"json", "url", func(c *webhook.Config) { c.URL, c.URLFile = "ftp://192.0.2.1", "" }},
		{"json", "url", func(c *webhook.Config) { c.URL, c.URLFile = "https://192.0.2.1/?key=x", "" }},
		{"ntfy", "topic", func(c *webhook.Config) { c.Topic = "" }},
		{"ntfy", "topic", func(c *webhook.Config) { c.Topic = "a/b" }},
		{"slack", "topic", func(c *webhook.Config) { c.Topic = "x" }},
		{"telegram", "chat", func(c *webhook.Config) { c.Chat = "me" }},
		{"slack", "chat", func(c *webhook.Config) { c.Chat = "1" }},
		{"telegram", "token_file", func(c *webhook.Config) { c.Token = "" }},
		{"incidentio", "token_file", func(c *webhook.Config) { c.Token = "" }},
		{"slack", "mode", func(c *webhook.Config) { c.Mode = "state" }},
		{"json", "mode", func(c *webhook.Config) { c.Mode = "all" }},
		{"json", "method", func(c *webhook.Config) { c.Method = "GET" }},
		{"json", "pause", func(c *webhook.Config) { c.Pause = time.Hour }},
		{"json", "pause", func(c *webhook.Config) { c.Pause = -1 }},
		{"json", "page", func(c *webhook.Config) { c.Page = "node2:10090" }},
		{"json", "tell", func(c *webhook.Config) { c.Tell = []string{"raised", "recovered"} }},
		{"json", "tell", func(c *webhook.Config) { c.Tell = nil }},
		{"oncall", "tell", func(c *webhook.Config) { c.Tell = []string{"raised"} }},
		{"json", "headers", func(c *webhook.Config) { c.Headers = map[string]string{"authorization": "Bearer x"} }},
		{"json", "headers", func(c *webhook.Config) { c.Headers = map[string]string{"X Y": "z"} }},
		{"json", "headers", func(c *webhook.Config) { c.Headers = map[string]string{"X-Y": "z\r\nA: b"} }},
		{"json", "header_files", func(c *webhook.Config) { c.HeaderFiles = map[string]httpclient.SecretFile{"Content-Type": "/x"} }},
		{"json", "header_files", func(c *webhook.Config) { c.HeaderFiles = map[string]httpclient.SecretFile{"X-Auth": ""} }},
		{"json", "template", func(c *webhook.Config) { c.Template = "x" }},
		{"template", "template", func(c *webhook.Config) { c.Template = "" }},
		{"slack", "template", func(c *webhook.Config) { c.Template = "{{.Nodename}}" }},
		{"slack", "template", func(c *webhook.Config) { c.Template = "{{if}}" }},
		{"slack", "template", func(c *webhook.Config) { c.Template = "{{index .Changes 5}}" }},
		{"slack", "template", func(c *webhook.Config) { c.Template = `{{define "t"}}{{template "t"}}{{end}}{{template "t"}}` }},
		{"slack", "template", func(c *webhook.Config) { c.Template = `{{range $i := 999999999}}xxxxxxxxxxxxxxxxxx{{end}}` }},
		{"template", "content_type", func(c *webhook.Config) { c.ContentType = "" }},
	} {
		conf := config(t, c.preset, "https://192.0.2.1")
		c.change(&conf)
		err := conf.Check()
		if f, ok := errors.AsType[*report.FieldError](err); !ok || f.Field != c.field {
			t.Errorf("%s, %s: %v", c.preset, c.field, err)
		}
	}
	wrong := config(t, "slack", "https://192.0.2.1")
	wrong.Preset = "teams"
	if _, err := webhook.New(wrong, nil, reporttest.StateFile(t, "", "chat")); err == nil {
		t.Error("New accepts a configuration that Check rejects")
	}
}

// An unreadable secret is a configuration error, not a reason to retry soon; and
// nothing is sent without it.
func TestASecretThatCannotBeRead(t *testing.T) {
	for field, change := range map[string]func(*webhook.Config){
		"url_file":      func(c *webhook.Config) { c.URLFile = "/nonexistent/url" },
		"token_file":    func(c *webhook.Config) { c.Token = "/nonexistent/token" },
		"sign_key_file": func(c *webhook.Config) { c.SignKey = "/nonexistent/key" },
		"header_files": func(c *webhook.Config) {
			c.HeaderFiles = map[string]httpclient.SecretFile{"X-Auth": "/nonexistent/header"}
		},
		"no address": func(c *webhook.Config) { c.URLFile = reporttest.Secret(t, "hooks.example.net/x") },
	} {
		c := config(t, "slack", "https://192.0.2.1")
		change(&c)
		f := report.FailureOf(newReporter(t, c, "").Report(t.Context(), storm(t)))
		if f == nil || f.Kind != report.Misconfigured {
			t.Errorf("%s: %v", field, f)
		}
	}
}
