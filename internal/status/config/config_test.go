package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
)

func TestMistakesAreOneLineEach(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"public: {listen: [nowhere]}", `f:1: public.listen[0]: "nowhere" must be HOST:PORT, such as 127.0.0.1:10091`},
		{"public: {listen: []}", "f:1: public.listen: must have at least one address, HOST:PORT"},
		{"public: {listen: [\"127.0.0.1:1\"]}\nintake: {listen: [\"127.0.0.1:1\"]}",
			"f:2: intake.listen[0]: 127.0.0.1:1 is already the address of public.listen; each listener needs its own"},
		{"intake: {rate: 0}", `f:1: intake.rate: "0" is not allowed: must be a number from 0.1 to 1000`},
		{"database: {address: mysql://x}", "f:1: database.address: allowed are sqlite:PATH and postgres://USER@HOST/DATABASE"},
		{"page: {time_zone: Mars}", `f:1: page.time_zone: "Mars" must be a time zone such as Europe/Stockholm or UTC`},
		{"page: {url: status}", `f:1: page.url: "status" must be an address such as https://status.example.org`},
		{"groups:\n  - id: A\n    name: a", `f:2: groups[0].id: "A" must be 1 to 63 of a-z, 0-9 and -, such as node-2`},
		{"groups:\n  - id: a\n    name: a\n    rollup: most",
			`f:4: groups[0].rollup: "most" must be worst, redundant, quorum N (at most the number of components) or percent N (1 to 100)`},
		{"groups:\n  - id: a\n    name: a\n    components:\n      - {id: a, name: x}",
			`f:5: groups[0].components[0].id: "a" is the id of groups[0]; ids are unique`},
		{"groups:\n  - id: a\n    name: a\n    components:\n      - {id: b, parts: [x], start_date: soon}",
			"f:5: groups[0].components[0].name: must not be empty\nf:5: groups[0].components[0].parts: requires node to be set as well\nf:5: groups[0].components[0].start_date: \"soon\" must be a date such as 2026-01-31"},
	} {
		_, err := config.Parse("f", []byte(c.file))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n%v\nwant\n%s", c.file, err, c.want)
		}
	}
}

func TestAnEmptyFileIsTheDefault(t *testing.T) {
	c, err := config.Parse("f", nil)
	if err != nil || c.Database.Address.Path != "/var/lib/nodewatch-status/status.db" || c.Page.Zone == nil {
		t.Errorf("%+v %v", c, err)
	}
}

// No text contains a password.
func TestAddressesHideTheirPassword(t *testing.T) {
	for _, address := range []string{"postgres://me:geheim@192.0.2.1/db", "postgres://192.0.2.1/db?user=me&password=geheim",
		"postgres://me:geheim@192.0.2.1:port/db"} {
		a, err := config.ParseAddress(address)
		if err != nil {
			if strings.Contains(err.Error(), "geheim") {
				t.Errorf("%v", err)
			}
			continue
		}
		if text := a.String() + a.Redact(errors.New("cannot reach "+address)).Error(); strings.Contains(text, "geheim") {
			t.Error(text)
		}
	}
}

func TestMistakesInChecks(t *testing.T) {
	const one = "groups:\n  - id: g\n    name: g\n    components:\n      - {id: c, name: c, check: {%}}"
	for _, c := range []struct{ check, modules, want string }{
		{"", "", "must have one of http, tcp, tls, dns, icmp and module"},
		{"http: 'http://x/', tcp: 'x:1'", "", "must have one of http, tcp, tls, dns, icmp and module; it has several"},
		{"http: x", "", `http: "x" must be an address such as https://webmail.example.org/`},
		{"http: 'file:///etc/passwd'", "", `http: "file:///etc/passwd" must be an address such as https://webmail.example.org/`},
		{"tcp: x", "", `tcp: "x" must be HOST:PORT, such as mail.example.org:993`},
		{"tls: 'a b:1'", "", `tls: "a b:1" must be HOST:PORT, such as mail.example.org:993`},
		{"icmp: 'x:1'", "", `icmp: "x:1" must be the name or address of a host`},
		{"dns: x", "", "query: must be the name to query"},
		{"dns: x, query: y, query_type: ANY", "", `query_type: "ANY" must be one of A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT`},
		{"icmp: x, text: y", "", "text: is only for checks by http, tcp, tls, dns"},
		{"tcp: 'x:1', expiry_days: 7", "", "expiry_days: is only for checks by http, tls, module"},
		{"http: 'http://x/', every: 10s, timeout: 20s", "", "timeout: 20s is longer than every, which is 10s"},
		{"http: 'http://x/', every: 1s", "", `every: "1s" is not allowed: must be a duration from 5s to 1h`},
		{"http: 'http://x/', impact: down", "",
			`impact: "down" is not allowed: must be one of degraded_performance, partial_outage, major_outage`},
		{"module: m, target: x", "", "module: there is no checks.modules.m"},
		{"module: m", "m: {prober: tcp}", "target: must be the target of the module"},
		{"module: m, target: x", "m: {prober: icmp}",
			`checks.modules.m: the prober "icmp" must be one of http, tcp, dns, grpc; for ICMP use check: {icmp: HOST}`},
		{"module: m, target: x", "m: {prober: http, http: {colour: red}}", "checks.modules.m: field colour not found in type config.plain"},
		{"module: m, target: x", "m: {prober: tcp, tcp: {query_response: [{expect: '('}]}}",
			`checks.modules.m: "Could not compile regular expression" regexp="("`},
	} {
		file := strings.Replace(one, "%", c.check, 1)
		if c.modules != "" {
			file += "\nchecks: {modules: {" + c.modules + "}}"
		}
		_, err := config.Parse("f", []byte(file))
		text := ""
		if err != nil {
			text = strings.TrimPrefix(strings.TrimPrefix(strings.TrimLeft(strings.TrimPrefix(err.Error(), "f:"), "0123456789"), ": "),
				"groups[0].components[0].check")
		}
		if got := strings.TrimLeft(text, ".: "); got != c.want {
			t.Errorf("{%s} %s:\n%s\nwant\n%s", c.check, c.modules, got, c.want)
		}
	}
}

// Redirects are followed only if the file allows them, and a page is read up to a
// limit.
func TestModules(t *testing.T) {
	for module, follows := range map[string]bool{"{prober: http}": false, "{prober: http, http: {follow_redirects: true}}": true,
		"{prober: http, timeout: 3s, http: {body_size_limit: 1MB}}": false} {
		c, err := config.Parse("f", []byte("checks: {modules: {m: "+module+
			"}}\ngroups: [{id: g, name: g, components: [{id: c, name: c, check: {module: m, target: 'http://x/'}}]}]"))
		if err != nil {
			t.Errorf("%s: %v", module, err)
			continue
		}
		k := c.Groups[0].Components[0].Check
		if k.Probe.HTTP.HTTPClientConfig.FollowRedirects != follows || k.Probe.HTTP.BodySizeLimit <= 0 || !k.Probe.HTTP.IPProtocolFallback {
			t.Errorf("%s: %+v", module, k.Probe.HTTP)
		}
		if strings.Contains(module, "3s") != (k.Timeout == 3*time.Second) {
			t.Errorf("%s: %v", module, k.Timeout)
		}
	}
}
