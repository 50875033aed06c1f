package history

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

var start = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

// A machine is the observation of a node in one second.
type machine struct {
	nics    int
	devices int
	osds    int
	blind   bool
}

// play replays the given seconds, and returns the History of each of the last
// hundred.
func play(r *Recorder, p *node.Snapshot, from, to, step int, of func(second int) machine) []History {
	var all []History
	for second := from; second < to; second += step {
		at, m := start.Add(time.Duration(second)*time.Second), of(second)
		see := func(o node.Observation) { *p = p.Take(node.Entry{At: at, Obs: o}) }
		if second == 0 {
			see(node.Started{Sources: []node.Source{{Name: node.SourceNIC, Every: time.Second}, {Name: node.SourceIO, Every: time.Second},
				{Name: node.SourceKmsg, Every: time.Second}}})
		}
		var links bond.Links
		for n := 0; n+1 < m.nics; n += 2 {
			links.Bonds = append(links.Bonds, bond.Bond{Name: fmt.Sprintf("bond%d", n/2),
				Slaves: []bond.Slave{{Name: nicName(n)}, {Name: nicName(n + 1)}}})
		}
		see(node.SawLinks{Reading: node.Reading[bond.Links]{At: at, Every: time.Second, Value: links}})
		var failed *node.Error
		if m.blind {
			failed = &node.Error{Kind: node.Failed, Text: "no answer", Since: at}
		}
		p.NICs, p.IO = nil, nil
		for n := range m.nics {
			f := node.Flow{At: at, Rx: float64(1000*second + n), Tx: 5, Speed: 10000}
			p.NICs = append(p.NICs, node.NIC{Name: nicName(n), Speed: 10000, At: at, Known: true, Seconds: []node.Flow{f}})
		}
		see(node.SawIO{Reading: node.Reading[[]rbd.IO]{At: at, Every: time.Second, Err: failed}})
		for d := range m.devices {
			p.IO = append(p.IO, node.DiskIO{Device: fmt.Sprintf("rbd%d", d), At: at, LastProgress: at, IOPS: float64(second), Completed: 1,
				Latency: float64(d + 1)})
		}
		b := kmsg.Batch{}
		for o := range m.osds {
			b.Counts = append(b.Counts, kmsg.Count{Class: kmsg.CRC, Peer: fmt.Sprintf("osd%d", o), Detail: "data", N: uint64(second),
				First: at, Last: at})
		}
		see(node.SawKernel{Reading: node.Reading[kmsg.Batch]{At: at, Every: time.Second, Value: b, Err: failed}})
		*p = p.Take(node.Entry{At: at})
		all = append(all[max(0, len(all)-99):], r.Record(facts.New(*p, facts.Baselines{})))
	}
	return all
}

func nicName(n int) string { return fmt.Sprintf("eth%03d", n) }

func always(m machine) func(int) machine { return func(int) machine { return m } }

