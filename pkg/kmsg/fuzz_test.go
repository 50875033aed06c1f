package kmsg

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzClassify: the classifier agrees with the reference's patterns; the names it
// returns are in the text; and the Line represents one record or the records of a
// rate limit.
func FuzzClassify(f *testing.F) {
	for _, s := range allForms() {
		f.Add(s.text)
	}
	for _, log := range samples(f) {
		all := texts(f, log)
		f.Add(all[0])
		f.Add(all[len(all)-1])
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := lineOf(text)
		if diff := cmp.Diff(reference(text), got); diff != "" {
			t.Errorf("%q: -reference +classify\n%s", text, diff)
		}
		named := append(strings.Split(got.Device, "/"), got.Addr, strings.TrimPrefix(got.Peer, "osd"))
		for _, name := range named {
			if !strings.Contains(text, name) {
				t.Errorf("%q: %q is not in it", text, name)
			}
		}
		if got.Class != Other && (got.Count == 0 || got.Class != Suppressed && got.Count != 1) {
			t.Errorf("%q: represents %d records", text, got.Count)
		}
	})
}

// FuzzParseRecord: a parsed record, written as the kernel would write it, is parsed
// to the same record; the text is bounded and no longer than its source.
func FuzzParseRecord(f *testing.F) {
	for _, log := range samples(f) {
		for line := range strings.Lines(log) {
			f.Add([]byte(line))
			break
		}
	}
	f.Add([]byte("3,2954,34053844,-,caller=T1;libceph: osd1 (1)192.0.2.5:6801 bad crc/signature\n SUBSYSTEM=net\n DEVICE=n4\n"))
	f.Add([]byte(`6,361,2179767,-;ACPI: \x5c_SB_.GSIF: Enabled\x0aat IRQ 21` + "\n"))
	f.Add([]byte(`6,18446744073709551615,9223372036854775,c;\x`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err != nil {
			if r != (record{}) {
				t.Errorf("%q: got %+v and an error", b, r)
			}
			return
		}
		if len(r.Text) > maxText || len(r.Text) > len(b) {
			t.Errorf("%q: text of %d bytes", b, len(r.Text))
		}
		if r.Stamp < 0 || r.Level > 7 {
			t.Errorf("%q: got %+v", b, r)
		}
		again, err := parseRecord(encode(r))
		if diff := cmp.Diff(r, again); err != nil || diff != "" {
			t.Errorf("%q: %v, -first +again\n%s", b, err, diff)
		}
	})
}

// FuzzAggregator: every line of the log is counted once, as a record, foreign or
// malformed. Every record of interest is in a Count or in Overflowed, except those
// that explain another. All retained data is bounded and printable.
func FuzzAggregator(f *testing.F) {
	for name, log := range samples(f) {
		if len(log) < 1000 {
			f.Add(log, false)
		}
		if name == "kmsg/blocklist.kmsg" {
			f.Add(log, true)
		}
	}
	var forms strings.Builder
	for i, s := range allForms() {
		forms.Write(encode(record{Seq: uint64(i) * 2, Stamp: time.Duration(i) * 100 * time.Millisecond, Text: s.text}))
	}
	f.Add(forms.String(), false)
	f.Fuzz(func(t *testing.T, log string, any bool) {
		b := readBatch(log, time.Unix(1_800_000_000, 0).UTC(), any)
		var lines, interest uint64
		for line := range strings.Lines(log) {
			if line == "\n" || line[0] == ' ' {
				continue
			}
			lines++
			if r, err := parseRecord([]byte(line)); err == nil && (any || r.Facility == 0) {
				if l := reference(r.Text); l.Class != crcDetail && l.Class != connectDetail {
					interest += l.Count
				}
			}
		}
		if got := b.Records + b.Foreign + b.Malformed; got != lines {
			t.Errorf("got %d records, want %d", got, lines)
		}
		counted := b.Overflowed
		for _, c := range b.Counts {
			counted += c.N
			checkCount(t, c)
		}
		if counted != interest {
			t.Errorf("got %d of interest, want %d", counted, interest)
		}
		if len(b.Counts) > maxCounts || !slices.IsSortedFunc(b.Counts, Count.compare) {
			t.Errorf("%d counts, not sorted or too many", len(b.Counts))
		}
	})
}

func checkCount(t *testing.T, c Count) {
	t.Helper()
	for _, s := range []string{c.Peer, c.Addr, c.Device, c.Detail, c.Text} {
		if len(s) > 300 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is not fit to be shown", s)
		}
	}
	if c.N == 0 || c.Last.Before(c.First) || c.First.Unix() != c.Last.Unix() || c.Errno > 0 || c.Errno < -4095 {
		t.Errorf("got %+v", c)
	}
}

// FuzzPosition: the text of a parsed position is the same, except for a newline, and
// is parsed to the same position.
func FuzzPosition(f *testing.F) {
	f.Add("33b862db-5e43-43fb-927c-e4b2e2132a65 18446744073709551614\n")
	f.Add("33b862db-5e43-43fb-927c-e4b2e2132a65 0")
	f.Add("33b862db-5e43-43fb-927c-e4b2e2132a65 18446744073709551615")
	f.Fuzz(func(t *testing.T, text string) {
		var p, again Position
		if p.UnmarshalText([]byte(text)) != nil {
			if p != (Position{}) {
				t.Errorf("%q: got %+v and an error", text, p)
			}
			return
		}
		written, err := p.MarshalText()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if err := again.UnmarshalText(written); err != nil || again != p {
			t.Errorf("%q: got %+v, want %+v, %v", text, again, p, err)
		}
	})
}
