package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/status/config"
)

func TestMistakesAreOneLineEach(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"public: {listen: [nowhere]}", `f:1: public.listen[0]: "nowhere" must be HOST:PORT, such as 127.0.0.1:10091`},
		{"public: {listen: []}", "f:1: public.listen: must have at least one address, HOST:PORT"},
		{"public: {listen: [\"127.0.0.1:1\"]}\nintake: {listen: [\"127.0.0.1:1\"]}", "f:2: intake.listen[0]: 127.0.0.1:1 is the address of public.listen; each needs one of its own"},
		{"intake: {rate: 0}", `f:1: intake.rate: "0" must be a number from 0.1 to 1000`},
		{"database: {address: mysql://x}", "f:1: database.address: allowed are sqlite:PATH and postgres://USER@HOST/DATABASE"},
		{"page: {time_zone: Mars}", `f:1: page.time_zone: "Mars" must be a time zone such as Europe/Stockholm or UTC`},
		{"page: {url: status}", `f:1: page.url: "status" must be an address such as https://status.example.org`},
		{"groups:\n  - id: A\n    name: a", `f:2: groups[0].id: "A" must be 1 to 63 of a-z, 0-9 and -, such as node-2`},
		{"groups:\n  - id: a\n    name: a\n    rollup: most", `f:4: groups[0].rollup: "most" must be worst, redundant, quorum N (at most the number of components) or percent N (1 to 100)`},
		{"groups:\n  - id: a\n    name: a\n    components:\n      - {id: a, name: x}", `f:5: groups[0].components[0].id: "a" is the id of groups[0]; ids are unique`},
		{"groups:\n  - id: a\n    name: a\n    components:\n      - {id: b, parts: [x], start_date: soon}",
			"f:5: groups[0].components[0].name: must not be empty\nf:5: groups[0].components[0].parts: are those of a node; set node as well\nf:5: groups[0].components[0].start_date: \"soon\" must be a date such as 2026-01-31"},
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

// A password is in no text.
func TestAddressesHideTheirPassword(t *testing.T) {
	for _, address := range []string{"postgres://me:geheim@192.0.2.1/db", "postgres://192.0.2.1/db?user=me&password=geheim", "postgres://me:geheim@192.0.2.1:port/db"} {
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
