package tape

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

const small = `A small story.
-- tape --
0s start node7 2026-05-04T03:02:01Z
0s bond bond0 {"hash_policy":"layer2"}
0s slave bond0/eth0
0s slave bond0/eth1 {"speed_mbps":25000}
0s address 192.0.2.12 bond0
0s map 3
0s guests 2 windows=1
0s io all iops=10 latency=3ms
2s traffic eth0 rx=9.4G drops=12k
2s log libceph: osd3 (1)192.0.2.33:6801 bad crc/signature
3s loop storm every=100ms for=osd1..osd2 libceph: read_partial_message 0 data crc 1 != exp. 2|libceph: osd%o (1)192.0.2.33:6801 bad crc/signature
5s calm storm
5s lost 100
6s slave bond0/eth0 {"mii_status":"DOWN"}
7s blind kmsg stalled a read has not come back
8s end
-- want --
nothing
`

// snapshots plays an incident and returns the snapshot at each tick.
func snapshots(t *testing.T, text string) []node.Snapshot {
	t.Helper()
	in, err := ParseIncident([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var s node.Snapshot
	var list []node.Snapshot
	for e := range in.Entries() {
		if s = s.Take(e); e.Obs == nil {
			list = append(list, s)
		}
	}
	return list
}

func TestIncidentPlaysLikeANode(t *testing.T) {
	list := snapshots(t, small)
	if len(list) != 9 {
		t.Fatalf("got %d seconds, want 9", len(list))
	}
	last := list[8]
	if last.Node != "node7" || !last.Now.Equal(time.Date(2026, 5, 4, 3, 2, 9, 900e6, time.UTC)) {
		t.Errorf("got node %s at %v", last.Node, last.Now)
	}
	if n, carries := last.CarriesStorage("bond0"); !carries || n != 3 {
		t.Errorf("got %d devices on bond0, want 3", n)
	}
	if nic, _ := list[4].NIC("eth0"); nic.Rates.RxBits != 9.4e9 || nic.Rates.Overload != 12000 {
		t.Errorf("got %+v on eth0, want 9.4 Gbit/s and 12,000 drops/s", nic.Rates)
	}
	if list[5].Links.Value.Bonds[0].Slaves[0].MIIStatus != "UP" || list[6].Links.Value.Bonds[0].Slaves[0].MIIStatus != "DOWN" {
		t.Error("the slave did not go down in second 6, or before")
	}
	var crc uint64
	for _, s := range last.Kernel.Of(kmsg.CRC) {
		crc += s.Total
	}
	if crc != 1+2*2*10 {
		t.Errorf("got %d CRC faults, want 41", crc)
	}
	if last.Kernel.Lost != 100 {
		t.Errorf("got %d lost records, want 100", last.Kernel.Lost)
	}
	if e := last.Blind(node.SourceKmsg); e == nil || e.Kind != node.Stalled {
		t.Errorf("got %+v, want kmsg stalled", e)
	}
	if got := last.UsedBy("rbd0"); len(got) != 1 || got[0] != "vm101" {
		t.Errorf("got %v on rbd0, want vm101", got)
	}
}

func TestIncidentPlaysTheSameTwice(t *testing.T) {
	in, err := ParseIncident([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	var tapes [2]bytes.Buffer
	for i := range tapes {
		w := NewWriter(&tapes[i])
		for e := range in.Entries() {
			if err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !bytes.Equal(tapes[0].Bytes(), tapes[1].Bytes()) || tapes[0].Len() == 0 {
		t.Error("the second time it played something else")
	}
}

func TestIncidentMistakesNameTheLine(t *testing.T) {
	for script, want := range map[string]string{
		"0s bond bond0\n":                        "last line must be",
		"soon bond bond0\n9s end":                "line 1: \"soon\"",
		"5s bond bond0\n4s bond bond1\n9s end":   "line 2: 4s is before",
		"0s dance\n9s end":                       "line 1: dance: no such verb",
		"0s bond bond0 {\"hash\":1}\n9s end":     "line 1: bond: json",
		"0s io all iops=1\n9s end":               "line 1: io: no device",
		"0s traffic eth0 up=9G\n9s end":          "line 1: traffic: \"up=9G\"",
		"0s map 1\n0s io rbd0 iops=fast\n9s end": "line 2: io: \"fast\"",
		"0s blind kmsg asleep\n9s end":           "line 1: blind: \"asleep\"",
		"0s play nothing.kmsg\n9s end":           "line 1: play: no file",
		"0s loop x every=1ns text\n9s end":       "line 1: loop",
		"0s calm x\n9s end":                      "line 1: calm",
	} {
		_, err := ParseIncident([]byte("-- tape --\n" + script + "\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", script, err, want)
		}
	}
}