func TestTensAreThePeaksAndTheMeanRate(t *testing.T) {
	h := play(&Recorder{}, &node.Snapshot{}, 0, 25, 1, always(machine{nics: 2, devices: 3, osds: 2}))[24]
	n, kept := h.Of("eth001")
	if !kept || len(n.Seconds) != 25 || n.Seconds[24] != (Traffic{start.Unix() + 24, 24001, 5, 10000}) {
		t.Fatalf("%t, %d seconds: %v", kept, len(n.Seconds), n.Seconds)
	}
	if diff := cmp.Diff([]Traffic{{start.Unix(), 9001, 5, 10000}, {start.Unix() + 10, 19001, 5, 10000},
		{start.Unix() + 20, 24001, 5, 10000}}, n.Tens()); diff != "" {
		t.Errorf("traffic (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]IO{{start.Unix(), 3 * 4.5, 2, 3}, {start.Unix() + 10, 3 * 14.5, 2, 3}, {start.Unix() + 20, 3 * 22, 2, 3}},
		h.IO.Tens()); diff != "" {
		t.Errorf("I/O (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Losses{{start.Unix(), 18}, {start.Unix() + 10, 38}, {start.Unix() + 20, 44}}, h.Losses.Tens()[1:]); diff != "" {
		t.Errorf("losses (-want +got):\n%s", diff)
	}
}

// A History does not change while later ones are made.
func TestAHistoryNeverChanges(t *testing.T) {
	var r Recorder
	var p node.Snapshot
	m := always(machine{nics: 2, devices: 1, osds: 1})
	all := play(&r, &p, 0, 1000, 1, m)
	held := all[len(all)-7:]
	var before []string
	for _, h := range held {
		before = append(before, fmt.Sprint(h, h.NICs[0].Tens(), h.IO.Tens()))
	}
	play(&r, &p, 1000, 2200, 1, m)
	for i, h := range held {
		if after := fmt.Sprint(h, h.NICs[0].Tens(), h.IO.Tens()); after != before[i] {
			t.Fatalf("history %d has changed", i)
		}
	}
}

// Unobservable times are gaps; no samples are invented.
func TestBlindTimesAreGaps(t *testing.T) {
	h := play(&Recorder{}, &node.Snapshot{}, 0, 60, 1, func(second int) machine {
		return machine{nics: 2, devices: 1, osds: 1, blind: second >= 20 && second < 40}
	})[59]
	for name, times := range map[string][]int64{"I/O": timesOf(h.IO.Seconds), "losses": timesOf(h.Losses.Seconds)} {
		if !slices.Contains(times, start.Unix()+10) || slices.Contains(times, start.Unix()+30) || !slices.Contains(times, start.Unix()+50) {
			t.Errorf("%s: %v", name, times)
		}
	}
}

func timesOf[T sample[T]](list []T) []int64 {
	var times []int64
	for _, p := range list {
		times = append(times, p.at())
	}
	return times
}

// Memory is bounded at the incident's size, at ten times that, and with any number of
// NICs; and it is released when the NICs disappear.
func TestMemoryIsBounded(t *testing.T) {
	for name, m := range map[string]machine{
		"the incident": {nics: 4, devices: 78, osds: 182}, "ten times, 200 NICs": {nics: 200, devices: 780, osds: 1820},
	} {
		var r Recorder
		var p node.Snapshot
		most := func(h History) {
			if h.Bytes > 4<<20 {
				t.Fatalf("%s: %d bytes", name, h.Bytes)
			}
		}
		// The rings are filled by the number of seconds, not by devices and OSDs, so
		// devices and OSDs are included in some seconds only.
		some := func(second int) machine {
			if second%500 != 0 {
				return machine{nics: m.nics, devices: min(m.devices, 2)}
			}
			return m
		}
		play(&r, &p, 0, 3600, 10, some) // the hour by ten seconds, then the quarter of an hour by seconds
		all := play(&r, &p, 3600, 4700, 1, some)
		last := all[len(all)-1]
		most(last)
		n := last.NICs[0]
		if len(last.NICs) != min(m.nics, maxNICs) || last.LeftOut != max(0, m.nics-maxNICs) || len(n.Seconds) != secondsKept ||
			len(n.Tens()) != tensKept {
			t.Errorf("%s: %d NICs, %d left out, %d seconds, %d tens", name, len(last.NICs), last.LeftOut, len(n.Seconds), len(n.Tens()))
		}
		t.Logf("%s: %d bytes", name, last.Bytes)
		later := play(&r, &p, 4700, 4700+1200, 10, always(machine{}))
		if h := later[len(later)-1]; len(h.NICs) == 0 || len(h.NICs[0].Seconds) != 0 || len(h.NICs[0].Tens()) == 0 {
			t.Errorf("%s: 20 min after the last reading: %v", name, h.NICs)
		}
		gone := play(&r, &p, 5900, 4700+3700, 10, always(machine{}))
		if h := gone[len(gone)-1]; len(h.NICs) != 0 || len(h.IO.Tens()) != 0 {
			t.Errorf("%s: an hour after the last one %d NICs are kept", name, len(h.NICs))
		}
	}
}

// The losses of each second are recorded once, regardless of the times of the ticks.
func TestEachSecondIsTakenOnce(t *testing.T) {
	var r Recorder
	var p node.Snapshot
	m := always(machine{osds: 1})
	for second := 0; second < 100; second += 2 {
		play(&r, &p, second, second+1, 1, m)
	}
	h := r.Record(facts.New(p, facts.Baselines{}))
	times := timesOf(h.Losses.Seconds)
	if len(times) < 95 || !slices.IsSorted(times) || len(slices.Compact(times)) != len(h.Losses.Seconds) {
		t.Errorf("%d seconds: %v", len(times), times)
	}
}

func BenchmarkTakeTenTimesTheIncident(b *testing.B) {
	var r Recorder
	var p node.Snapshot
	m := always(machine{nics: 10, devices: 780, osds: 1820})
	play(&r, &p, 0, 1, 1, m)
	f := facts.New(p, facts.Baselines{})
	f.Latency()
	f.LossesIn(0)
	for b.Loop() {
		f.Now = f.Now.Add(time.Second)
		for i := range f.IO {
			f.IO[i].At = f.Now
		}
		r.Record(f)
	}
	b.ReportMetric(float64(r.Record(f).Bytes), "bytes-kept")
}
