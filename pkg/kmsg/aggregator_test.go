package kmsg

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	why1  = "libceph: read_partial_message 000000001aeb2407 data crc 1 != exp. 2"
	why2  = "libceph: bad front crc, calculated 1, expected 2"
	what1 = "libceph: osd1 (1)192.0.2.5:6801 bad crc/signature"
	what2 = "libceph: osd2 (2)192.0.2.6:6801 integrity error, bad crc"
)

// tallied returns the Batch of lines logged 100 ms apart.
func tallied(lines ...string) Batch {
	t := Aggregator{Base: bootTime}
	for i, text := range lines {
		t.Add(encode(record{Level: 4, Seq: uint64(i), Stamp: time.Duration(i) * 100 * time.Millisecond, Text: text}))
	}
	return t.Flush()
}

func TestTallySeconds(t *testing.T) {
	b := tallied(slices.Repeat([]string{"libceph: osd1 down", "nothing", "libceph: osd1 192.0.2.1:1 io error",
		"libceph: osd1 192.0.2.2:2 io error"}, 5)...)
	want := []Count{
		{Class: OSDDown, Peer: "osd1", N: 3, First: bootTime, Last: bootTime.Add(800 * time.Millisecond), Text: "libceph: osd1 down"},
		{Class: ProtocolFault, Peer: "osd1", Addr: "192.0.2.2:2", Detail: "io error", N: 4, First: bootTime.Add(200 * time.Millisecond),
			Last: bootTime.Add(700 * time.Millisecond), Text: "libceph: osd1 192.0.2.1:1 io error"},
		{Class: ProtocolFault, Peer: "osd1", Addr: "192.0.2.2:2", Detail: "io error", N: 6, First: bootTime.Add(1000 * time.Millisecond),
			Last: bootTime.Add(1900 * time.Millisecond), Text: "libceph: osd1 192.0.2.1:1 io error"},
		{Class: OSDDown, Peer: "osd1", N: 2, First: bootTime.Add(1200 * time.Millisecond), Last: bootTime.Add(1600 * time.Millisecond),
			Text: "libceph: osd1 down"},
	}
	if diff := cmp.Diff(want, b.Counts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if b.Records != 20 || b.Seq != 19 {
		t.Errorf("got %d records to %d, want 20 to 19", b.Records, b.Seq)
	}
}

// TestTallySorted: Counts are sorted by time, then by the fields of the line,
// whatever the order of the records.
func TestTallySorted(t *testing.T) {
	tally := Aggregator{Base: bootTime}
	for i, r := range []record{{Stamp: 3 * second, Text: "libceph: osd1 down"}, {Stamp: second, Text: "libceph: osd9 up"},
		{Stamp: second, Text: "libceph: osd8 up"}, {Stamp: second, Text: "libceph: osd9 down"}} {
		r.Seq = uint64(i)
		tally.Add(encode(r))
	}
	if got := osds(tally.Flush()); got != "osd9 osd8 osd9 osd1" {
		t.Errorf("got %s", got)
	}
}

// TestTallyReasons: each reason is assigned to its fault.
func TestTallyReasons(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string // class, peer, detail, errno and text of each
	}{
		{"a pair", []string{why1, what1}, "crc-fault osd1 data 0 " + why1},
		{"no reason", []string{what1}, "crc-fault osd1  0 " + what1},
		{"no fault", []string{why1}, ""},
		{"two protocols", []string{why1, why2, what2, what1}, "crc-fault osd1 data 0 " + why1 + "|crc-fault osd2 front 0 " + why2},
		{"another protocol", []string{why1, what2}, "crc-fault osd2  0 " + what2},
		{"used up", []string{why1, what1, what1}, "crc-fault osd1  0 " + what1 + "|crc-fault osd1 data 0 " + why1},
		{"too old", append(append([]string{why1}, slices.Repeat([]string{"x"}, 11)...), what1), "crc-fault osd1  0 " + what1},
		{"connect", []string{"libceph: connect (1)192.0.2.5:6801 error -113", "libceph: osd1 (1)192.0.2.5:6801 connect error"},
			"connect-error osd1  -113 libceph: connect (1)192.0.2.5:6801 error -113"},
		{"connect to another", []string{"libceph: connect (1)192.0.2.9:6801 error -113", "libceph: osd1 (1)192.0.2.5:6801 connect error"},
			"connect-error osd1  0 libceph: osd1 (1)192.0.2.5:6801 connect error"},
		{"sparse read, msgr2", []string{"libceph: invalid sparse extent map", "libceph: osd1 (2)192.0.2.5:6801 read processing error"},
			"socket-error osd1 sparse read 0 libceph: invalid sparse extent map|sparse-read   0 libceph: invalid sparse extent map"},
		{"sparse read, msgr1", []string{"libceph: data len 7 != extent len 0", "libceph: osd1 (1)192.0.2.5:6801 socket error on read"},
			"socket-error osd1 sparse read 0 libceph: data len 7 != extent len 0|sparse-read   0 libceph: data len 7 != extent len 0"},
		{"refused by cephx", []string{"libceph: auth protocol 'cephx' authorization to osd failed: -13",
			"libceph: osd1 (2)192.0.2.5:6801 read processing error"},
			"auth-fault  osd -13 libceph: auth protocol 'cephx' authorization to osd failed: -13|socket-error osd1 authentication -13 libceph: auth protocol 'cephx' authorization to osd failed: -13"},
		{"no memory", []string{"libceph: failed to allocate bounce page", "libceph: osd1 (1)192.0.2.5:6801 io error"},
			"no-memory  bounce page 0 libceph: failed to allocate bounce page|protocol-fault osd1 memory 0 libceph: failed to allocate bounce page"},
		{"a monitor's refusal explains no session", []string{"libceph: auth protocol 'cephx' mauth authentication failed: -13",
			"libceph: osd1 (2)192.0.2.5:6801 read processing error"},
			"auth-fault  monitor -13 libceph: auth protocol 'cephx' mauth authentication failed: -13|socket-error osd1 read processing 0 libceph: osd1 (2)192.0.2.5:6801 read processing error"},
		{"more than are kept", append(slices.Repeat([]string{why2}, maxPending), why1, what1), "crc-fault osd1 data 0 " + why1},
		{"the oldest goes", append([]string{why1}, append(slices.Repeat([]string{why2}, maxPending), what1)...),
			"crc-fault osd1  0 " + what1},
	} {
		var got []string
		for _, c := range tallied(c.lines...).Counts {
			got = append(got, fmt.Sprintf("%s %s %s %d %s", c.Class, c.Peer, c.Detail, c.Errno, c.Text))
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, strings.Join(got, "|")); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}

// TestTallyReasonLost: a reason before a gap does not explain a fault after it.
func TestTallyReasonLost(t *testing.T) {
	tally := Aggregator{Base: bootTime}
	tally.Add(encode(record{Seq: 1, Text: why1}))
	tally.Add(encode(record{Seq: 3, Text: what1}))
	if b := tally.Flush(); b.Lost != 1 || b.Counts[0].Detail != "" {
		t.Errorf("got %+v, want one lost and no reason", b)
	}
}

func TestTallySequence(t *testing.T) {
	for _, c := range []struct {
		seqs []uint64
		want uint64
	}{
		{[]uint64{5, 6, 7}, 0},
		{[]uint64{5, 8, 9, 20}, 12},
		{[]uint64{5, 3, 4, 5, 6}, 0},
		{[]uint64{1<<64 - 2, 1<<64 - 1, 0, 1}, 0},
		{[]uint64{0, 1<<64 - 1}, 1<<64 - 2},
	} {
		var tally Aggregator
		for _, seq := range c.seqs {
			tally.Add(encode(record{Facility: int(seq % 2), Seq: seq, Text: "x"}))
		}
		if b := tally.Flush(); b.Lost != c.want || b.Seq != c.seqs[len(c.seqs)-1] {
			t.Errorf("%v: got %d lost and the end at %d, want %d", c.seqs, b.Lost, b.Seq, c.want)
		}
	}
}

// TestTallyTakesSeq: an empty Batch still has the position in the log.
func TestTallyTakesSeq(t *testing.T) {
	var tally Aggregator
	tally.Add(encode(record{Seq: 7, Text: "x"}))
	tally.Flush()
	if b := tally.Flush(); b.Seq != 7 || !b.empty() {
		t.Errorf("got %+v, want nothing after 7", b)
	}
}

func TestTallySuppressed(t *testing.T) {
	b := tallied("net_ratelimit: 43 callbacks suppressed", "net_ratelimit: 7 callbacks suppressed", "libceph: osd1 down")
	if b.Suppressed != 50 || b.Counts[0].N != 50 || b.Counts[0].Detail != "net_ratelimit" {
		t.Errorf("got %+v, want 50 of net_ratelimit", b)
	}
}

// TestTallyBound: kinds of lines beyond the limit of a Batch are still counted.
func TestTallyBound(t *testing.T) {
	tally := Aggregator{Base: bootTime}
	for i := range 3 * maxCounts {
		tally.Add(encode(record{Seq: uint64(i), Text: fmt.Sprintf("libceph: osd%d down", i%(maxCounts+100))}))
	}
	b := tally.Flush()
	var n uint64
	for _, c := range b.Counts {
		n += c.N
	}
	if len(b.Counts) != maxCounts || n+b.Overflowed != 3*maxCounts || b.Overflowed == 0 {
		t.Errorf("got %d counts of %d lines and %d unsorted", len(b.Counts), n, b.Overflowed)
	}
	tally.Add(encode(record{Seq: 1 << 20, Text: "libceph: osd1 down"}))
	if b := tally.Flush(); len(b.Counts) != 1 || b.Overflowed != 0 {
		t.Errorf("the next Batch has %d counts and %d unsorted, want room again", len(b.Counts), b.Overflowed)
	}
}

// TestTallyKeepsNoBytes: neither a Batch nor a reason that waits for its fault
// changes when the read buffer of its records changes.
func TestTallyKeepsNoBytes(t *testing.T) {
	forms := allForms()
	fresh, reused := Aggregator{Base: bootTime}, Aggregator{Base: bootTime}
	buf := make([]byte, bufferSize)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		record := encode(record{Level: 4, Seq: uint64(i), Stamp: time.Duration(i) * time.Millisecond,
			Text: forms[random.IntN(len(forms))].text + []string{"", "\n"}[i%2]})
		fresh.Add(record)
		reused.Add(buf[:copy(buf, record)])
		for i := range buf[:200] {
			buf[i] = '#'
		}
	}
	if diff := cmp.Diff(fresh.Flush(), reused.Flush()); diff != "" {
		t.Errorf("-fresh +reused\n%s", diff)
	}
}

