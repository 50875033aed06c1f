package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/test/manpage"
)

var update = flag.Bool("update", false, "rewrite the generated documents")

func newPage(t *testing.T, name string, section int, about string) *manpage.Page {
	t.Helper()
	p, err := manpage.New(name, section, about, "../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// commandsPage returns nodewatch-status(1).
func commandsPage(t *testing.T) string {
	code := 0
	app := program{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}.application(context.Background(), &code).Model()
	p := newPage(t, "nodewatch-status", 1, "status page and fleet view for nodewatch")
	p.Synopsis(app)
	p.Section("description")
	p.Text(`nodewatch-status receives the reports of all nodes that run nodewatch, stores their record in SQLite or PostgreSQL, and serves a public status page
and pages for operators. It listens on 127.0.0.1: the public page on port 10091, the operators' pages with /metrics, /-/healthy and /-/ready on
10092, and what nodes report to on 10093.

A running hub reloads its configuration on SIGHUP.`)
	p.Commands(app)
	p.Section("exit status")
	p.Item("0", "", "Done.")
	p.Item("1", "", "It failed: the database is not available, an address is in use, or output cannot be written.")
	p.Item("2", "", "Wrong usage or configuration.")
	p.Section("environment")
	p.Item("NOTIFY_SOCKET", "", "Set by systemd: the socket to which run reports readiness.")
	p.Section("files")
	p.Item("/etc/nodewatch-status/nodewatch-status.yml", "", "The configuration, unless --config.file is set.")
	p.Item("/etc/default/nodewatch-status, /etc/sysconfig/nodewatch-status", "", "ARGS: flags of nodewatch-status run under systemd.")
	p.Item("/var/lib/nodewatch-status/status.db", "", "The database, unless the configuration names another one.")
	p.Item("/usr/lib/sysctl.d/60-nodewatch-status.conf", "", "net.ipv4.ping_group_range, so that checks can ping without capabilities.")
	p.Item("/usr/share/nodewatch-status/prometheus/status.yml", "", "Alert rules for Prometheus.")
	p.Section("examples")
	p.Text("Check the configuration, and let a node report:")
	p.Code("nodewatch-status check-config\nnodewatch-status token create rl1/node2")
	p.Text("Write all data to one file, while the hub runs:")
	p.Code("nodewatch-status backup /var/backups/status.db")
	p.SeeAlso("nodewatch-status.yml(5)", "nodewatch(1)", "systemd.exec(5)")
	return p.String()
}

// configurationPage returns nodewatch-status.yml(5).
func configurationPage(t *testing.T) string {
	p := newPage(t, "nodewatch-status.yml", 5, "configuration of nodewatch-status")
	p.Section("description")
	p.Text(`The file is YAML. Whatever it does not know, and every value that is not allowed, is a mistake, which nodewatch-status check-config prints in one line with
file, line and what is allowed. A field that is not there has its default.`)
	p.Section("settings")
	for _, s := range settings(t) {
		p.Item(s.field, "", s.sentence())
	}
	p.Section("exit status")
	p.Text("nodewatch-status check-config exits with 0 if the file is right, and otherwise with 2 and one line for each error.")
	p.Section("environment")
	p.Text("None is read.")
	p.Section("files")
	p.Item("/etc/nodewatch-status/nodewatch-status.yml", "", "The file.")
	p.Item("/usr/share/doc/nodewatch-status/examples", "", "Examples.")
	p.Section("examples")
	example, err := os.ReadFile("../../packaging/nodewatch-status.yml")
	if err != nil {
		t.Fatal(err)
	}
	p.Code(string(example))
	p.SeeAlso("nodewatch-status(1)", "nodewatch.yml(5)")
	return p.String()
}

// The man pages and the table of the settings are generated from the command line and
// the configuration.
func TestDocsOfTheCommandsAreFresh(t *testing.T) {
	for file, text := range map[string]string{
		"man/nodewatch-status.1": commandsPage(t), "man/nodewatch-status.yml.5": configurationPage(t),
		"status-configuration.md": settingsPage(t),
	} {
		file = filepath.Join("../../docs", file)
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, string(raw)); diff != "" {
			t.Errorf("%s is stale; make docs writes it (-now +file)\n%s", file, diff)
		}
	}
}
