package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/host"
)

// seenHost polls the host in a bubble for the given time and returns its
// observations.
func seenHost(t *testing.T, p Polling[host.State], d time.Duration) []node.SawHost {
	t.Helper()
	var seen []node.SawHost
	ctx, cancel := context.WithCancel(t.Context())
	p.Name = node.SourceHost
	p.As = func(r node.Reading[host.State]) node.Observation { return node.SawHost{Reading: r} }
	go Poll(p).run(ctx, newClock(), func(o node.Observation) { seen = append(seen, o.(node.SawHost)) })
	time.Sleep(d)
	synctest.Wait()
	cancel()
	synctest.Wait()
	return seen
}

func TestPollReadsAtOnceAndThenEachRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := seenHost(t, Polling[host.State]{Every: 10 * time.Second, Deadline: time.Second,
			Read: func(context.Context) (host.State, error) {
				return host.State{CPUs: 4}, nil
			}}, 25*time.Second)
		if len(seen) != 3 || seen[2].Value.CPUs != 4 || seen[2].Err != nil || seen[2].Every != 10*time.Second {
			t.Errorf("got %+v, want three good readings", seen)
		}
	})
}

func TestPollReadsOnWhileThereIsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		seen := seenHost(t, Polling[host.State]{
			Every: 10 * time.Second, Deadline: time.Second,
			Read: func(context.Context) (host.State, error) {
				time.Sleep(100 * time.Millisecond)
				return host.State{CPUs: int(time.Since(began) / time.Second)}, nil
			},
			More: func(s host.State) bool { return s.CPUs < 3 },
		}, 14*time.Second)
		if len(seen) != 31 {
			t.Fatalf("got %d readings, want 30 in the three seconds in which there is more, and one a round later", len(seen))
		}
		if gap := seen[30].At.Sub(seen[29].At); gap != 10*time.Second {
			t.Errorf("got the next reading %s later, want a round", gap)
		}
	})
}

func TestPollLateReadIsSaidWaitedForAndUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		release := make(chan struct{})
		began := time.Now()
		time.AfterFunc(35*time.Second, func() { close(release) })
		seen := seenHost(t, Polling[host.State]{Every: 10 * time.Second, Deadline: 2 * time.Second,
			Read: func(context.Context) (host.State, error) {
				reads++
				<-release
				return host.State{CPUs: reads}, nil
			}}, 36*time.Second)
		if reads != 1 {
			t.Errorf("got %d reads while one was under way, want 1", reads)
		}
		if len(seen) != 5 {
			t.Fatalf("got %d observations, want four late ones and the value", len(seen))
		}
		for _, s := range seen[:4] {
			if s.Err == nil || s.Err.Kind != node.Stalled || !s.Err.Since.Equal(began) {
				t.Errorf("got %+v, want stalled since the read began", s.Err)
			}
		}
		if last := seen[4]; last.Err != nil || last.Value.CPUs != 1 || !last.At.Equal(began) {
			t.Errorf("got %+v, want the late value with the time its read began", last)
		}
	})
}

func TestPollSaysWhyItIsBlind(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want node.ErrorKind
	}{
		{errors.New("broken"), node.Failed},
		{fmt.Errorf("ceph: %w", ErrHeld), node.Held},
		{fmt.Errorf("open: %w", fs.ErrPermission), node.Denied},
		{fmt.Errorf("open: %w", fs.ErrNotExist), node.Absent},
		{fmt.Errorf("host: %w", errors.ErrUnsupported), node.Absent},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), node.Stalled},
	} {
		synctest.Test(t, func(t *testing.T) {
			seen := seenHost(t, Polling[host.State]{
				Every: time.Minute, Deadline: time.Second,
				Read:   func(context.Context) (host.State, error) { return host.State{}, tt.err },
				Remedy: func(k node.ErrorKind) string { return "fix " + string(k) },
			}, time.Second)
			if e := seen[0].Err; e == nil || e.Kind != tt.want || e.Text != tt.err.Error() || e.Remedy != "fix "+string(tt.want) {
				t.Errorf("%v: got %+v, want kind %s", tt.err, e, tt.want)
			}
		})
	}
}

func TestPollPanicIsAnErrorAndNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		seen := seenHost(t, Polling[host.State]{Every: time.Second, Deadline: time.Second, Read: func(context.Context) (host.State, error) {
			if reads++; reads == 1 {
				panic("a bug in a parser")
			}
			return host.State{CPUs: reads}, nil
		}}, 1500*time.Millisecond)
		if len(seen) != 2 || seen[0].Err == nil || !strings.Contains(seen[0].Err.Text, "panicked") || seen[1].Value.CPUs != 2 {
			t.Errorf("got %+v, want an error and then a value", seen)
		}
	})
}

func TestPollWakesAtOnceButOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		var at []time.Duration
		began := time.Now()
		go func() {
			time.Sleep(10 * time.Second)
			for range 20 {
				wake <- struct{}{}
				time.Sleep(100 * time.Millisecond)
			}
		}()
		seenHost(t, Polling[host.State]{Every: time.Minute, Deadline: time.Second, Wake: wake,
			Read: func(context.Context) (host.State, error) {
				at = append(at, time.Since(began))
				return host.State{}, nil
			}}, 30*time.Second)
		want := []time.Duration{0, 10 * time.Second, 11 * time.Second, 12 * time.Second}
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("got reads at %v, want %v", at, want)
		}
	})
}

func TestPollLooksAgainOnceWhatWokeItHasSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		var at []time.Duration
		began := time.Now()
		go func() {
			time.Sleep(10 * time.Second)
			wake <- struct{}{}
		}()
		seenHost(t, Polling[host.State]{Every: 30 * time.Second, Settle: 8 * time.Second, Deadline: time.Second, Wake: wake,
			Read: func(context.Context) (host.State, error) {
				at = append(at, time.Since(began))
				return host.State{}, nil
			}}, time.Minute)
		want := []time.Duration{0, 10 * time.Second, 18 * time.Second, 48 * time.Second}
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("got reads at %v, want %v", at, want)
		}
	})
}

func TestEventsStartAgainAndFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		ctx, cancel := context.WithCancel(t.Context())
		wake := Events(ctx, func(ctx context.Context, changed func()) error {
			starts++
			changed()
			changed()
			return errors.New("socket closed")
		})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if starts != 4 { // at 0, 1, 3 and 7 s
			t.Errorf("got %d starts in 10 s, want 4", starts)
		}
		<-wake
		select {
		case <-wake:
			t.Error("two changes were not folded into one")
		default:
		}
		cancel()
		synctest.Wait()
	})
}
