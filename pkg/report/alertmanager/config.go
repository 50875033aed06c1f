// Package alertmanager sends findings to the members of an Alertmanager cluster (API
// v2): each raised finding is a firing alert, sent again at each interval.
package alertmanager

import (
	"net/url"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// maxMembers is the maximum number of members.
const maxMembers = 16

// nodeMark is replaced by the node's name in page_url.
const nodeMark = "{node}"

// Config is the configuration of the reporter: the Alertmanagers and how to reach
// them.
type Config struct {
	URLs     []string              `yaml:"urls" doc:"base URL of every cluster member, such as http://192.0.2.10:9093; never that of a load balancer"`
	User     string                `yaml:"username" doc:"user for basic authentication; empty: none"`
	Password httpclient.SecretFile `yaml:"password_file" doc:"file with that user's password"`
	Token    httpclient.SecretFile `yaml:"token_file" doc:"file with a bearer token; empty: none"`
	Page     string                `yaml:"page_url" doc:"address of the node's page, linked from alerts; {node} is replaced by the node's name; empty: no link"`
	Watchdog bool                  `yaml:"watchdog" doc:"keep an alert NodewatchWatchdog firing: its absence means that the path from this node to on-call is broken"`

	Every    time.Duration // interval between calls of Report: an alert that is not sent again expires after four times as long
	Deadline time.Duration // time limit of a call of Report, which the members share
}

// Default returns the Config of a section that sets nothing.
func Default() Config { return Config{Every: 30 * time.Second, Deadline: 10 * time.Second} }

// Check returns a *report.FieldError of the first invalid field.
func (c Config) Check() error {
	if len(c.URLs) == 0 || len(c.URLs) > maxMembers {
		return report.WrongField("urls", "1 to %d base URLs are needed, one for each member of the cluster", maxMembers)
	}
	seen := map[string]bool{}
	for _, raw := range c.URLs {
		if err := httpclient.CheckURL("urls", raw); err != nil {
			return err
		}
		base := trimmed(raw)
		switch {
		case strings.Contains(base, "/api/v"):
			return report.WrongField("urls", "the base URL must not include /api")
		case seen[base]:
			return report.WrongField("urls", "%s is listed twice", base)
		}
		seen[base] = true
	}
	switch {
	case (c.User == "") != (c.Password == ""):
		return report.WrongField("password_file", "username and password_file must be set together")
	case c.User != "" && c.Token != "":
		return report.WrongField("token_file", "either username and password_file or token_file, not both")
	case c.Page != "" && link(c.Page, "node2") == "":
		return report.WrongField("page_url",
			"an http:// or https:// URL with a host and without user and fragment, such as http://{node}:10090/")
	case c.Every < 0 || c.Deadline < 0:
		return report.WrongField("every", "every and deadline must not be negative")
	}
	return nil
}

func trimmed(base string) string { return strings.TrimRight(base, "/") }

// link returns the address of the node's page, or an empty string if that would be
// invalid.
func link(page, node string) string {
	u, err := url.Parse(strings.ReplaceAll(page, nodeMark, url.PathEscape(node)))
	if page == "" || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return ""
	}
	u.Fragment = "findings"
	return u.String()
}
