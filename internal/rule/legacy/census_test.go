package legacy

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// With a census that all rules share, in whatever order they ask it and whatever it
// counted before, each finds what it finds by itself.
func TestCensusChangesNoFinding(t *testing.T) {
	var shared *census
	for seed := range uint64(12) {
		r := chaos(t, seed)
		for round := range 2 {
			shared = shared.next()
			rules := storageRules()
			rand.New(rand.NewPCG(seed, uint64(round))).Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
			for _, rule := range rules {
				in := Input{Snapshot: r.view.Snapshot, Raised: raisedOf(r.view.Report, rule.ID)}
				alone := rule.Check(in)
				in.census = shared
				if diff := cmp.Diff(alone, rule.Check(in)); diff != "" {
					t.Fatalf("seed %d: %s (-alone +shared)\n%s", seed, rule.ID, diff)
				}
			}
			r.run(1)
		}
	}
}

// What a census keeps for its memory is not taken for a count.
func TestCensusForgets(t *testing.T) {
	r := newRig(t, 1).run(2)
	shared := (*census)(nil).next()
	in := Input{Snapshot: r.log("crc-fault", "osd1", 3).run(1).view.Snapshot, census: shared}
	if got := in.lost("crc-fault", time.Minute); len(got) != 1 || got[0].n != 3 {
		t.Fatalf("got %+v, want 3 lines of osd1", got)
	}
	in = Input{Snapshot: r.run(80).view.Snapshot, census: shared.next()}
	if got := in.lost("crc-fault", time.Minute); len(got) != 0 {
		t.Errorf("got %+v a minute later, want none", got)
	}
	if n := len(in.census.next().next().lines); n != 0 {
		t.Errorf("got the memory of %d counts that nobody has asked for since, want none", n)
	}
}
