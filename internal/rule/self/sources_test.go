package self

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func TestKmsgLost(t *testing.T) {
	sc := nodetest.New(nodetest.Over())
	batch := func(lost uint64) {
		sc.See(node.SawKernel{Reading: node.Reading[kmsg.Batch]{Value: kmsg.Batch{Records: 100, Lost: lost}, At: sc.At}})
	}
	batch(0)
	if got := ruletest.Check(sc, kmsgLost()); len(got) != 0 {
		t.Fatalf("got %q, want nothing", ruletest.Said(&got[0]))
	}
	sc.Pass(60)
	batch(7)
	got := ruletest.OnlyOne(t, ruletest.Check(sc, kmsgLost()))
	if want := "warning/operational: 7 kernel log records lost since nodewatch started, the latest at 02:01:00"; ruletest.Said(got) != want {
		t.Errorf("got  %q\nwant %q", ruletest.Said(got), want)
	}
	if want := "7 of 207 records lost"; got.Evidence[0].Fact != want {
		t.Errorf("got %q, want %q", got.Evidence[0].Fact, want)
	}
	if got := ruletest.Check(sc.Pass(299), kmsgLost()); len(got) != 1 {
		t.Error("got nothing just within the window, want a finding")
	}
	if got := ruletest.Check(sc.Pass(2), kmsgLost()); len(got) != 0 {
		t.Errorf("got %q after the window, want nothing", ruletest.Said(&got[0]))
	}
}

func TestSourceStalled(t *testing.T) {
	sc := nodetest.New(nodetest.Over())
	sc.Blind(node.SourceNIC)
	for kind, want := range map[node.ErrorKind]bool{node.Stalled: true, node.Failed: true, node.Denied: true, node.Absent: false} {
		sc.See(node.SawCounters{Reading: node.Reading[[]bond.Counters]{Err: &node.Error{Kind: kind, Text: "why", Remedy: "do this",
			Since: sc.At}}})
		got := ruletest.OnlyOne(t, ruletest.Check(sc, sourceStalled()))
		if (got != nil) != want {
			t.Errorf("%s: got %q, want a finding: %v", kind, ruletest.Said(got), want)
		}
		if got != nil && (got.Subject != node.SourceNIC || got.Advice[0].Do != "do this" || got.Evidence[0].Fact != "why") {
			t.Errorf("%s: got %+v", kind, got)
		}
	}
}

// A source without any reading is stale after three of its rounds and five seconds.
func TestSourceStalledFindsSilence(t *testing.T) {
	for after, want := range map[time.Duration]int{8 * time.Second: 0, 9 * time.Second: 1} {
		sc := nodetest.New(nodetest.Over())
		sc.See(node.SawCounters{Reading: node.Reading[[]bond.Counters]{At: sc.At, Every: time.Second}})
		sc.Wait(after)
		got := ruletest.Check(sc, sourceStalled())
		if len(got) != want {
			t.Errorf("%s after it last spoke: got %d findings, want %d", after, len(got), want)
		}
		if len(got) == 1 && !strings.HasPrefix(got[0].Summary, "source nic is stale since ") {
			t.Errorf("got %q", got[0].Summary)
		}
	}
}

func TestSourceStalledIsNoMatterOfCustomers(t *testing.T) {
	sc := nodetest.New(nodetest.Over())
	sc.Blind(node.SourceBond)
	if got := ruletest.OnlyOne(t, ruletest.Check(sc, sourceStalled())); got.Impact != "" || got.Severity != report.Warning {
		t.Errorf("got %q", ruletest.Said(got))
	}
}
