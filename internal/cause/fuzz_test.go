package cause

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// The maximum size of an analysis' evidence for one cause, however much was observed.
const mostEvidence = 500

// FuzzFactsAndCauses: facts and causes are derived from any observations in any order
// without a panic; repeated evaluation returns the same result; no session is lost in
// the future, and no more are lost in a minute than in ten; each cause is named once,
// and its evidence is bounded.
func FuzzFactsAndCauses(f *testing.F) {
	seed := func(list ...node.Observation) {
		var out []byte
		for _, o := range list {
			raw, err := json.Marshal(o)
			if err != nil {
				f.Fatal(err)
			}
			out = append(append(append(append(out, node.Name(o)...), '\t'), raw...), '\n')
		}
		f.Add(out)
	}
	batch := func(class kmsg.Class, peer, detail string, at time.Time) node.Observation {
		return node.SawKernel{Reading: nodetest.Reading(at, time.Hour,
			kmsg.Batch{Records: 1, Counts: []kmsg.Count{{Class: class, Peer: peer, Detail: detail, N: 3, First: at, Last: at,
				Text: "a line"}}})}
	}
	s, start := fourDisks("windows").Snapshot, nodetest.Start
	seed(node.Started{Node: "n"}, node.SawLinks{Reading: s.Links}, node.SawMapped{Reading: s.Mapped}, node.SawLibvirt{Reading: s.Libvirt},
		batch(kmsg.CRC, "osd1", "", start), batch(kmsg.ClosedOpen, "osd1", "", start))
	seed(batch(kmsg.OSDDown, "osd2", "", start), batch(kmsg.OSDGone, "osd2", "", start.Add(-time.Hour)),
		batch(kmsg.Full, "", "", start.Add(1000*time.Hour)), batch(kmsg.MonLost, "mon0", "", start))
	seed(batch(kmsg.CRC, "osd", "?", start), batch(kmsg.AuthFault, "osd-1", "authorizer", start),
		batch(kmsg.SocketError, "osd99999999999999999999", "sparse read", start))
	f.Add([]byte("osdc\t{\"value\":[{\"requests\":[{\"osd\":-1},{\"osd\":-5,\"object\":\"rbd_data.\"}]}]}\nkrbd-io\t{\"value\":[{\"device\":\"rbd0\",\"inflight_r\":18446744073709551615}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, a := look(t, data)
		second, b := look(t, data)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("the same observations, other causes (-first +second):\n%s", diff)
		}
		if diff := cmp.Diff(first, second, cmpopts.IgnoreUnexported(facts.OSDLosses{})); diff != "" {
			t.Fatalf("the same observations, other losses (-first +second):\n%s", diff)
		}
	})
}

// look applies the observations, a second apart, and returns the lost sessions and
// the evidence of each analysis.
func look(t *testing.T, data []byte) (*facts.Losses, []Analysis) {
	t.Helper()
	var s node.Snapshot
	at := nodetest.Start
	for i, text := range bytes.Split(data, []byte("\n")) {
		if i == 100 {
			break
		}
		at = at.Add(time.Second)
		name, raw, _ := bytes.Cut(text, []byte("\t"))
		o, err := node.NewObservation(string(name))
		if err != nil || json.Unmarshal(raw, o) != nil {
			continue
		}
		s = s.Take(node.Entry{At: at, Saw: string(name), Obs: o})
	}
	f := facts.New(s.Take(node.Entry{At: at}), facts.Baselines{})
	minute, ten := f.SessionLosses(time.Minute), f.SessionLosses(10*time.Minute)
	if f.FirstLoss().After(at) || f.LastLoss().After(at) {
		t.Fatalf("lost at %s and %s; it is %s", f.FirstLoss(), f.LastLoss(), at)
	}
	if len(minute.OSDs) > len(ten.OSDs) {
		t.Fatalf("%d OSDs lost sessions within a minute, %d within ten", len(minute.OSDs), len(ten.OSDs))
	}
	f.Amplification()
	f.Cluster()
	f.Exposure()
	f.Throttles(node.FullShare)
	f.SlowDisks(facts.DefaultSlow)
	facts.Baselines{}.Learn(f, func(string) bool { return false }, func(string) time.Time { return time.Time{} })
	all := []Analysis{OfStall(f, f.Stalls()), OfStall(f, nil), OfLoop(f,
		Loop{First: f.FirstLoss(), Losses: minute, OSDs: minute.OSDs, Stalls: f.Stalls()})}
	for _, a := range all {
		seen := map[Cause]bool{}
		for _, c := range a.Candidates {
			if seen[c.Cause] || len(c.Evidence) > mostEvidence {
				t.Fatalf("%s: named before: %v; %d facts", string(c.Cause), seen[c.Cause], len(c.Evidence))
			}
			seen[c.Cause] = true
		}
		_ = a.String()
	}
	return minute, all
}