// TestNoAllocations: a record of no interest costs no allocation, nor does a record
// of a storm once its Count exists.
func TestNoAllocations(t *testing.T) {
	var tally Aggregator
	for _, text := range []string{why1, what1, "libceph: osd2 (1)[2001:db8::5]:6801 socket closed (con state OPEN)",
		"rbd: rbd0: write at objno 1 0~4096 result -108",
		"RSP: 002b:00007ffc6a0daac8 EFLAGS: 00000202 ORIG_RAX: 000000000000004a", "vmbr0: port 2(tap101i0) entered disabled state",
		"two\nlines", ""} {
		record := encode(record{Level: 4, Text: text})
		tally.Add(record)
		if n := testing.AllocsPerRun(1000, func() { tally.Add(record) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
		if n := testing.AllocsPerRun(1000, func() { lineOf(text) }); n != 0 {
			t.Errorf("lineOf(%q): %v allocations", text, n)
		}
	}
}

func TestReadBatch(t *testing.T) {
	const log = "6,1,1000000,-;libceph: osd1 up\n SUBSYSTEM=x\n\nbroken\n4,4,2500000,-;libceph: osd1 (1)192.0.2.5:6801 io error\n12,5,3000000,-;libceph: osd1 down"
	got := readBatch(log, bootTime, false)
	want := Batch{
		Counts: []Count{
			{Class: OSDUp, Peer: "osd1", N: 1, First: bootTime.Add(second), Last: bootTime.Add(second), Text: "libceph: osd1 up"},
			{Class: ProtocolFault, Peer: "osd1", Addr: "192.0.2.5:6801", Detail: "io error", N: 1,
				First: bootTime.Add(2500 * time.Millisecond), Last: bootTime.Add(2500 * time.Millisecond),
				Text: "libceph: osd1 (1)192.0.2.5:6801 io error"},
		},
		Records: 2, Foreign: 1, Lost: 1, Malformed: 1, Seq: 5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
