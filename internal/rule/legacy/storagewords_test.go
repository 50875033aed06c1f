package legacy

import (
	"slices"
	"testing"
	"time"
)

func TestSomeOf(t *testing.T) {
	for want, list := range map[string][]string{
		"none": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}, "a, b, c and 1 more": {"a", "b", "c", "d"},
	} {
		if got := someOf(list, 3); got != want {
			t.Errorf("someOf(%q) = %q, want %q", list, got, want)
		}
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int]string{0: "0 disks", 1: "1 disk", 2: "2 disks"} {
		if got := counted(n, "disk"); got != want {
			t.Errorf("counted(%d) = %q", n, got)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 1499 * time.Millisecond: "1 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min", 119 * time.Minute: "119 min", 125 * time.Minute: "2 h 5 min",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestRateWords(t *testing.T) {
	for got, want := range map[string]string{
		bitRate(9.84e9): "9.8 Gbit/s", bitRate(120e6): "120 Mbit/s", linkSpeed(10000): "10G", linkSpeed(2500): "2.5G", linkSpeed(100): "100M", percent(0.984): "98 %",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestByNumber(t *testing.T) {
	list := []string{"osd10", "osd9", "osd100", "osd2"}
	slices.SortFunc(list, byNumber)
	if want := []string{"osd2", "osd9", "osd10", "osd100"}; !slices.Equal(list, want) {
		t.Errorf("%q, want %q", list, want)
	}
}

func TestHostOf(t *testing.T) {
	for addr, want := range map[string]string{"192.0.2.5:6801": "192.0.2.5", "[2001:db8::5]:6801": "2001:db8::5", "": "", "x:1": "", "192.0.2.5": ""} {
		if got := hostOf(addr); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", addr, got, want)
		}
	}
}
