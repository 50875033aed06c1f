package all_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// story is five minutes of failures on a node with two bonds, in which most rules
// have findings and several sources go blind.
func story() []node.Entry {
	second := nodetest.PlainBond(bond.BalanceXOR, bond.Layer2)
	second.Name, second.Index = "bond1", 11
	for i, name := range []string{"eth2", "eth3"} {
		second.Slaves[i].Name, second.Slaves[i].Index = name, 4+i
	}
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2), second)).MapDisks(3,
		"192.0.2.2").SeeHost(host.State{Release: "6.1.0"}).SeeGuests(nodetest.VMs(8, 0, "")...)
	calm, stalled := nodetest.IO{Done: 2, Ms: 5, InFlight: 2}, nodetest.IO{InFlight: 2}
	lines := func(class kmsg.Class, n uint64) {
		sc.Log(kmsg.Count{Class: class, Peer: "osd3", Addr: "192.0.2.33:6801", N: n, Text: "libceph: osd3 (1)192.0.2.33:6801 ..."})
	}
	sc.See(node.SawKernel{Reading: nodetest.Reading(sc.At, 0, kmsg.Batch{Records: 1})})
	sc.Carry("eth0", 1, 1).Carry("eth2", 4, 0.1).Do(calm).Pass(60)
	sc.Carry("eth1", 9.7, 0.4)
	sc.Traffic["eth1"].Missed = 4000
	sc.Pass(20)
	sc.Do(stalled)
	for range 30 { // a storm
		lines(kmsg.CRC, 5)
		lines(kmsg.ClosedOpen, 2)
		sc.Pass(1)
	}
	sc.SeeHost(host.State{Release: "6.1.0", IO: &host.Pressure{Full10: 80, Some10: 90}})
	sc.SeeGuests(nodetest.VMs(8, 4, "ioerror")...)
	sc.See(node.SawKernel{Reading: nodetest.Reading(sc.At, 0, kmsg.Batch{Records: 9, Lost: 1000})})
	sc.Pass(25)
	sc.Blind(node.SourceNIC)
	sc.Blind(node.SourceHost)
	for range 30 {
		sc.Wait(time.Second)
	}
	nodetest.Lose(&sc.Links.Bonds[1].Slaves[0])
	sc.Links.Bonds[0].Slaves[1].Partner = new(bond.PortState(0x07))
	sc.SeeLinks()
	sc.Traffic["eth1"].Missed = 0
	sc.Carry("eth1", 1, 1).SeeHost(host.State{Release: "6.1.0"}).SeeGuests(nodetest.VMs(8, 0, "")...)
	sc.Do(calm).Pass(60)
	sc.See(node.Settings{Off: []string{"bond-hash-layer2", "layer2-bond-krbd"}})
	sc.Pass(60)
	return sc.Tape
}

// printed replays the tape and returns each report as JSON.
func printed(t *testing.T, b rule.RuleSet, tape []node.Entry) []string {
	t.Helper()
	j := judge.New(b)
	var all []string
	for _, e := range tape {
		if v, judged := j.Take(e); judged {
			raw, err := json.Marshal(v.Report)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(raw))
		}
	}
	return all
}

func TestTheSameTapeGivesTheSameReports(t *testing.T) {
	tape := story()
	first, second := printed(t, all.Default(), tape), printed(t, all.Default(), tape)
	if len(first) < 200 {
		t.Fatalf("got %d reports, want one a second", len(first))
	}
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("report %d differs (-first +second):\n%s", i, cmp.Diff(first[i], second[i]))
		}
	}
	for _, id := range []string{"bond-degraded", "bond-lacp", "nic-drops", "nic-saturated", "bond-hash-layer2", "host-io-pressure",
		"vm-paused", "kmsg-lost", "source-stalled"} {
		if !strings.Contains(strings.Join(first, "\n"), `"rule":"`+id+`"`) {
			t.Errorf("the story says nothing of %s: it proves less than it should", id)
		}
	}
}

// The order of the rules determines the order of the findings and nothing else in a
// report.
func TestTheOrderOfRulesDoesNotMatter(t *testing.T) {
	// settings contain the default order
	tape := slices.DeleteFunc(story(), func(e node.Entry) bool { _, is := e.Obs.(node.Settings); return is })
	reversed := all.Default()
	reversed.Rules = slices.Clone(reversed.Rules)
	slices.Reverse(reversed.Rules)
	there, back := findingsOf(t, all.Default(), tape), findingsOf(t, reversed, tape)
	if diff := cmp.Diff(there, back); diff != "" {
		t.Errorf("findings differ (-in order +reversed):\n%s", diff)
	}
}

// findingsOf replays the tape and returns the findings of each report, sorted by rule and
// subject.
func findingsOf(t *testing.T, b rule.RuleSet, tape []node.Entry) [][]string {
	t.Helper()
	j := judge.New(b)
	var all [][]string
	for _, e := range tape {
		v, judged := j.Take(e)
		if !judged {
			continue
		}
		var list []string
		for _, f := range v.Report.Findings {
			// the order of ExplainedBy depends on the order of the rules
			slices.SortFunc(f.ExplainedBy, func(a, b report.Ref) int { return strings.Compare(a.Rule+a.Subject, b.Rule+b.Subject) })
			raw, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, string(raw))
		}
		slices.Sort(list)
		all = append(all, list)
	}
	return all
}

// Every report must be readable and valid according to its schema.
func TestEveryFindingOfTheStoryIsFitToRead(t *testing.T) {
	j := judge.New(all.Default())
	for _, e := range story() {
		v, judged := j.Take(e)
		if !judged {
			continue
		}
		for _, f := range v.Report.Findings {
			if f.Summary == "" || strings.ContainsAny(f.Summary, "\n\t") || len(f.Summary) > 400 || strings.Contains(f.Summary, "%!") {
				t.Fatalf("%s: summary %q", f.Rule, f.Summary)
			}
			if len(f.Evidence) == 0 || len(f.Evidence) > 40 || len(f.Advice) == 0 || f.Severity.Rank() == 0 {
				t.Fatalf("%s: %d facts, %d advices, severity %q", f.Rule, len(f.Evidence), len(f.Advice), f.Severity)
			}
			if f.Since.IsZero() || f.LastSeen.Before(f.Since) || f.LastSeen.After(v.Report.At) {
				t.Fatalf("%s: since %s, last seen %s, at %s", f.Rule, f.Since, f.LastSeen, v.Report.At)
			}
			for _, fact := range slices.Concat(f.Evidence, f.Against) {
				if fact.Source == "" || fact.Fact == "" || fact.At.IsZero() || strings.Contains(fact.Fact, "%!") {
					t.Fatalf("%s: evidence %+v", f.Rule, fact)
				}
			}
		}
	}
}
