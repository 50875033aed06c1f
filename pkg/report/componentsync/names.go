package componentsync

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Node is the name under which the node as a whole is configured.
const Node = "node"

// Known returns the names for which a backend can be configured: the node's
// components, and the node as a whole.
func Known() []string {
	return []string{"cluster", "guests", "host", "network", Node, "nodewatch", "storage"}
}

// CheckComponents returns an error if the configured components are invalid.
func CheckComponents(components map[string]string) error {
	if len(components) == 0 {
		return report.WrongField("components", "is empty: set the page's component for at least one of %s", strings.Join(Known(), ", "))
	}
	names := make([]string, 0, len(components))
	for name := range components {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains(Known(), name) {
			return report.WrongField("components."+name, "is not a component of a node: valid are %s", strings.Join(Known(), ", "))
		}
		if err := CheckID("components."+name, components[name]); err != nil {
			return err
		}
	}
	return nil
}

// CheckPage returns an error if the common configuration is invalid, for pages with a
// page id, an API key, five states and a limit of 60 requests a minute.
func CheckPage(url, page string, token httpclient.SecretFile, components map[string]string, requests int, unknown string) error {
	if err := httpclient.CheckURL("url", url); err != nil {
		return err
	}
	if err := CheckID("page_id", page); err != nil {
		return err
	}
	if token == "" {
		return report.WrongField("token_file", "is missing: set the file with the API key")
	}
	if err := CheckComponents(components); err != nil {
		return err
	}
	if requests < 1 || requests > 60 {
		return report.WrongField("requests_per_minute", "%d is not allowed: must be 1 to 60", requests)
	}
	if words := []string{"skip", "under_maintenance", "degraded_performance", "partial_outage",
		"major_outage"}; !slices.Contains(words, unknown) {
		return report.WrongField("unknown", "%q is not allowed: must be one of %s", unknown, strings.Join(words, ", "))
	}
	return nil
}

// CheckID returns an error if an id is not valid as a part of a path.
func CheckID(field, id string) error {
	if id == "" {
		return report.WrongField(field, "is missing: set the component's id on the page")
	}
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	if strings.ContainsFunc(id, odd) {
		return report.WrongField(field, "%q is not an id: letters, digits, - and _", id)
	}
	return nil
}

// Named returns the report's configured components, sorted by name; the node as a
// whole is the one named "node".
func Named(r report.Report, components map[string]string) []report.Component {
	all := append(slices.Clone(r.Components), report.Component{Name: Node, Status: r.Status})
	all = slices.DeleteFunc(all, func(c report.Component) bool { return components[string(c.Name)] == "" })
	slices.SortFunc(all, func(a, b report.Component) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
