package fleet_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/fleet"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// node returns a node of site rl1 that has just reported.
func node(n int, client string) fleet.Node {
	b := native.Body{Node: native.Node{ID: fmt.Sprintf("rl1/node%d", n), Site: "rl1"}, Agent: native.Agent{Version: "1.2.3"},
		Status: report.Operational}
	if client != "" {
		b.Inventory = report.Labels{"client": client}
	}
	return fleet.Node{Body: b, Arrived: noon, Interval: 30 * time.Second, TTL: 100 * time.Second}
}

// A value that differs from most of its site is odd; without a majority, none is.
func TestOddOnesOut(t *testing.T) {
	for _, c := range []struct{ clients, want string }{
		{"krbd librbd librbd librbd librbd librbd librbd librbd librbd librbd librbd librbd",
			"rl1/node0: the only one of 12 with RBD client krbd (11 have librbd)"},
		{"krbd krbd librbd librbd librbd",
			"rl1/node0: one of 2 of 5 with RBD client krbd (3 have librbd) rl1/node1: one of 2 of 5 with RBD client krbd (3 have librbd)"},
		{"krbd krbd librbd librbd", ""},
		{"krbd librbd", ""},
		{"krbd librbd librbd", "rl1/node0: the only one of 3 with RBD client krbd (2 have librbd)"},
		{"krbd librbd -", ""},
		{"krbd none librbd", ""},
		{"", ""},
	} {
		var nodes []fleet.Node
		for n, client := range strings.Fields(c.clients) {
			nodes = append(nodes, node(n, strings.Trim(client, "-")))
		}
		var got []string
		for _, r := range fleet.Table(nodes, time.Time{}, noon) {
			for _, o := range r.Odd {
				got = append(got, r.Key+": "+o.String())
			}
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.clients, text, c.want)
		}
	}
}

// A site is compared only with itself, and the version is compared even for nodes without
// an inventory.
func TestSitesAreComparedApart(t *testing.T) {
	var nodes []fleet.Node
	for n := range 6 {
		x := node(n, "")
		if n < 3 {
			x.Body.Node.Site = "rl2"
			x.Body.Inventory = report.Labels{"mtu": "1,500"}
		} else {
			x.Body.Inventory = report.Labels{"mtu": "9,000"}
		}
		if n == 0 {
			x.Body.Agent.Version = "1.2.2"
		}
		nodes = append(nodes, x)
	}
	for _, r := range fleet.Table(nodes, time.Time{}, noon) {
		got := fmt.Sprint(r.Odd)
		want := "[]"
		if r.Key == "rl1/node0" {
			want = "[the only one of 3 with nodewatch version 1.2.2 (2 have 1.2.3)]"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", r.Key, got, want)
		}
	}
}

func TestFilter(t *testing.T) {
	storm := node(0, "krbd")
	storm.Body.Status = report.MajorOutage
	storm.Body.Node.Labels = report.Labels{"rack": "7"}
	storm.Body.Findings = []report.Finding{{Rule: "libceph-crc-storm", Severity: report.Critical, Summary: "78 disks in a CRC storm"}}
	silent := node(1, "librbd")
	silent.Arrived = noon.Add(-time.Hour)
	nodes := []fleet.Node{storm, silent, node(2, "librbd"), node(3, "librbd")}
	nodes[3].Body.Node.Site = "rl2"
	rows := fleet.Table(nodes, time.Time{}, noon)
	for _, c := range []struct {
		f    fleet.Filter
		want string
	}{
		{fleet.Filter{}, "0 1 2 3"}, {fleet.Filter{Site: "rl2"}, "3"}, {fleet.Filter{Status: "bad"}, "0 1"},
		{fleet.Filter{Status: "silent"}, "1"}, {fleet.Filter{Status: "odd"}, "0"},
		{fleet.Filter{Text: "crc STORM"}, "0"}, {fleet.Filter{Text: "rack=7"}, "0"}, {fleet.Filter{Text: "librbd", Site: "rl1"}, "1 2"},
		{fleet.Filter{Text: "librbd", Status: "bad"}, "1"}, {fleet.Filter{Text: "nothing"}, ""},
	} {
		var got []string
		for _, r := range c.f.Apply(rows) {
			got = append(got, strings.TrimPrefix(r.Key, "rl1/node"))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%+v: %s, want %s", c.f, text, c.want)
		}
	}
	if got := strings.Join(fleet.Sites(rows), " "); got != "rl1 rl2" {
		t.Error(got)
	}
}

// Explained findings come after their causes, and no finding is hidden by one that is
// milder, acknowledged or absent.
func TestCauses(t *testing.T) {
	finding := func(rule string, severity report.Severity, by ...string) report.Finding {
		f := report.Finding{Rule: rule, Severity: severity}
		for _, rule := range by {
			f.ExplainedBy = append(f.ExplainedBy, report.Ref{Rule: rule})
		}
		return f
	}
	acknowledged := finding("a", report.Critical)
	acknowledged.Accepted = &report.Accepted{By: "kim"}
	other := finding("a", report.Critical)
	other.Subject = "eth0"
	for _, c := range []struct {
		name              string
		list              []report.Finding
		causes, explained string
	}{
		{"none", nil, "", ""},
		{"one explains two", []report.Finding{finding("b", report.Critical, "a"), finding("a", report.Critical),
			finding("c", report.Info, "x", "a")}, "a", "b c"},
		{"a chain", []report.Finding{finding("a", report.Critical), finding("b", report.Critical, "a"), finding("c", report.Critical, "b")},
			"a", "b c"},
		{"a milder one", []report.Finding{finding("b", report.Critical, "a"), finding("a", report.Warning)}, "b a", ""},
		{"an acknowledged one", []report.Finding{acknowledged, finding("b", report.Critical, "a")}, "a b", ""},
		{"one that was cut", []report.Finding{finding("b", report.Critical, "a")}, "b", ""},
		{"one of another subject", []report.Finding{other, finding("b", report.Critical, "a")}, "a b", ""},
		{"itself", []report.Finding{finding("a", report.Critical, "a")}, "a", ""},
		{"each other", []report.Finding{finding("a", report.Critical, "b"), finding("b", report.Critical, "a")}, "a b", ""},
	} {
		rules := func(list []report.Finding) string {
			var words []string
			for _, f := range list {
				words = append(words, f.Rule)
			}
			return strings.Join(words, " ")
		}
		causes, explained := fleet.Causes(c.list)
		if rules(causes) != c.causes || rules(explained) != c.explained {
			t.Errorf("%s: causes %q, explained %q; want %q and %q", c.name, rules(causes), rules(explained), c.causes, c.explained)
		}
	}
	n := node(0, "krbd")
	n.Body.Findings = []report.Finding{finding("b", report.Critical, "a"), finding("a", report.Critical)}
	n.Body.Findings[1].Summary = "the cause"
	if got := fleet.Table([]fleet.Node{n}, time.Time{}, noon)[0].Headline; got != "the cause" {
		t.Errorf("the headline is %q", got)
	}
}
