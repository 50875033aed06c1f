package icinga

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/componentsync"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// Config is the configuration of the reporter: the Icinga 2, and which of its
// services belong to this node.
type Config struct {
	URL      string                `yaml:"url" doc:"address of Icinga's API, such as https://192.0.2.30:5665"`
	User     string                `yaml:"user" doc:"name of the ApiUser, which needs the permission actions/process-check-result; empty: the client certificate identifies the user"`
	Password httpclient.SecretFile `yaml:"password_file" doc:"file with the ApiUser's password"`
	Host     string                `yaml:"host" doc:"name of Icinga's Host object; empty: the node's name"`
	Services map[string]string     `yaml:"services" doc:"Icinga's Service object for each component of the node: storage, network, guests, cluster, host, nodewatch, or node for the whole node"`
	TTL      time.Duration         `yaml:"ttl" min:"1s" max:"24h" doc:"validity of a result; after that Icinga runs its own check. At least three times the reporter's every"`
}

// Default returns the default configuration.
func Default() Config { return Config{TTL: 90 * time.Second} }

// Check returns an error if the configuration is invalid.
func (c Config) Check() error {
	if err := httpclient.CheckURL("url", c.URL); err != nil {
		return err
	}
	switch {
	case c.User == "" && c.Password != "":
		return report.WrongField("user", "is missing: set the name of the ApiUser for the password")
	case c.User != "" && c.Password == "":
		return report.WrongField("password_file", "is missing: set the file with the password of %s", c.User)
	case strings.Contains(c.User, ":"):
		return report.WrongField("user", "%q contains a colon, which basic authentication does not allow", c.User)
	case strings.Contains(c.Host, "!"):
		return report.WrongField("host", "%q contains a !, which is not allowed in Icinga names", c.Host)
	case len(c.Services) == 0:
		return report.WrongField("services", "is empty: set the service for at least one of %s", strings.Join(componentsync.Known(), ", "))
	case c.TTL < time.Second || c.TTL > 24*time.Hour:
		return report.WrongField("ttl", "%s is not allowed: must be 1s to 24h", c.TTL)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		if !slices.Contains(componentsync.Known(), name) {
			return report.WrongField("services."+name, "is not a component of a node: valid are %s",
				strings.Join(componentsync.Known(), ", "))
		}
		if c.Services[name] == "" || strings.Contains(c.Services[name], "!") {
			return report.WrongField("services."+name, "%q is not the name of a service", c.Services[name])
		}
	}
	return nil
}
