package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/blackbox_exporter/config"

	"github.com/nodewatch/nodewatch/internal/strictyaml"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Checks contains the settings that all of the hub's own checks share.
type Checks struct {
	Concurrent int                        `yaml:"concurrent" min:"1" max:"1000"` // maximum number of checks that run at once
	Modules    map[string]strictyaml.Part `yaml:"modules"`                       // modules by name, in the format of the blackbox exporter's configuration
}

// A Check is one of the hub's own checks, for one component. One of HTTP, TCP, TLS,
// DNS, ICMP and Module defines the probe.
type Check struct {
	HTTP       string        `yaml:"http"`                                                            // address of a page that must answer with 2xx; redirects are not followed
	TCP        string        `yaml:"tcp"`                                                             // HOST:PORT that must accept connections
	TLS        string        `yaml:"tls"`                                                             // HOST:PORT whose certificate must be valid
	DNS        string        `yaml:"dns"`                                                             // DNS server, HOST or HOST:PORT, that is queried for query
	ICMP       string        `yaml:"icmp"`                                                            // host that must answer one of three pings
	Module     string        `yaml:"module"`                                                          // one of checks.modules, run against target
	Target     string        `yaml:"target"`                                                          // with module: the target of the check
	Query      string        `yaml:"query"`                                                           // with dns: the name
	QueryType  string        `yaml:"query_type"`                                                      // with dns: the record type; empty: A
	Text       string        `yaml:"text"`                                                            // text that must be in the page, the first line (tcp, tls) or the answer (dns)
	ExpiryDays int           `yaml:"expiry_days" min:"1" max:"365"`                                   // a certificate that expires within this many days is degraded performance; 0: only an invalid one counts
	Every      time.Duration `yaml:"every" min:"5s" max:"1h"`                                         // interval of the check; 0: 30s
	Timeout    time.Duration `yaml:"timeout" min:"100ms" max:"1m"`                                    // timeout of one run; 0: 10s
	Impact     string        `yaml:"impact" oneof:"degraded_performance partial_outage major_outage"` // impact of a failure; empty: major_outage

	Prober  string        // http, tcp, dns, grpc or icmp
	Address string        // the target of the prober
	Probe   config.Module // empty for icmp
	Failure report.Impact // Impact
}

// maxPage is the maximum that is read of a page, in bytes.
const maxPage = 10 << 20

// probers are the allowed probers of the blackbox exporter. Its icmp is not among
// them: with raw sockets, replies are lost if several probes run at once.
var probers = []string{"http", "tcp", "dns", "grpc"}

func (c *Checks) check(d *strictyaml.Document) {
	for name := range c.Modules {
		if _, err := c.module(name); err != nil {
			d.Wrong("checks.modules."+name, "%v", err)
		}
	}
}

// module returns the module with the name. As in other checks, redirects are followed
// only if the file allows them, as they can lead to addresses that no file names.
func (c *Checks) module(name string) (m config.Module, err error) {
	part := c.Modules[name]
	if err := part.Decode(&m); err != nil {
		return m, err
	}
	if !slices.Contains(probers, m.Prober) {
		return m, fmt.Errorf("the prober %q must be one of %s; for ICMP use check: {icmp: HOST}", m.Prober, strings.Join(probers, ", "))
	}
	var raw struct {
		HTTP map[string]any `yaml:"http"`
		Rest map[string]any `yaml:",inline"`
	}
	if err := part.Decode(&raw); err != nil {
		return m, err
	}
	if _, set := raw.HTTP["follow_redirects"]; !set {
		m.HTTP.HTTPClientConfig.FollowRedirects = false
	}
	if m.HTTP.BodySizeLimit <= 0 {
		m.HTTP.BodySizeLimit = maxPage
	}
	return m, nil
}

