package native_test

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// The seq grows across restarts without stored state, even within a millisecond of
// the report's clock.
func TestTheSeqGrowsOverARestart(t *testing.T) {
	url, rc, _ := backend(t, receiver.Config{}, nil)
	for run := range 3 {
		x := reporter(t, url, statefile.File{})
		for n := range 3 {
			r := calm(time.Duration(run)*time.Second + time.Duration(n/2)*time.Millisecond)
			r.Started = r.At
			if err := x.Report(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	var last uint64
	for _, b := range rc.Node("rl1/node2").Bodies {
		if b.Seq <= last {
			t.Errorf("%d follows %d", b.Seq, last)
		}
		last = b.Seq
	}
	if n := rc.Refused(409); n != 0 {
		t.Errorf("%d conflicts", n)
	}
}

// After a restart with a clock that was set back, the backend responds with the
// latest seq; this costs only one conflict.
func TestAClockThatWasSetBack(t *testing.T) {
	url, rc, _ := backend(t, receiver.Config{}, nil)
	if err := reporter(t, url, statefile.File{}).Report(t.Context(), calm(time.Hour)); err != nil {
		t.Fatal(err)
	}
	x := reporter(t, url, statefile.File{})
	for n := range 3 {
		r := calm(time.Duration(n) * time.Second)
		r.Started = reporttest.Noon
		if err := x.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if got := rc.Node("rl1/node2"); len(got.Bodies) != 4 || rc.Refused(409) != 1 {
		t.Errorf("%d bodies, %d conflicts", len(got.Bodies), rc.Refused(409))
	}
}

// If the last seq is on disk, there is no conflict.
func TestAClockThatWasSetBackIsRemembered(t *testing.T) {
	url, rc, _ := backend(t, receiver.Config{}, nil)
	dir := t.TempDir()
	for _, at := range []time.Duration{time.Hour, 0} {
		x, r := reporter(t, url, reporttest.StateFile(t, dir, "status")), withTransitions(calm(at), 1, 1)
		r.Started = r.At
		if err := x.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := x.Persist(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := rc.Node("rl1/node2"); len(got.Bodies) != 2 || rc.Refused(409) != 0 {
		t.Errorf("%d bodies, %d conflicts", len(got.Bodies), rc.Refused(409))
	}
}

// A clock before 1970, as on a machine without a battery, does not stop the reports.
func TestAClockBeforeTheEpoch(t *testing.T) {
	url, rc, _ := backend(t, receiver.Config{}, nil)
	x := reporter(t, url, statefile.File{})
	for n := range 3 {
		r := calm(0)
		r.At = time.Date(1901, 1, 1, 0, 0, n, 0, time.UTC)
		if err := x.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if got := rc.Node("rl1/node2"); len(got.Bodies) != 3 || got.Latest().Seq != 3 {
		t.Errorf("%d bodies, seq %d", len(got.Bodies), got.Latest().Seq)
	}
}
