package kmsg

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A said is a kernel line and its meaning. A Count of 0 means 1.
type said struct {
	text string
	want Line
}

// allForms are the tables of this package: each known form, in the wording of each
// kernel that differs.
func allForms() []said {
	var all []said
	for _, table := range [][]said{faultForms, reasonForms, mapForms, osdForms, authForms, rbdTable, bondTable, nicTable, nicDriverTable,
		kernelTable, storageTable, quietTable} {
		all = append(all, table...)
	}
	return all
}

func TestForms(t *testing.T) {
	for _, s := range allForms() {
		want := s.want
		if want.Class != Other && want.Count == 0 {
			want.Count = 1
		}
		if diff := cmp.Diff(want, lineOf(s.text)); diff != "" {
			t.Errorf("%q: -want +got\n%s", s.text, diff)
		}
		if diff := cmp.Diff(want, reference(s.text)); diff != "" {
			t.Errorf("%q: -want +reference\n%s", s.text, diff)
		}
	}
}

// TestFormsWithMoreText: text that a later kernel may append does not change the
// result.
func TestFormsWithMoreText(t *testing.T) {
	for _, table := range [][]said{faultForms, reasonForms, osdForms} {
		for _, s := range table {
			if got, want := lineOf(s.text+" [and more]").Class, s.want.Class; got != want {
				t.Errorf("%q with more text: got %q, want %q", s.text, got, want)
			}
		}
	}
}

// TestFormsInBatches: each line is counted, except those that only explain another.
func TestFormsInBatches(t *testing.T) {
	for _, s := range allForms() {
		var want uint64 = 1
		switch s.want.Class {
		case Other, crcDetail, connectDetail:
			want = 0
		case Suppressed:
			want = s.want.Count
		}
		var got uint64
		tally := Aggregator{}
		tally.Add(encode(record{Level: 4, Text: s.text}))
		for _, c := range tally.Flush().Counts {
			got += c.N
		}
		if got != want {
			t.Errorf("%q: got %d events, want %d", s.text, got, want)
		}
	}
}

// Short names for the tables.
const (
	v4  = "192.0.2.5:6801"
	v6  = "[2001:db8::5]:6801"
	mon = "192.0.2.1:6789"
)

func peer(c Class, peer, addr, detail string) Line {
	return Line{Class: c, Peer: peer, Addr: addr, Detail: detail}
}

func on(c Class, device, detail string) Line {
	return Line{Class: c, Device: device, Detail: detail}
}

func failed(c Class, device, detail string, errno int) Line {
	return Line{Class: c, Device: device, Detail: detail, Errno: errno}
}
