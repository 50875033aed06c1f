package kmsg

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseRecord(t *testing.T) {
	for _, c := range []struct {
		in   string
		want record
	}{
		{"4,2955,34054844,-;libceph: osd1 down\n", record{0, 4, 2955, 34054844 * time.Microsecond, "libceph: osd1 down"}},
		{"12,377,8353982,-;labmark: x\n", record{1, 4, 377, 8353982 * time.Microsecond, "labmark: x"}},
		{"6,1,2,c;a fragment\n", record{0, 6, 1, 2 * time.Microsecond, "a fragment"}},
		{"6,1,2,-,caller=T17,new=1;text; with ; more\n", record{0, 6, 1, 2 * time.Microsecond, "text; with ; more"}},
		{"6,1,2;no flag\n", record{0, 6, 1, 2 * time.Microsecond, "no flag"}},
		{"6,1,2,-;no newline", record{0, 6, 1, 2 * time.Microsecond, "no newline"}},
		{"6,1,2,-;\n", record{0, 6, 1, 2 * time.Microsecond, ""}},
		{"3,1,2,-;ixgbe 0000:01:00.0 eth0: NIC Link is Down\n SUBSYSTEM=pci\n DEVICE=+pci:0000:01:00.0\n",
			record{0, 3, 1, 2 * time.Microsecond, "ixgbe 0000:01:00.0 eth0: NIC Link is Down"}},
		{`6,1,2,-;two\x0alines, \x5c and \xc3\xa9` + "\n", record{0, 6, 1, 2 * time.Microsecond, "two\nlines, \\ and é"}},
		{`6,1,2,-;not \xg1 an \x1 escape \` + "\n", record{0, 6, 1, 2 * time.Microsecond, `not \xg1 an \x1 escape \`}},
		{"6,18446744073709551615,9223372036854775,-;big\n", record{0, 6, 1<<64 - 1, 9223372036854775 * time.Microsecond, "big"}},
	} {
		got, err := parseRecord([]byte(c.in))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v, -want +got\n%s", c.in, err, diff)
		}
	}
}

func TestParseRecordMalformed(t *testing.T) {
	for _, in := range []string{
		"", "\n", "text", "6", "6,1", "6,1,2", "6,1,2,-", "6,1,;x", ",1,2,-;x", "6,,2,-;x", "x,1,2,-;x", "6,1,2x,-;x", "-6,1,2,-;x",
		"+6,1,2,-;x", " 6,1,2,-;x",
		"6,18446744073709551616,2,-;x", "6,1,9223372036854776,-;x", "524288,1,2,-;x", "6,1,2,-\n;x", " SUBSYSTEM=pci",
	} {
		if got, err := parseRecord([]byte(in)); !errors.Is(err, errMalformed) {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
}

func TestParseRecordBound(t *testing.T) {
	for _, long := range []string{strings.Repeat("x", 5000), strings.Repeat(`\x0a`, 5000), strings.Repeat("x", 2000) + `\x0a`} {
		r, err := parseRecord([]byte("6,1,2,-;" + long + "\n"))
		if err != nil || len(r.Text) != maxText {
			t.Errorf("%.20q: got %d bytes, %v", long, len(r.Text), err)
		}
	}
}

func TestTidy(t *testing.T) {
	for in, want := range map[string]string{
		"plain":               "plain",
		"two\nlines\tand\r":   "two lines and ",
		"\x1b[31mred\x00\x7f": "?[31mred??",
		"\xff\xfe é":          "?? é",
		"a\u202eb\u0085c":     "a?b?c", // would reverse the direction of the rest of the line
		"":                    "",
	} {
		if got := sanitize(in, 300); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{strings.Repeat("x", 1000), strings.Repeat("é", 1000), strings.Repeat("\x01", 1000)} {
		if got := sanitize(in, 299); len(got) > 299 || len(got) < 298 {
			t.Errorf("%.10q: got %d bytes", in, len(got))
		}
	}
}
