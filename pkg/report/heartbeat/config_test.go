package heartbeat_test

import (
	"errors"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/heartbeat"
)

// Each error names its field.
func TestCheck(t *testing.T) {
	for _, preset := range all {
		if err := config(t, preset, "https://192.0.2.1").Check(); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
	}
	for _, c := range []struct {
		preset, field string
		change        func(*heartbeat.Config)
	}{
		{"plain", "preset", func(c *heartbeat.Config) { c.Preset = "" }},
		{"plain", "preset", func(c *heartbeat.Config) { c.Preset = "cronitor" }},
		{"plain", "url", func(c *heartbeat.Config) { c.URLFile = "" }},
		{"plain", "url", func(c *heartbeat.Config) { c.URL = "https://192.0.2.1" }},
		{"plain", "token_file", func(c *heartbeat.Config) { c.Token = "x" }},
		{"uptimekuma", "url", func(c *heartbeat.Config) { c.URL = "" }},
		{"uptimekuma", "url", func(c *heartbeat.Config) { c.URL = "192.0.2.1:3001" }},
		{"healthchecks", "token_file", func(c *heartbeat.Config) { c.Token = "" }},
		{"gatus", "url_file", func(c *heartbeat.Config) { c.URL, c.URLFile = "", "x" }},
		{"gatus", "endpoint", func(c *heartbeat.Config) { c.Endpoint = " " }},
		{"kener", "endpoint", func(c *heartbeat.Config) { c.Endpoint = "x" }},
		{"kener", "group", func(c *heartbeat.Config) { c.Group = "x" }},
		{"kener", "tag", func(c *heartbeat.Config) { c.Tag = "a/b" }},
		{"gatus", "tag", func(c *heartbeat.Config) { c.Tag = "x" }},
		{"gatus", "slug", func(c *heartbeat.Config) { c.Slug = "x" }},
		{"gatus", "down_url_file", func(c *heartbeat.Config) { c.DownFile = "x" }},
		{"healthchecks", "slug", func(c *heartbeat.Config) { c.Slug = "Node 2" }},
		{"healthchecks", "slug", func(c *heartbeat.Config) { c.URL, c.Token, c.URLFile, c.Slug = "", "", "x", "node2" }},
		{"healthchecks", "create", func(c *heartbeat.Config) { c.Create = true }},
		{"plain", "down_from", func(c *heartbeat.Config) { c.DownFrom = report.Unknown }},
		{"plain", "unknown", func(c *heartbeat.Config) { c.Unknown = "red" }},
	} {
		conf := config(t, c.preset, "https://192.0.2.1")
		c.change(&conf)
		_, err := heartbeat.New(conf, nil)
		if f, ok := errors.AsType[*report.FieldError](err); !ok || f.Field != c.field {
			t.Errorf("%s, %s: %v", c.preset, c.field, err)
		}
	}
}
