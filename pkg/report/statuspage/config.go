package statuspage

import (
	"slices"
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
	Requests   int                   `yaml:"requests_per_minute" min:"1" max:"60" doc:"maximum requests per minute; all nodes with the same API key share 60"`
	Incidents  bool                  `yaml:"incidents" doc:"open an incident when a configured component is affected, and resolve it when all are operational again"`
	From       string                `yaml:"incident_from" oneof:"degraded_performance partial_outage major_outage" doc:"lowest impact that opens an incident"`
	Notify     bool                  `yaml:"notify" doc:"notify the page's subscribers about incidents"`
	Name       string                `yaml:"public_name" doc:"the node's name in incidents; no other name of it is published"`
	Titles     map[string]string     `yaml:"titles" doc:"titles of incidents by impact, in place of the built-in ones; {name} is the public name"`
	Texts      map[string]string     `yaml:"texts" doc:"texts of incidents by impact, in place of the built-in ones, operational for the last; {name} is the public name"`
}

// Default returns the default configuration.
func Default() Config {
	return Config{URL: "https://api.statuspage.io/v1", Unknown: "skip", Requests: 6, From: string(report.PartialOutage)}
}

// The maximum lengths of a title and a text in the API, in characters.
const (
	longestTitle = 255
	longestText  = 25000
)

// impacts are the impacts for which incidents are opened.
var impacts = []report.Impact{report.Operational, report.DegradedPerformance, report.PartialOutage, report.MajorOutage}

// Check returns an error if the configuration is invalid.
func (c Config) Check() error {
	if err := componentsync.CheckPage(c.URL, c.Page, c.Token, c.Components, c.Requests, c.Unknown); err != nil {
		return err
	}
	if c.Incidents {
		return c.checkIncidents()
	}
	return nil
}

func (c Config) checkIncidents() error {
	if c.Name == "" {
		return report.WrongField("public_name", "is missing: set the public name of the node, which incidents show")
	}
	if !slices.Contains(impacts[1:], report.Impact(c.From)) {
		return report.WrongField("incident_from",
			"%q is not allowed: must be one of degraded_performance, partial_outage, major_outage", c.From)
	}
	for field, words := range map[string]map[string]string{"titles": c.Titles, "texts": c.Texts} {
		for impact, text := range words {
			if !slices.Contains(impacts, report.Impact(impact)) {
				return report.WrongField(field+"."+impact,
					"is not an impact of an incident: operational, degraded_performance, partial_outage, major_outage")
			}
			if strings.TrimSpace(text) == "" {
				return report.WrongField(field+"."+impact, "is empty")
			}
		}
	}
	for _, i := range impacts {
		if n := len([]rune(c.title(i))); n > longestTitle {
			return report.WrongField("titles", "the one for %s has %d characters; at most %d are allowed", i, n, longestTitle)
		}
		if n := len([]rune(c.text(i))); n > longestText {
			return report.WrongField("texts", "the one for %s has %d characters; at most %d are allowed", i, n, longestText)
		}
	}
	return nil
}

// title returns the title of an incident of that impact.
func (c Config) title(i report.Impact) string {
	built := map[report.Impact]string{
		report.Operational:         "{name}: resolved",
		report.DegradedPerformance: "{name}: degraded performance",
		report.PartialOutage:       "{name}: partial outage",
		report.MajorOutage:         "{name}: major outage",
	}
	return c.filled(c.Titles, built, i)
}

// text returns the text of an incident when it has that impact; operational: at its
// end.
func (c Config) text(i report.Impact) string {
	built := map[report.Impact]string{
		report.Operational:         "{name} works normally again.",
		report.DegradedPerformance: "Services on {name} may respond slowly. We are looking into it.",
		report.PartialOutage:       "Some services on {name} are not available. We are looking into it.",
		report.MajorOutage:         "Services on {name} are not available. We are looking into it.",
	}
	return c.filled(c.Texts, built, i)
}

func (c Config) filled(own map[string]string, built map[report.Impact]string, i report.Impact) string {
	text, ok := own[string(i)]
	if !ok {
		text = built[i]
	}
	return strings.ReplaceAll(text, "{name}", c.Name)
}
