package legacy

import (
	"fmt"
	"strings"
	"time"
)

// someOf lists at most as many names and says how many more there are:
// "vm101, vm102 and 63 more".
func someOf(names []string, most int) string {
	switch n := len(names); {
	case n == 0:
		return "none"
	case n == 1:
		return names[0]
	case n <= most:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// counted is a number with its noun: "1 krbd disk", "78 krbd disks".
func counted[N int | uint64](n N, noun string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// span is a length of time for people: "4 s", "3 min", "2 h 5 min".
func span(d time.Duration) string {
	switch s := int(d.Round(time.Second).Seconds()); {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 7200:
		return fmt.Sprintf("%d min", s/60)
	default:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
}

// bitRate is a rate for people: "9.8 Gbit/s", "120 Mbit/s".
func bitRate(bits float64) string {
	if bits >= 1e9 {
		return fmt.Sprintf("%.1f Gbit/s", bits/1e9)
	}
	return fmt.Sprintf("%.0f Mbit/s", bits/1e6)
}

// linkSpeed is a link's speed as people say it: "10G", "100M".
func linkSpeed(mbps int) string {
	if mbps >= 1000 {
		return fmt.Sprintf("%gG", float64(mbps)/1000)
	}
	return fmt.Sprintf("%dM", mbps)
}

// percent is a share for people.
func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// clock is a time of day for people.
func clock(at time.Time) string { return at.Format(time.TimeOnly) }
