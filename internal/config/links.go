package config

import (
	"fmt"
	"net/url"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Links are URLs of related pages. Each may be empty.
type Links struct {
	Grafana string `yaml:"grafana" doc:"address of the node's dashboard in Grafana, http or https; empty: no link"`
	Fleet   string `yaml:"fleet" doc:"address of the page of all nodes, http or https; empty: no link"`
	Status  string `yaml:"status_page" doc:"address of the status page, http or https; empty: no link"`
}

// mistakes returns the errors in the URLs.
func (l Links) mistakes() []*report.FieldError {
	var list []*report.FieldError
	for _, one := range []struct{ field, address string }{{"grafana", l.Grafana}, {"fleet", l.Fleet}, {"status_page", l.Status}} {
		if mistake := wrongLink(one.address); mistake != "" {
			list = append(list, &report.FieldError{Field: one.field, Text: fmt.Sprintf("is not allowed: %s", mistake)})
		}
	}
	return list
}

// wrongLink returns why a page must not link to the URL; empty if it may. The
// returned text does not contain the URL, which may contain a password.
func wrongLink(address string) string {
	if address == "" {
		return ""
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "it is not a URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "it must begin with http:// or https://"
	case u.Host == "":
		return "the host is missing"
	case u.User != nil:
		return "it must not contain a user or a password: everyone who can open the page would see them"
	}
	return ""
}
