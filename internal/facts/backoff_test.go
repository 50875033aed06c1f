package facts

import (
	"slices"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// unreachable returns when the attempts of one client to connect to an OSD fail, in
// milliseconds, from start to end: the session is lost, the first attempt follows at
// once, and the delay doubles from first to most.
func unreachable(start, end, first, most int) []int {
	at := []int{start}
	for t, delay := start, first; t < end; t, delay = t+delay, min(2*delay, most) {
		at = append(at, t)
	}
	return at
}

// every returns a time each period, in milliseconds.
func every(period, end int) []int {
	var at []int
	for t := 0; t < end; t += period {
		at = append(at, t)
	}
	return at
}

// mostEnded logs a socket error of osd7 at each time, in milliseconds, and returns the
// most sessions that ended within a minute, and the most that were unanswered within two, as
// observed each second.
func mostEnded(n *nodetest.Node, times []int) (ended, unanswered uint64) {
	slices.Sort(times)
	for ms := 0; len(times) > 0; ms += 250 {
		for len(times) > 0 && times[0] <= ms {
			n.Log(line(kmsg.SocketError, "osd7", "write"))
			times = times[1:]
		}
		if ms%1000 == 750 {
			f := factsOf(n)
			for _, o := range f.SessionLosses(time.Minute).OSDs {
				ended = max(ended, o.Ended())
			}
			for _, o := range f.Unopened(2 * time.Minute).OSDs {
				unanswered = max(unanswered, o.Unanswered())
			}
		}
		n.Wait(250 * time.Millisecond)
	}
	return ended, unanswered
}

func TestSocketErrorsThatBackOffAreAttempts(t *testing.T) {
	for phase := 0; phase < 1000; phase += 250 {
		for what, times := range map[string][]int{
			"6.1":                unreachable(phase, 300_000, 250, 15_000),
			"6.1, rounded down":  unreachable(phase, 300_000, 250, 14_750),
			"5.10":               unreachable(phase, 300_000, 500, 300_000),
			"a line lost":        slices.Delete(unreachable(phase, 100_000, 250, 15_000), 5, 6),
			"back after a while": append(unreachable(phase, 80_000, 250, 15_000), unreachable(200_000, 300_000, 250, 15_000)...),
		} {
			if ended, unanswered := mostEnded(newNode(1), times); ended >= 3 || unanswered < 3 {
				t.Errorf("%s, phase %d ms: %d sessions ended and %d are unanswered, want attempts", what, phase, ended, unanswered)
			}
		}
	}
}

func TestSocketErrorsOfSomeClientsAreAttempts(t *testing.T) {
	for failing := 1; failing <= 3; failing++ {
		n := newNode(3)
		var times []int
		for i := range n.Snapshot.Mapped.Value {
			n.Snapshot.Mapped.Value[i].ClientID = uint64(100 + i)
			if i < failing {
				times = append(times, unreachable(i*1250, 200_000, 250, 15_000)...)
			}
		}
		if ended, unanswered := mostEnded(n, times); ended > 3 || unanswered < 4 {
			t.Errorf("%d of 3 clients: %d sessions ended and %d are unanswered, want attempts", failing, ended, unanswered)
		}
	}
}

func TestSocketErrorsOfALoopAreLostSessions(t *testing.T) {
	for _, period := range []int{250, 1000, 2000, 5000, 8000} {
		if ended, _ := mostEnded(newNode(1), every(period, 150_000)); ended < 5 {
			t.Errorf("every %d ms: %d sessions ended in a minute, want a loop", period, ended)
		}
	}
}

func TestAFailedAttemptDoesNotHideALoop(t *testing.T) {
	n := newNode(1)
	n.Log(line(kmsg.ConnectError, "osd7", ""))
	if ended, _ := mostEnded(n, every(1000, 30_000)); ended < 20 {
		t.Errorf("%d sessions ended: a failed attempt hides the loop", ended)
	}
}

func TestMixedReasonsAreLostSessions(t *testing.T) {
	n := newNode(1)
	for range 4 {
		n.Log(line(kmsg.SocketError, "osd7", "read"))
		n.Log(line(kmsg.ClosedOpen, "osd7", ""))
		n.Wait(5 * time.Second)
	}
	if o := factsOf(n).SessionLosses(time.Minute).OSDs[0]; o.Ended() != 8 || o.Unanswered() != 0 {
		t.Errorf("%d ended and %d unanswered, want 8 and none", o.Ended(), o.Unanswered())
	}
}
