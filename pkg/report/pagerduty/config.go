package pagerduty

import (
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Config is the configuration of the reporter: the service and how to page it.
type Config struct {
	URL        string                `yaml:"url" doc:"base of the Events API; https://events.eu.pagerduty.com in the European region"`
	Key        httpclient.SecretFile `yaml:"routing_key_file" doc:"file with the integration key of the service, 32 characters"`
	Severities map[string]string     `yaml:"severities" doc:"maps nodewatch's info, warning and critical to PagerDuty's critical, error, warning or info, where they differ"`
	ClientURL  string                `yaml:"client_url" doc:"address of this node's page, linked from each alert"`
}

// Default returns the default configuration.
func Default() Config { return Config{URL: "https://events.pagerduty.com"} }

// Check returns an error if the configuration is invalid.
func (c Config) Check() error {
	if err := httpclient.CheckURL("url", c.URL); err != nil {
		return err
	}
	if c.Key == "" {
		return report.WrongField("routing_key_file", "is missing: set the file with the integration key")
	}
	if c.ClientURL != "" {
		if err := httpclient.CheckURL("client_url", c.ClientURL); err != nil {
			return err
		}
	}
	words := []string{"critical", "error", "warning", "info"}
	for ours, theirs := range c.Severities {
		if report.Severity(ours).Rank() == 0 {
			return report.WrongField("severities."+ours, "is not a severity: must be info, warning or critical")
		}
		if !slices.Contains(words, theirs) {
			return report.WrongField("severities."+ours, "%q is not allowed: must be one of %s", theirs, strings.Join(words, ", "))
		}
	}
	return nil
}

// severity returns PagerDuty's severity for ours.
func (c Config) severity(s report.Severity) string {
	if word, ok := c.Severities[string(s)]; ok {
		return word
	}
	return string(s)
}
