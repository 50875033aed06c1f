package instatus

import (
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Config is the configuration of the reporter: the page and how to update it.
type Config struct {
	URL        string                `yaml:"url" doc:"base of the API"`
	Page       string                `yaml:"page_id" doc:"id of the page"`
	Token      httpclient.SecretFile `yaml:"token_file" doc:"file with the API key"`
	Components map[string]string     `yaml:"components" doc:"the page's component id for each component of the node: storage, network, guests, cluster, host, nodewatch, or node for the whole node"`
	Unknown    string                `yaml:"unknown" oneof:"skip under_maintenance degraded_performance partial_outage major_outage" doc:"status shown for an unknown component, because the page has no such status; skip keeps the previous one"`
	Requests   int                   `yaml:"requests_per_minute" min:"1" max:"60" doc:"maximum requests per minute"`
}

// Default returns the default configuration.
func Default() Config {
	return Config{URL: "https://api.instatus.com", Unknown: "skip", Requests: 6}
}

// Check returns an error if the configuration is invalid.
func (c Config) Check() error {
	return componentsync.CheckPage(c.URL, c.Page, c.Token, c.Components, c.Requests, c.Unknown)
}

// state returns the state of a component for an impact: the impact in capitals,
// without the underscores. The page's MINOROUTAGE is never used.
func (c Config) state(i report.Impact) string {
	if i == report.Unknown {
		if c.Unknown == "skip" {
			return ""
		}
		i = report.Impact(c.Unknown)
	}
	return strings.ToUpper(strings.ReplaceAll(string(i), "_", ""))
}
