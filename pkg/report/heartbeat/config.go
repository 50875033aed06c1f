package heartbeat

import (
	"regexp"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Config is the configuration of the reporter: the service that receives the heartbeats.
// Its zero value is invalid: start from Default.
type Config struct {
	Preset   string                `yaml:"preset" doc:"the service that receives the heartbeats" oneof:"healthchecks uptimekuma gatus betterstack oneuptime kener plain"`
	URL      string                `yaml:"url" doc:"address of the service, without the token; empty: the preset's default, if it has one"`
	Token    httpclient.SecretFile `yaml:"token_file" doc:"file with the token: the check's UUID or the ping key, the push token, the endpoint's token, the heartbeat's secret"`
	URLFile  httpclient.SecretFile `yaml:"url_file" doc:"file with the complete address including the token, as the service shows it; instead of url and token_file"`
	DownFile httpclient.SecretFile `yaml:"down_url_file" doc:"plain: file with the address to call while down; empty: no heartbeat while down"`
	Slug     string                `yaml:"slug" doc:"healthchecks: slug of the check; token_file is then the project's ping key"`
	Create   bool                  `yaml:"create" doc:"healthchecks: create a check with that slug if it does not exist, with the service's default periods"`
	Group    string                `yaml:"group" doc:"gatus: group of the external endpoint, as in its configuration; may be empty"`
	Endpoint string                `yaml:"endpoint" doc:"gatus: name of the external endpoint, as in its configuration"`
	Tag      string                `yaml:"tag" doc:"kener: tag of the monitor"`
	DownFrom report.Impact         `yaml:"down_from" doc:"lowest impact that counts as down" oneof:"degraded_performance partial_outage major_outage"`
	Unknown  string                `yaml:"unknown" doc:"what to send while the state of the node is unknown: up, with a text; down; or silent" oneof:"up down silent"`
}

// Default returns the default configuration, without the preset.
//
// Unknown counts as up, with a text: such a backend has only two states, and neither
// is correct. A beat primarily shows that nodewatch is running and evaluating, and a
// late reading must not turn a status page red.
func Default() Config { return Config{DownFrom: report.PartialOutage, Unknown: "up"} }

var (
	slugWord = regexp.MustCompile(`^[a-z0-9_-]{1,100}$`)
	tagWord  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

// Check returns a *report.FieldError for a missing or invalid field. It reads no
// files.
func (c Config) Check() error {
	p, known := presets()[c.Preset]
	if !known {
		return report.WrongField("preset",
			"%q is not allowed: must be one of healthchecks uptimekuma gatus betterstack oneuptime kener plain", c.Preset)
	}
	if err := c.checkAddress(p); err != nil {
		return err
	}
	if err := c.checkNames(); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]report.Impact{report.DegradedPerformance, report.PartialOutage, report.MajorOutage}, c.DownFrom):
		return report.WrongField("down_from",
			"%q is not allowed: must be one of degraded_performance partial_outage major_outage", c.DownFrom)
	case !slices.Contains([]string{"up", "down", "silent"}, c.Unknown):
		return report.WrongField("unknown", "%q is not allowed: must be up, down or silent", c.Unknown)
	}
	return nil
}

func (c Config) checkAddress(p preset) error {
	switch {
	case c.URLFile != "" && c.URL != "":
		return report.WrongField("url", "cannot be set together with url_file")
	case c.URLFile != "" && c.Token != "" && c.Preset != "gatus":
		return report.WrongField("token_file", "cannot be set together with url_file, which contains the token")
	case c.URLFile != "" && c.Preset == "gatus":
		return report.WrongField("url_file", "does not apply to gatus: its address is not a secret")
	case c.URLFile != "":
		return nil
	case c.Preset == "plain":
		return httpclient.CheckURL("url", c.URL)
	case c.Token == "":
		return report.WrongField("token_file", "is missing: set the file with the token, or url_file")
	case c.URL == "" && p.url == "":
		return report.WrongField("url", "is missing: set the address of the service, such as https://status.example.net")
	case c.URL != "":
		return httpclient.CheckURL("url", c.URL)
	}
	return nil
}

// checkNames checks the fields that only some presets need, and that they are not set
// for other presets.
func (c Config) checkNames() error {
	for _, x := range []struct {
		field, value, preset string
	}{{"slug", c.Slug, "healthchecks"}, {"group", c.Group, "gatus"}, {"endpoint", c.Endpoint, "gatus"}, {"tag", c.Tag, "kener"},
		{"down_url_file", string(c.DownFile), "plain"}} {
		if x.value != "" && c.Preset != x.preset {
			return report.WrongField(x.field, "is for %s only", x.preset)
		}
	}
	switch {
	case c.Slug != "" && !slugWord.MatchString(c.Slug):
		return report.WrongField("slug", "must be a word of a-z, 0-9, - and _")
	case c.Slug != "" && c.URLFile != "":
		return report.WrongField("slug", "cannot be set together with url_file, which contains it")
	case c.Create && c.Slug == "":
		return report.WrongField("create", "needs a slug")
	case c.Preset == "gatus" && strings.TrimSpace(c.Endpoint) == "":
		return report.WrongField("endpoint", "is missing: set the name of the external endpoint")
	case c.Preset == "kener" && c.URLFile == "" && !tagWord.MatchString(c.Tag):
		return report.WrongField("tag", "must be the monitor's tag, a word")
	}
	return nil
}
