package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/internal/tape"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// twoSources returns a source that gets stuck after a while and one that loses
// records.
func twoSources(stuck <-chan struct{}) []Source {
	hosts, logs := 0, 0
	return []Source{
		Poll(Polling[host.State]{
			Name: node.SourceHost, Every: 5 * time.Second, Deadline: time.Second,
			Read: func(context.Context) (host.State, error) {
				if hosts++; hosts > 4 {
					<-stuck
				}
				return host.State{Load: [3]float64{float64(hosts), 0, 0}}, nil
			},
			As: func(r node.Reading[host.State]) node.Observation { return node.SawHost{Reading: r} },
		}),
		Poll(Polling[kmsg.Batch]{
			Name: node.SourceKmsg, Every: time.Second, Deadline: time.Second,
			Read: func(context.Context) (kmsg.Batch, error) {
				logs++
				return kmsg.Batch{Records: 100, Lost: uint64(logs / 30)}, nil
			},
			As: func(r node.Reading[kmsg.Batch]) node.Observation { return node.SawKernel{Reading: r} },
		}),
	}
}

// lived runs a daemon for d, and returns its reports as JSON and its tape.
func lived(t *testing.T, d time.Duration) (reports [][]byte, recorded *bytes.Buffer) {
	t.Helper()
	recorded = &bytes.Buffer{}
	ctx, cancel := context.WithCancel(t.Context())
	stuck := make(chan struct{})
	r := NewRecorder(ctx, tape.NewWriter(recorded), func() error { return nil })
	go Daemon{
		Node: "node2", Version: "test", Sources: twoSources(stuck), Record: r.Record,
		OnView: []func(judge.View){func(v judge.View) { reports = append(reports, marshalled(t, v.Report)) }},
	}.Run(ctx)
	time.Sleep(d)
	synctest.Wait()
	cancel()
	synctest.Wait()
	close(stuck)
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	return reports, recorded
}

func marshalled(t *testing.T, r report.Report) []byte {
	t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestWhatWasSaidLiveIsWhatTheTapeSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live, recorded := lived(t, 2*time.Minute)
		if len(live) < 110 {
			t.Fatalf("got %d reports in two minutes", len(live))
		}
		var played [][]byte
		j := judge.New(all.Default())
		for in := tape.NewReader(recorded); ; {
			e, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if v, judged := j.Take(e); judged {
				played = append(played, marshalled(t, v.Report))
			}
		}
		if len(played) != len(live) {
			t.Fatalf("got %d reports from the tape, %d live", len(played), len(live))
		}
		for i := range live {
			if !bytes.Equal(live[i], played[i]) {
				t.Fatalf("report %d differs\nlive   %s\nplayed %s", i, live[i], played[i])
			}
		}
		var last report.Report
		if err := json.Unmarshal(live[len(live)-1], &last); err != nil {
			t.Fatal(err)
		}
		raised := map[string]bool{}
		for _, f := range last.Findings {
			raised[f.Rule] = true
		}
		if !raised["kmsg-lost"] || !raised["source-stalled"] {
			t.Errorf("got %v at the end, want lost records and a stalled source among them", raised)
		}
	})
}

func TestAStuckSourceDoesNotStopTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stuck := make(chan struct{})
		fed := 0
		go Daemon{
			Node: "node2", OnTick: func() { fed++ },
			Sources: []Source{Poll(Polling[host.State]{
				Name: node.SourceHost, Every: time.Second, Deadline: time.Second,
				Read: func(context.Context) (host.State, error) { <-stuck; return host.State{}, nil },
				As:   func(r node.Reading[host.State]) node.Observation { return node.SawHost{Reading: r} },
			})},
		}.Run(ctx)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if fed < 590 {
			t.Errorf("the watchdog was fed %d times in 10 min", fed)
		}
		cancel()
		close(stuck)
		synctest.Wait()
	})
}

func TestSettingsTakeEffectWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		changed := make(chan node.Settings)
		var last judge.View
		go Daemon{Node: "node2", Changed: changed, OnView: []func(judge.View){func(v judge.View) { last = v }}}.Run(ctx)
		time.Sleep(30 * time.Second)
		changed <- node.Settings{Off: []string{"kmsg-lost"}}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, on := last.Rules.Rule("kmsg-lost"); on {
			t.Error("a rule that was switched off is in force")
		}
		cancel()
		synctest.Wait()
	})
}
