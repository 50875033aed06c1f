package tape

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

var at = time.Date(2026, 3, 1, 2, 0, 0, 123456789, time.UTC)

// every contains one observation of each kind.
func every() []node.Observation {
	on, fault := true, &node.Error{Kind: node.Stalled, Text: "late", Since: at}
	state := bond.PortState(0x3d)
	return []node.Observation{
		&node.Started{Node: "node2", Version: "1", Sources: []node.Source{{Name: "nic", Every: time.Second}}},
		&node.Settings{Off: []string{"nic-drops"}, Runbook: "https://192.0.2.1/"},
		&node.SawLinks{Reading: node.Reading[bond.Links]{At: at, Value: bond.Links{Bonds: []bond.Bond{{
			Name: "bond0", HashPolicy: "7", DynamicLB: &on, AD: &bond.AD{Aggregator: 1},
			Slaves: []bond.Slave{{Name: "eth0", Actor: &state}},
		}}}}},
		&node.SawOVS{Reading: node.Reading[[]bond.Bond]{Err: fault}},
		&node.SawCounters{Reading: node.Reading[[]bond.Counters]{At: at, Value: []bond.Counters{{Name: "eth0", RxBytes: 1<<64 - 1}}}},
		&node.SawDrops{Reading: node.Reading[[]bond.Drops]{At: at, Value: []bond.Drops{{Name: "eth0",
			Counts: map[string]uint64{"rx_missed": 3}}}}},
		&node.SawMapped{Reading: node.Reading[[]rbd.Mapped]{At: at, Value: []rbd.Mapped{{Device: "rbd0",
			Options: &rbd.Options{RxBounce: true}}}}},
		&node.SawIO{Reading: node.Reading[[]rbd.IO]{At: at, Value: []rbd.IO{{Device: "rbd0", InFlightR: 4}}}},
		&node.SawPending{Reading: node.Reading[[]rbd.Pending]{At: at,
			Value: []rbd.Pending{{ClientID: 4123, Requests: []rbd.Request{{TID: 1<<64 - 1, OSD: -1}}}}}},
		&node.SawLibvirt{Reading: node.Reading[rbd.Guests]{At: at, Value: rbd.Guests{Guests: []rbd.Guest{{Name: "vm101",
			Disks: []rbd.Disk{{Client: rbd.LibRBD}}}}}}},
		&node.SawQEMU{Reading: node.Reading[rbd.Guests]{At: at}},
		&node.SawKernel{Reading: node.Reading[kmsg.Batch]{At: at, Every: time.Second,
			Value: kmsg.Batch{Lost: 3, Counts: []kmsg.Count{{Class: kmsg.CRC, N: 2, First: at, Last: at}}}}},
		&node.SawHost{Reading: node.Reading[host.State]{At: at, Value: host.State{Load: [3]float64{680, 1, 1},
			Waiting: &host.Waiting{ByComm: map[string]int{"kvm": 3}}}}},
		&node.SawCluster{Reading: node.Reading[ceph.Cluster]{At: at,
			Value: ceph.Cluster{Watchers: []ceph.Watcher{{Cookie: 18446462598732840961}}}}},
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	var want []node.Entry
	for i, o := range every() {
		e := node.Entry{At: at.Add(time.Duration(i) * time.Second), Saw: node.Name(o), Obs: o}
		if e.Saw == "" {
			t.Fatalf("%T has no name", o)
		}
		want = append(want, e, node.Entry{At: e.At})
	}
	for _, e := range want {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(&buf)
	for i := range want {
		got, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i], got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", want[i].Saw, diff)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v at the end, want io.EOF", err)
	}
}

func TestBrokenLinesAreCountedAndSkipped(t *testing.T) {
	r := NewReader(strings.NewReader(`{"at":"2026-03-01T02:00:00Z"}
not json

{"at":"2026-03-01T02:00:02Z","saw":"nic","obs":{"value":{}}}
{"at":"2026-03-01T02:00:03Z","lost":7}
{"at":"2026-03-01T02:00:04Z","saw":"nic","obs":{"val`))
	n := 0
	var err error
	for {
		if _, err = r.Next(); err != nil {
			break
		}
		n++
	}
	broken, first := r.Broken()
	if n != 2 || !errors.Is(err, io.EOF) || broken != 3 || first == nil || !strings.Contains(first.Error(), "line 2") || r.Lost() != 7 {
		t.Errorf("got %d entries, then %v, %d broken lines, first %v, %d lost", n, err, broken, first, r.Lost())
	}
}

// A line that no daemon writes is refused, with its number and the allowed values.
func TestWhatIsNoTapeIsRefused(t *testing.T) {
	const good = `{"at":"2026-03-01T02:00:00Z"}` + "\n"
	for text, want := range map[string]string{
		"":                           "line 1: not a tape entry",
		"# nodewatch\n\nA daemon.\n": `line 1: not a tape entry, which is a line {"at": TIME, "saw": NAME, "obs": {…}}: invalid character`,
		strings.Repeat("{\n", 500):   "line 1: not a tape entry",
		good + `{"at":"2026-03-01T02:00:01Z","saw":"nick","obs":{}}`: `line 2: unknown observation "nick"; valid are start, settings, bond, nic,`,
		good + `{"saw":"nic"}`:                                      "line 2: no time in the field at",
		good + `{"at":"0026-03-01T02:00:00Z"}`:                      "line 2: the time 0026-03-01T02:00:00Z is outside the years 2000 to 2199",
		good + `{"at":"2026-03-01T01:59:59Z","saw":"nic","obs":{}}`: "line 2: the time 2026-03-01T01:59:59Z is before that of the entry above",
	} {
		r := NewReader(strings.NewReader(text))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		var refused *Mistake
		if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", text, err, want)
		}
	}
	back := NewReader(strings.NewReader(good + `{"at":"2026-03-01T01:59:59Z","saw":"start","obs":{}}`))
	for range 2 {
		if _, err := back.Next(); err != nil {
			t.Errorf("a daemon that starts with the clock set back: %v", err)
		}
	}
}

func TestLineWithoutEndEndsTheTape(t *testing.T) {
	r := NewReader(io.MultiReader(strings.NewReader(`{"at":"2026-03-01T02:00:00Z"}`+"\n"), zeros{}))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v for a line without end", err)
	}
}

// zeros is an endless line.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// FuzzReader: whatever a tape contains, reading it ends, each entry has a time, and a
// decoded entry can be written and read again.
func FuzzReader(f *testing.F) {
	var buf bytes.Buffer
	for _, o := range every() {
		buf.Reset()
		if err := NewWriter(&buf).Write(node.Entry{At: at, Obs: o}); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := NewReader(bytes.NewReader(raw))
		for {
			e, err := r.Next()
			if err != nil {
				return
			}
			if e.At.IsZero() {
				t.Error("an entry without a time")
			}
			var again bytes.Buffer
			if err := NewWriter(&again).Write(e); err != nil {
				if e.At.Year() > 9999 || e.At.Year() < 0 {
					continue
				}
				t.Fatalf("cannot be written again: %v", err)
			}
			if _, err := NewReader(&again).Next(); err != nil {
				t.Errorf("cannot be read again: %v", err)
			}
		}
	})
}
