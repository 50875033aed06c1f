// Package config reads the configuration file of nodewatch-status: where it
// listens, its database, and the public page with its groups and components.
package config

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/strictyaml"
)

// A Config is the whole configuration.
type Config struct {
	Public    Listener  `yaml:"public"`
	Operators Operators `yaml:"operators"`
	Intake    Intake    `yaml:"intake"`
	Database  Database  `yaml:"database"`
	Page      Page      `yaml:"page"`
	Groups    []Group   `yaml:"groups"`
	Incidents Incidents `yaml:"incidents"`
	Checks    Checks    `yaml:"checks"`
}

// A Listener is an address on which something is served.
type Listener struct {
	Listen  []string `yaml:"listen"`          // addresses, HOST:PORT
	WebFile string   `yaml:"web_config_file"` // file for TLS and basic auth, in exporter-toolkit's format; empty: neither
}

// An Intake configures where and how reports are received.
type Intake struct {
	Listen  []string      `yaml:"listen"`                          // addresses, HOST:PORT
	WebFile string        `yaml:"web_config_file"`                 // file for TLS and basic auth, in exporter-toolkit's format; empty: neither
	Next    time.Duration `yaml:"next_interval" min:"1s" max:"1h"` // interval at which nodes report; 0: the interval of the node's configuration
	Rate    float64       `yaml:"rate" min:"0.1" max:"1000"`       // requests per second that one node may send
}

// A Database is the location of the data.
type Database struct {
	Text string `yaml:"address"`      // address of the database: sqlite:PATH or postgres://USER@HOST/DATABASE
	File string `yaml:"address_file"` // file with the address, if that contains a password

	Address Address // parsed from Text or, once it has been read, from the content of File
}

// A Page contains the settings of the public page as a whole.
type Page struct {
	Title     string  `yaml:"title"`     // heading of the page
	URL       string  `yaml:"url"`       // public address of the page; unset: the first address of public.listen
	TimeZone  string  `yaml:"time_zone"` // IANA time zone, such as Europe/Stockholm
	About     string  `yaml:"about"`     // Markdown text after the incidents, such as contact information
	Footer    string  `yaml:"footer"`    // Markdown text at the end of the page
	NoIndex   bool    `yaml:"no_index"`  // asks search engines not to index the page
	Weights   Weights `yaml:"weights"`
	UnknownAs string  `yaml:"unknown_as"` // state that the Statuspage API returns for an unknown one

	Zone *time.Location // of TimeZone
}

// Weights define how much of a second in a state counts as downtime, in percent.
type Weights struct {
	Major    int  `yaml:"major_outage" min:"0" max:"100"`         // percent of the time of a major outage that counts as down
	Partial  int  `yaml:"partial_outage" min:"0" max:"100"`       // percent of the time of a partial outage that counts as down
	Degraded int  `yaml:"degraded_performance" min:"0" max:"100"` // percent of the time of degraded performance that counts as down
	Strict   bool `yaml:"unknown_is_down"`                        // counts unknown time as down; otherwise it does not count at all
}

// A Group is a heading with its components.
type Group struct {
	ID          string      `yaml:"id"`          // unique id, 1 to 63 characters of a-z, 0-9 and -; part of addresses
	Name        string      `yaml:"name"`        // heading of the group
	Description string      `yaml:"description"` // line below the heading
	Rollup      string      `yaml:"rollup"`      // how the state follows from the components: worst, redundant, quorum N, percent N
	Approval    bool        `yaml:"approval"`    // its incidents are drafts until an operator publishes them
	Components  []Component `yaml:"components"`

	Policy Policy // Rollup, parsed
}

// A Policy defines how the state of a group follows from its components.
type Policy struct {
	Kind string // worst, redundant, quorum, percent
	N    int    // quorum: number of members that must work; percent: their percentage
}

// A Component is one line of the public page.
type Component struct {
	ID          string   `yaml:"id"`          // unique id, 1 to 63 characters of a-z, 0-9 and -; part of addresses
	Name        string   `yaml:"name"`        // name for customers
	Description string   `yaml:"description"` // short text beside the name
	Node        string   `yaml:"node"`        // node.id of the reports that set its state
	Parts       []string `yaml:"parts"`       // components of the node that count; empty: all with an impact on customers
	StartDate   string   `yaml:"start_date"`  // start of its record, YYYY-MM-DD in the page's time zone
	Check       *Check   `yaml:"check"`       // the hub's own check; with a node: used only while the node is silent

	Start time.Time // date of StartDate; zero: from the first record on
}

// Default returns the configuration to start from.
func Default() Config {
	return Config{
		Public: Listener{Listen: []string{"127.0.0.1:10091"}}, Operators: Operators{Listen: []string{"127.0.0.1:10092"}},
		Intake:    Intake{Listen: []string{"127.0.0.1:10093"}, Rate: 2},
		Database:  Database{Text: "sqlite:/var/lib/nodewatch-status/status.db"},
		Page:      Page{Title: "Status", TimeZone: "UTC", Weights: Weights{Major: 100, Partial: 30}, UnknownAs: "degraded_performance"},
		Incidents: Incidents{After: time.Minute, CloseAfter: 10 * time.Minute, ReopenWithin: 15 * time.Minute},
		Checks:    Checks{Concurrent: 20},
	}
}

// MaxSize is the maximum size of the file, in bytes.
const MaxSize = 4 << 20

// maxComponents is the maximum number of components in all groups.
const maxComponents = 10000

