package node

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/host"
)

// slaveCounts returns a reading without NICs, from a source that reports each second.
func slaveCounts(at float64) Observation {
	return SawCounters{Reading[[]bond.Counters]{At: after(at), Every: time.Second}}
}

func broken(at float64, kind ErrorKind) Observation {
	return SawCounters{Reading[[]bond.Counters]{Every: time.Second, Err: &Error{Kind: kind, Text: "why", Since: after(at)}}}
}

func TestStatesOfASource(t *testing.T) {
	start := took(Snapshot{}, 0, Started{Sources: []Source{{Name: SourceNIC, Every: time.Second}}})
	for what, c := range map[string]struct {
		list  map[float64]Observation
		now   float64
		state string
		since float64
		blind ErrorKind // empty: available
		fails uint64
	}{
		"nothing yet":         {nil, 3, "starting", 0, Failed, 0},
		"good":                {map[float64]Observation{1: slaveCounts(1), 2: slaveCounts(2)}, 3, "ok", 1, "", 0},
		"late, but not stale": {map[float64]Observation{1: slaveCounts(1)}, 9, "ok", 1, "", 0},
		"stale":               {map[float64]Observation{1: slaveCounts(1)}, 9.1, "stale", 1, Stalled, 0},
		"stalled":             {map[float64]Observation{1: slaveCounts(1), 2: broken(2, Stalled)}, 3, "stalled", 2, Stalled, 1},
		"stalled for longer": {map[float64]Observation{1: slaveCounts(1), 2: broken(2, Stalled), 5: broken(5, Stalled)}, 6, "stalled", 2,
			Stalled, 2},
		"then broken otherwise": {map[float64]Observation{2: broken(2, Stalled), 5: broken(5, Failed)}, 6, "failed", 5, Failed, 2},
		"back again":            {map[float64]Observation{1: slaveCounts(1), 2: broken(2, Denied), 5: slaveCounts(5)}, 6, "ok", 1, "", 1},
		"never good":            {map[float64]Observation{2: broken(2, Absent)}, 6, "absent", 2, Absent, 1},
	} {
		s := start
		for _, at := range sortedKeys(c.list) {
			s = took(s, at, c.list[at])
		}
		s = s.Take(Entry{At: after(c.now)})
		src, found := s.Source(SourceNIC)
		state, since := src.State(s.Started, s.Now)
		if !found || state != c.state || !since.Equal(after(c.since)) || src.Failures != c.fails {
			t.Errorf("%s: got %s since %v with %d failures, want %s since %v with %d", what, state, since.Sub(t0).Seconds(), src.Failures,
				c.state, c.since, c.fails)
		}
		var blind ErrorKind
		if err := s.Blind(SourceNIC); err != nil {
			blind = err.Kind
		}
		if blind != c.blind {
			t.Errorf("%s: blind %q, want %q", what, blind, c.blind)
		}
	}
}

func TestASourceThatIsNotConfigured(t *testing.T) {
	s := took(Snapshot{}, 0, Started{Sources: []Source{{Name: SourceNIC}}})
	if err := s.Blind(SourceCeph); err == nil || err.Kind != Absent {
		t.Errorf("got %+v, want absent", err)
	}
	if s = took(s, 1, SawHost{read(1, host.State{})}); s.Blind(SourceHost) != nil {
		t.Error("a source that speaks without having been announced can be heard all the same")
	}
	if len(s.Sources) != 2 || s.Sources[0].Name != SourceHost {
		t.Errorf("got %+v, want them by name", s.Sources)
	}
}

func TestCompleteOnceEverySourceHasSpoken(t *testing.T) {
	if (Snapshot{}).Complete() {
		t.Error("a snapshot without sources is complete")
	}
	s := took(Snapshot{}, 0, Started{Sources: []Source{{Name: SourceNIC}, {Name: SourceHost}}})
	if s = took(s, 1, broken(1, Failed)); s.Complete() {
		t.Error("complete before host has spoken")
	}
	if s = took(s, 2, SawHost{read(2, host.State{})}); !s.Complete() {
		t.Error("not complete though both have spoken, one to say that it is blind")
	}
}

func TestStartedForgetsTheDaemonBefore(t *testing.T) {
	s := took(lived(), 500, Started{Node: "node2", Version: "2", Sources: []Source{{Name: SourceNIC}}})
	if len(s.NICs) != 0 || len(s.Kernel.Series) != 0 || len(s.Mapped.Value) != 0 || len(s.Sources) != 1 || !s.Started.Equal(after(500)) ||
		s.Version != "2" {
		t.Errorf("got %+v", s)
	}
}

func TestHungTasksByTheKernelsCount(t *testing.T) {
	seen := func(s Snapshot, at float64, boot string, n uint64) Snapshot {
		return took(s, at, SawHost{read(at, host.State{BootID: boot, Hung: &n})})
	}
	s := seen(Snapshot{}, 0, "a", 40)
	if got := s.HungWithin(10 * time.Minute); got != 0 {
		t.Errorf("got %d hung tasks of the time before", got)
	}
	s = seen(seen(s, 5, "a", 42), 30, "a", 43)
	if got := s.HungWithin(10 * time.Minute); got != 3 {
		t.Errorf("got %d hung tasks, want 3", got)
	}
	if got := s.HungWithin(20 * time.Second); got != 1 {
		t.Errorf("got %d hung tasks in 20 s, want 1", got)
	}
	for what, next := range map[string]Snapshot{
		"another boot": seen(s, 31, "b", 900), "fewer": seen(s, 31, "a", 1),
		"not said": took(s, 31, SawHost{read(31, host.State{BootID: "a"})}),
	} {
		if got := next.HungWithin(10 * time.Minute); got != 3 {
			t.Errorf("%s: got %d hung tasks, want the three of before", what, got)
		}
	}
	blind := took(s, 40, SawHost{Reading[host.State]{Err: &Error{Kind: Failed, Since: after(40)}}})
	if blind.Host.Value.BootID != "a" || !blind.Before.At.Equal(after(5)) {
		t.Errorf("got host %+v, before %s", blind.Host, blind.Before.At)
	}
}
