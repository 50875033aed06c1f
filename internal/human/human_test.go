package human

import (
	"testing"
	"time"
)

func TestNumbersReadAsPeopleWriteThem(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Number(0), "0"}, {Number(999), "999"}, {Number(1000), "1,000"}, {Number(-1234567), "-1,234,567"},
		{Number(uint64(1) << 63), "9,223,372,036,854,775,808"},
		{Count(1, "OSD"), "1 OSD"}, {Count(0, "OSD"), "0 OSDs"}, {Count(uint64(1820), "OSD"), "1,820 OSDs"},
		{AllOf(1, 1, "krbd disk"), "1 krbd disk"}, {AllOf(78, 78, "krbd disk"), "all 78 krbd disks"},
		{AllOf(3, 78, "krbd disk"), "3 of 78 krbd disks"},
		{Names(nil, 3), "none"}, {Names([]string{"a"}, 3), "a"}, {Names([]string{"a", "b", "c"}, 3), "a, b and c"},
		{Names([]string{"a", "b", "c", "d"}, 2), "a, b and 2 more"},
		{Span(0), "0 s"}, {Span(250 * time.Millisecond), "250 ms"}, {Span(59 * time.Second), "59 s"}, {Span(60 * time.Second), "1 min"},
		{Span(190 * time.Second), "3 min 10 s"}, {Span(2*time.Hour + 5*time.Minute), "2 h 5 min"}, {Span(76 * time.Hour), "3 d 4 h"},
		{Span(-4 * time.Second), "4 s"},
		{Milliseconds(0.04), "less than 0.1 ms"}, {Milliseconds(2.04), "2 ms"}, {Milliseconds(250), "250 ms"}, {Milliseconds(9000), "9 s"},
		{Milliseconds(64000), "1 min 4 s"},
		{BitRate(0), "0 Mbit/s"}, {BitRate(300), "less than 1 Mbit/s"}, {BitRate(1.2e8), "120 Mbit/s"}, {BitRate(9.84e9), "9.8 Gbit/s"},
		{BitRate(1e10), "10 Gbit/s"},
		{LinkSpeed(10000), "10G"}, {LinkSpeed(2500), "2.5G"}, {LinkSpeed(100), "100M"}, {LinkSpeed(0), "unknown speed"},
		{Rate(7000, "frame"), "7,000 frames/s"}, {Rate(0.25, "frame"), "0.3 frames/s"}, {Rate(0.01, "frame"), "less than 0.1 frames/s"},
		{Rate(0, "frame"), "0 frames/s"},
		{Percent(1), "100 %"}, {Percent(0.998), "99.8 %"}, {Percent(0.9999), "more than 99.9 %"}, {Percent(0.0001), "less than 0.1 %"},
		{Percent(0.004), "0.4 %"}, {Percent(0.5), "50 %"}, {Percent(0), "0 %"},
		{Times(125), "125 times"}, {Times(1.52), "1.5 times"}, {Capital("all"), "All"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
