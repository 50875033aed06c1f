package legacy

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func TestKmsgLost(t *testing.T) {
	sc := newScene(over())
	batch := func(lost uint64) {
		sc.see(node.SawKernel{Reading: node.Reading[kmsg.Batch]{Value: kmsg.Batch{Records: 100, Lost: lost}, At: sc.at}})
	}
	batch(0)
	if got := sc.check(kmsgLost()); len(got) != 0 {
		t.Fatalf("got %q, want nothing", said(&got[0]))
	}
	sc.pass(60)
	batch(7)
	got := onlyOne(t, sc.check(kmsgLost()))
	if want := "warning/operational: 7 kernel log records were lost since nodewatch started, the latest at 02:01:00"; said(got) != want {
		t.Errorf("got  %q\nwant %q", said(got), want)
	}
	if want := "7 of 207 records lost"; got.Evidence[0].Fact != want {
		t.Errorf("got %q, want %q", got.Evidence[0].Fact, want)
	}
	if got := sc.pass(299).check(kmsgLost()); len(got) != 1 {
		t.Error("got nothing just within the window, want a finding")
	}
	if got := sc.pass(2).check(kmsgLost()); len(got) != 0 {
		t.Errorf("got %q after the window, want nothing", said(&got[0]))
	}
}

func TestSourceStalled(t *testing.T) {
	sc := newScene(over())
	sc.blind(node.SourceNIC)
	for kind, want := range map[node.ErrorKind]bool{node.Stalled: true, node.Failed: true, node.Denied: true, node.Absent: false} {
		sc.see(node.SawCounters{Reading: node.Reading[[]bond.Counters]{Err: &node.Error{Kind: kind, Text: "why", Remedy: "do this", Since: sc.at}}})
		got := onlyOne(t, sc.check(sourceStalled()))
		if (got != nil) != want {
			t.Errorf("%s: got %q, want a finding: %v", kind, said(got), want)
		}
		if got != nil && (got.Subject != node.SourceNIC || got.Advice[0].Do != "do this" || got.Evidence[0].Fact != "why") {
			t.Errorf("%s: got %+v", kind, got)
		}
	}
}

// A source that says nothing at all is stale after three of its rounds and five seconds.
func TestSourceStalledFindsSilence(t *testing.T) {
	sc := newScene(over())
	sc.see(node.SawCounters{Reading: node.Reading[[]bond.Counters]{At: sc.at, Every: time.Second}})
	at := sc.at
	for after, want := range map[time.Duration]int{8 * time.Second: 0, 9 * time.Second: 1} {
		sc.s = sc.s.Take(node.Entry{At: at.Add(after)})
		got := sc.check(sourceStalled())
		if len(got) != want {
			t.Errorf("%s after it last spoke: got %d findings, want %d", after, len(got), want)
		}
		if len(got) == 1 && !strings.HasPrefix(got[0].Summary, "source nic is stale since ") {
			t.Errorf("got %q", got[0].Summary)
		}
	}
}

func TestSourceStalledIsNoMatterOfCustomers(t *testing.T) {
	sc := newScene(over())
	sc.blind(node.SourceBond)
	if got := onlyOne(t, sc.check(sourceStalled())); got.Impact != report.Operational || got.Severity != report.Warning {
		t.Errorf("got %q", said(got))
	}
}