// Parse parses the content of a file. Its error is of type strictyaml.Errors and
// lists all mistakes, one per line.
func Parse(name string, raw []byte) (Config, error) {
	c := Default()
	if len(raw) > MaxSize {
		return c, strictyaml.Errors{{File: name, Line: 1, Text: fmt.Sprintf("is larger than %d MiB", MaxSize>>20)}}
	}
	d := strictyaml.Decode(name, raw, &c)
	c.check(d)
	if err := d.Report(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (c *Config) check(d *strictyaml.Document) {
	listeners(d, "public.listen", c.Public.Listen)
	listeners(d, "operators.listen", c.Operators.Listen)
	listeners(d, "intake.listen", c.Intake.Listen)
	c.Operators.Proxy.check(d)
	taken := map[string]string{}
	for _, l := range []struct {
		field string
		list  []string
	}{{"public.listen", c.Public.Listen}, {"operators.listen", c.Operators.Listen}, {"intake.listen", c.Intake.Listen}} {
		for i, address := range l.list {
			if other, is := taken[address]; is && !strings.HasSuffix(address, ":0") {
				d.Wrong(fmt.Sprintf("%s[%d]", l.field, i), "%s is already the address of %s; each listener needs its own", address, other)
			}
			taken[address] = l.field
		}
	}
	if c.Database.File == "" {
		a, err := ParseAddress(c.Database.Text)
		if err != nil {
			d.Wrong("database.address", "%v", err)
		}
		c.Database.Address = a
	}
	c.Page.check(d)
	if c.Page.URL == "" && len(c.Public.Listen) > 0 {
		c.Page.URL = "http://" + c.Public.Listen[0] + "/"
	}
	c.groups(d)
	c.Checks.check(d)
}

func listeners(d *strictyaml.Document, field string, list []string) {
	if len(list) == 0 {
		d.Wrong(field, "must have at least one address, HOST:PORT")
	}
	for i, address := range list {
		u, err := url.Parse("tcp://" + address)
		if err != nil || u.Host != address || u.Port() == "" {
			d.Wrong(fmt.Sprintf("%s[%d]", field, i), "%q must be HOST:PORT, such as 127.0.0.1:10091", address)
		}
	}
}

func (p *Page) check(d *strictyaml.Document) {
	if p.Title == "" {
		d.Wrong("page.title", "must not be empty")
	}
	p.unknownAs(d)
	if u, err := url.Parse(p.URL); p.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" ||
		u.RawQuery != "" || u.Fragment != "") {
		d.Wrong("page.url", "%q must be an address such as https://status.example.org", p.URL)
	}
	zone, err := time.LoadLocation(p.TimeZone)
	if err != nil || p.TimeZone == "Local" {
		d.Wrong("page.time_zone", "%q must be a time zone such as Europe/Stockholm or UTC", p.TimeZone)
		zone = time.UTC
	}
	p.Zone = zone
}

// word matches ids, which are part of addresses.
var word = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (c *Config) groups(d *strictyaml.Document) {
	ids, count := map[string]string{}, 0
	id := func(field, id string) {
		switch other, is := ids[id]; {
		case !word.MatchString(id):
			d.Wrong(field, "%q must be 1 to 63 of a-z, 0-9 and -, such as node-2", id)
		case is:
			d.Wrong(field, "%q is the id of %s; ids are unique", id, other)
		}
		ids[id] = strings.TrimSuffix(field, ".id")
	}
	for i := range c.Groups {
		g, field := &c.Groups[i], fmt.Sprintf("groups[%d]", i)
		id(field+".id", g.ID)
		if g.Name == "" {
			d.Wrong(field+".name", "must not be empty")
		}
		g.policy(d, field)
		for k := range g.Components {
			if count++; count > maxComponents {
				d.Wrong(field, "more than %d components", maxComponents)
				return
			}
			x, field := &g.Components[k], fmt.Sprintf("%s.components[%d]", field, k)
			id(field+".id", x.ID)
			x.check(d, field, c.Page.Zone)
			if x.Check != nil {
				x.Check.check(d, field+".check", c.Checks.Modules)
			}
		}
	}
}

func (g *Group) policy(d *strictyaml.Document, field string) {
	kind, number, _ := strings.Cut(g.Rollup, " ")
	n, err := strconv.Atoi(number)
	switch {
	case g.Rollup == "":
		g.Policy = Policy{Kind: "worst"}
	case (kind == "worst" || kind == "redundant") && number == "":
		g.Policy = Policy{Kind: kind}
	case kind == "quorum" && err == nil && n >= 1 && n <= max(len(g.Components), 1), kind == "percent" && err == nil && n >= 1 && n <= 100:
		g.Policy = Policy{Kind: kind, N: n}
	default:
		d.Wrong(field+".rollup", "%q must be worst, redundant, quorum N (at most the number of components) or percent N (1 to 100)", g.Rollup)
	}
}

func (x *Component) check(d *strictyaml.Document, field string, zone *time.Location) {
	if x.Name == "" {
		d.Wrong(field+".name", "must not be empty")
	}
	if len(x.Parts) > 0 && x.Node == "" {
		d.Wrong(field+".parts", "requires node to be set as well")
	}
	if strings.ContainsAny(x.Node, " \t\n") || path.Clean("/"+x.Node) == "/" && x.Node != "" {
		d.Wrong(field+".node", "%q must be the id of a node, SITE/NODE", x.Node)
	}
	if x.StartDate != "" {
		start, err := time.ParseInLocation(time.DateOnly, x.StartDate, zone)
		if err != nil {
			d.Wrong(field+".start_date", "%q must be a date such as 2026-01-31", x.StartDate)
		}
		x.Start = start
	}
}
