package script

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/tape"
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
7s blind kmsg stalled a read has not returned
8s end
-- want --
nothing
`

// snapshots plays an incident and returns the snapshot at each tick.
func snapshots(t *testing.T, text string) []node.Snapshot {
	t.Helper()
	in, err := Parse([]byte(text))
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

// Kernel lines contain number signs: only a line that begins with one is a comment.
func TestANumberSignWithinALineBelongsToIt(t *testing.T) {
	list := snapshots(t, "-- tape --\n# a comment\n0s start node7\n  # another\n1s log libceph: osd1 (1)192.0.2.33:6801 bad message sequence # for incoming message\n3s end\n")
	lines := list[len(list)-1].Kernel.Of(kmsg.ProtocolFault)
	if len(lines) != 1 || lines[0].Text != "libceph: osd1 (1)192.0.2.33:6801 bad message sequence # for incoming message" {
		t.Errorf("got %+v, want the whole line", lines)
	}
}

func TestIncidentPlaysTheSameTwice(t *testing.T) {
	in, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	var tapes [2]bytes.Buffer
	for i := range tapes {
		w := tape.NewWriter(&tapes[i])
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

// A mistake is reported with its line in the file, the word, and the allowed values.
func TestMistakesNameLineAndWord(t *testing.T) {
	for script, want := range map[string]string{
		"0s bond bond0\n":                           "line 3: the last line of the script must be \"TIME end\"",
		"9s end\n9s log more":                       "line 4: \"9s log more\" follows the end",
		"soon bond bond0\n9s end":                   "line 3: \"soon\" is not a time; a line begins with one such as 90s",
		"5s bond bond0\n4s bond bond1\n9s end":      "line 4: \"4s\" is before the line above it",
		"-5s bond bond0\n9s end":                    "line 3: \"-5s\" is not a time",
		"50h end":                                   "line 3: \"50h\" is too late; an incident lasts 48h0m0s at most",
		"0s dance\n9s end":                          "line 3: \"dance\" is not a verb; the verbs are ack, address, blind,",
		"0s start n9 yesterday\n9s end":             "line 3: start: \"yesterday\" is not a time such as 2026-03-01T02:00:00Z; want \"TIME start NODE [TIME]\"",
		"0s bond bond0 {\"hash\":1}\n9s end":        "line 3: bond: json: unknown field \"hash\"; the fields are name, ",
		"0s bond bond0 {} {}\n9s end":               "line 3: bond: \"{}\" follows the JSON",
		"0s slave bond7/eth0\n9s end":               "line 3: slave: no bond \"bond7\" yet; known are ",
		"0s nic eth0\n0s gone eth1\n9s end":         "line 4: gone: no link \"eth1\"; known are eth0",
		"0s nic eth0\n0s address ten eth0\n9s end":  "line 4: address: \"ten\" is not an IP address",
		"0s io all iops=1\n9s end":                  "line 3: io: no device of \"all\" is mapped; 0 are mapped",
		"0s traffic eth0 up=9G\n9s end":             "line 3: traffic: \"up=9G\" is not one of rx=…, tx=…",
		"0s traffic eth0 rx=-1\n9s end":             "line 3: traffic: \"-1\" is not a number from 0",
		"0s traffic eth0 rx=NaN\n9s end":            "line 3: traffic: \"NaN\" is not a number from 0",
		"0s map 1\n0s io rbd0 iops=fast\n9s end":    "line 4: io: \"fast\" is not a number",
		"0s map 9999999\n9s end":                    "line 3: map: \"9999999\" is not a whole number from 0 to 5000",
		"0s blind kmsg asleep\n9s end":              "line 3: blind: \"asleep\" is not stalled",
		"0s blind dmesg stalled\n9s end":            "line 3: blind: \"dmesg\" is not a source; the sources are bond, ovs, nic,",
		"0s sight dmesg\n9s end":                    "line 3: sight: \"dmesg\" is not a source",
		"0s play nothing.kmsg\n9s end":              "line 3: play: no part \"nothing.kmsg\"; known are tape",
		"0s loop x every=1ns text\n9s end":          "line 3: loop: \"every=1ns\"",
		"0s loop x for=osd1..osd99999999 t\n9s end": "line 3: loop: no text, or not 1 to 10000 OSDs",
		"0s calm x\n9s end":                         "line 3: calm: no loop \"x\"; known are ",
		"0s ack krbd-slow\n9s end":                  "line 3: ack: \"krbd-slow\" is not a rule, a severity and a duration such as 2h; want \"TIME ack RULE SEVERITY FOR [SUBJECT]\"",
		"0s ack krbd-slow bad 2h\n9s end":           "line 3: ack: overrides: accepted krbd-slow: severity \"bad\" must be info, warning or critical",
		"0s ack krbd-slow warning long\n9s end":     "line 3: ack: \"long\" is not a duration such as 2h",
		"0s ack krbd-slow warning -1h\n9s end":      "line 3: ack: overrides: accepted krbd-slow: it must start before it ends",
		"0s restart now\n9s end":                    "line 3: restart: \"now\" is too much",
	} {
		_, err := Parse([]byte("A story.\n-- tape --\n" + script + "\n"))
		var m *Mistake
		if !errors.As(err, &m) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", script, err, want)
		}
	}
	for text, want := range map[string]string{
		"A story without a script.\n": `no part "-- tape --" with a script`,
		"-- tape --\n0s end\n-- expect --\nat end no finding\n-- tape --\n0s end\n": "line 5: duplicate part \"tape\"; the first begins at line 2",
	} {
		if _, err := Parse([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestExpectationsAreGivenWithTheirLine(t *testing.T) {
	in, err := Parse([]byte("A story\nof two lines.\n-- tape --\n0s end\n-- expect --\nat end no finding\n"))
	if err != nil || in.Expect != "at end no finding\n" || in.ExpectLine != 6 {
		t.Errorf("got %q at line %d, %v", in.Expect, in.ExpectLine, err)
	}
}

// FuzzParse: any file is either parsed or refused with a line of the file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := Parse(raw)
		var m *Mistake
		if err != nil && (!errors.As(err, &m) || m.Line < 0 || m.Line > bytes.Count(raw, []byte("\n"))+2) {
			t.Errorf("refused with %v", err)
		}
	})
}
