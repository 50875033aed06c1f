package cachet

import (
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Config is the configuration of the reporter: the Cachet and how to update it.
type Config struct {
	URL        string                `yaml:"url" doc:"address of Cachet, without /api"`
	Version    int                   `yaml:"version" min:"2" max:"3" doc:"2 for Cachet 2.4, 3 for Cachet 3"`
	Token      httpclient.SecretFile `yaml:"token_file" doc:"file with the API token; with Cachet 3 it needs the ability components.manage"`
	Components map[string]string     `yaml:"components" doc:"the page's component number for each component of the node: storage, network, guests, cluster, host, nodewatch, or node for the whole node"`
	Unknown    string                `yaml:"unknown" oneof:"unknown skip degraded_performance partial_outage major_outage" doc:"status shown for an unknown component; Cachet 2 has no unknown and keeps the previous status, like skip"`
	Requests   int                   `yaml:"requests_per_minute" min:"1" max:"300" doc:"maximum requests per minute; all nodes with the same token share 300"`
	Notify     bool                  `yaml:"notify" doc:"let Cachet 2 notify its subscribers when a component changes; no effect with Cachet 3"`
}

// Default returns the default configuration.
func Default() Config { return Config{Version: 3, Unknown: "unknown", Requests: 30} }

// Check returns an error if the configuration is invalid.
func (c Config) Check() error {
	if err := httpclient.CheckURL("url", c.URL); err != nil {
		return err
	}
	if c.Version != 2 && c.Version != 3 {
		return report.WrongField("version", "%d is not allowed: must be 2 or 3", c.Version)
	}
	if c.Token == "" {
		return report.WrongField("token_file", "is missing: set the file with the API token")
	}
	if err := componentsync.CheckComponents(c.Components); err != nil {
		return err
	}
	for name, id := range c.Components {
		if strings.Trim(id, "0123456789") != "" || id[0] == '0' {
			return report.WrongField("components."+name, "%q is not the number of a component", id)
		}
	}
	if c.Requests < 1 || c.Requests > 300 {
		return report.WrongField("requests_per_minute", "%d is not allowed: must be 1 to 300", c.Requests)
	}
	if words := []string{"unknown", "skip", "degraded_performance", "partial_outage", "major_outage"}; !slices.Contains(words, c.Unknown) {
		return report.WrongField("unknown", "%q is not allowed: must be one of %s", c.Unknown, strings.Join(words, ", "))
	}
	return nil
}

// numbers are Cachet's statuses for impacts. Cachet 2 ends at 4, and shows 0 for a
// status that was never set.
var numbers = map[report.Impact]int{
	report.Operational: 1, report.DegradedPerformance: 2, report.PartialOutage: 3, report.MajorOutage: 4,
	report.Unknown: 5, report.UnderMaintenance: 6,
}

// state returns the status of a component for an impact; empty: it stays unchanged.
func (c Config) state(i report.Impact) string {
	if i == report.Unknown {
		if c.Unknown == "skip" {
			return ""
		}
		i = report.Impact(c.Unknown)
	}
	if c.Version == 2 && numbers[i] > numbers[report.MajorOutage] {
		return ""
	}
	return string(i)
}

// impact returns the impact for one of Cachet's statuses.
func impact(number int) report.Impact {
	for i, n := range numbers {
		if n == number {
			return i
		}
	}
	return report.Unknown
}