func (k *Check) check(d *strictyaml.Document, field string, modules map[string]strictyaml.Part) {
	if k.Every == 0 {
		k.Every = 30 * time.Second
	}
	if k.Timeout == 0 {
		k.Timeout = min(10*time.Second, k.Every)
	}
	if k.Timeout > k.Every {
		d.Wrong(field+".timeout", "%v is longer than every, which is %v", k.Timeout, k.Every)
	}
	if k.Impact == "" {
		k.Impact = string(report.MajorOutage)
	}
	k.Failure = report.Impact(k.Impact)

	kinds := map[string]string{"http": k.HTTP, "tcp": k.TCP, "tls": k.TLS, "dns": k.DNS, "icmp": k.ICMP, "module": k.Module}
	var kind string
	for name, value := range kinds {
		switch {
		case value == "":
			continue
		case kind != "":
			d.Wrong(field, "must have one of http, tcp, tls, dns, icmp and module; it has several")
			return
		}
		kind = name
	}
	for _, only := range []struct {
		name  string
		set   bool
		kinds []string
	}{
		{"target", k.Target != "", []string{"module"}}, {"query", k.Query != "", []string{"dns"}},
		{"query_type", k.QueryType != "", []string{"dns"}},
		{"text", k.Text != "", []string{"http", "tcp", "tls", "dns"}},
		{"expiry_days", k.ExpiryDays != 0, []string{"http", "tls", "module"}},
	} {
		if only.set && kind != "" && !slices.Contains(only.kinds, kind) {
			d.Wrong(field+"."+only.name, "is only for checks by %s", strings.Join(only.kinds, ", "))
		}
	}
	k.Address, k.Prober = kinds[kind], kind
	k.Probe = config.DefaultModule
	k.Probe.HTTP.HTTPClientConfig.FollowRedirects, k.Probe.HTTP.BodySizeLimit = false, maxPage
	k.Probe.HTTP.IPProtocol, k.Probe.TCP.IPProtocol, k.Probe.DNS.IPProtocol = "ip4", "ip4", "ip4"
	switch kind {
	case "http":
		k.http(d, field)
	case "tcp", "tls":
		k.tcp(d, field, kind)
	case "dns":
		k.dns(d, field)
	case "icmp":
		if !isHost(k.ICMP) {
			d.Wrong(field+".icmp", "%q must be the name or address of a host", k.ICMP)
		}
	case "module":
		k.module(d, field, modules)
	default:
		d.Wrong(field, "must have one of http, tcp, tls, dns, icmp and module")
	}
}

func (k *Check) http(d *strictyaml.Document, field string) {
	if u, err := url.Parse(k.HTTP); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		d.Wrong(field+".http", "%q must be an address such as https://webmail.example.org/", k.HTTP)
	}
	if k.Text != "" {
		k.Probe.HTTP.FailIfBodyNotMatchesRegexp = []config.Regexp{config.MustNewRegexp(regexp.QuoteMeta(k.Text))}
	}
}

func (k *Check) tcp(d *strictyaml.Document, field, kind string) {
	if !isHostPort(k.Address) {
		d.Wrong(field+"."+kind, "%q must be HOST:PORT, such as mail.example.org:993", k.Address)
	}
	k.Prober, k.Probe.TCP.TLS = "tcp", kind == "tls"
	if k.Text != "" {
		k.Probe.TCP.QueryResponse = []config.QueryResponse{{Expect: config.MustNewRegexp(regexp.QuoteMeta(k.Text))}}
	}
}

func (k *Check) dns(d *strictyaml.Document, field string) {
	if !isHost(k.DNS) && !isHostPort(k.DNS) {
		d.Wrong(field+".dns", "%q must be a server, HOST or HOST:PORT", k.DNS)
	}
	if k.Query == "" {
		d.Wrong(field+".query", "must be the name to query")
	}
	if k.QueryType == "" {
		k.QueryType = "A"
	}
	if !slices.Contains(queryTypes, k.QueryType) {
		d.Wrong(field+".query_type", "%q must be one of %s", k.QueryType, strings.Join(queryTypes, ", "))
	}
	answer := ".*" // matches at least one record
	if k.Text != "" {
		answer = ".*" + regexp.QuoteMeta(k.Text) + ".*"
	}
	k.Probe.DNS.QueryName, k.Probe.DNS.QueryType = k.Query, k.QueryType
	k.Probe.DNS.ValidateAnswer.FailIfNoneMatchesRegexp = []string{answer}
}

// queryTypes are the query types that DNS checks support without a module.
var queryTypes = []string{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"}

func (k *Check) module(d *strictyaml.Document, field string, modules map[string]strictyaml.Part) {
	if _, there := modules[k.Module]; !there {
		d.Wrong(field+".module", "there is no checks.modules.%s", k.Module)
		return
	}
	if k.Target == "" {
		d.Wrong(field+".target", "must be the target of the module")
	}
	all := Checks{Modules: modules}
	m, err := all.module(k.Module)
	if err != nil {
		return // reported for checks.modules
	}
	k.Prober, k.Probe, k.Address = m.Prober, m, k.Target
	if m.Timeout > 0 && m.Timeout < k.Timeout {
		k.Timeout = m.Timeout
	}
}

func isHostPort(s string) bool {
	u, err := url.Parse("tcp://" + s)
	return err == nil && u.Host == s && u.Hostname() != "" && u.Port() != ""
}

func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || s != "" && !strings.ContainsAny(s, " \t\n/@?#:")
}
