// Package human formats numbers, rates, times and lists for people: one vocabulary
// for findings, pages, the terminal and reporters.
package human

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Number formats a whole number with a comma between thousands: "7,000".
func Number[N ~int | ~int64 | ~uint64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	if n > 0 {
		s = strconv.FormatUint(uint64(n), 10)
	}
	sign, digits := "", s
	if strings.HasPrefix(s, "-") {
		sign, digits = "-", s[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Count formats a number with its noun: "1 krbd disk", "1,820 OSDs".
func Count[N ~int | ~int64 | ~uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}

// AllOf describes a part of a total: "all 78 krbd disks", "3 of 78 krbd disks", or "1
// krbd disk" if the total is 1.
func AllOf(n, all int, noun string) string {
	switch {
	case n == 1 && all <= 1:
		return Count(n, noun)
	case n >= all:
		return "all " + Count(n, noun)
	}
	return Number(n) + " of " + Count(all, noun)
}

// Names lists at most the given number of names and counts the others: "vm101, vm102 and 63
// more".
func Names(names []string, most int) string {
	return NamesOf(names, most, func(name string) string { return name })
}

// NamesOf lists the names of the elements of a list like Names. It calls name only
// for those that it lists.
func NamesOf[T any](list []T, most int, name func(T) string) string {
	named := make([]string, min(len(list), most))
	for i := range named {
		named[i] = name(list[i])
	}
	switch n := len(list); {
	case n == 0:
		return "none"
	case n == 1:
		return name(list[0])
	case n <= most:
		return strings.Join(named[:n-1], ", ") + " and " + named[n-1]
	}
	return fmt.Sprintf("%s and %s more", strings.Join(named, ", "), Number(len(list)-most))
}

// Span formats a duration in at most two units: "4 s", "3 min 10 s", "2 h 5 min", "3
// d 4 h". Less than a second is formatted in milliseconds.
func Span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	if d > 0 && d < time.Second {
		return Milliseconds(float64(d) / float64(time.Millisecond))
	}
	s := int(d.Round(time.Second).Seconds())
	two := func(n int, unit string, rest int, small string) string {
		if rest == 0 {
			return fmt.Sprintf("%d %s", n, unit)
		}
		return fmt.Sprintf("%d %s %d %s", n, unit, rest, small)
	}
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return two(s/60, "min", s%60, "s")
	case s < 86400:
		return two(s/3600, "h", s%3600/60, "min")
	}
	return two(s/86400, "d", s%86400/3600, "h")
}

// Milliseconds formats a latency: "0.4 ms", "250 ms", "9 s".
func Milliseconds(ms float64) string {
	switch {
	case ms <= 0:
		return "0 ms"
	case ms < 0.1:
		return "less than 0.1 ms"
	case ms < 10:
		return strconv.FormatFloat(math.Round(ms*10)/10, 'f', -1, 64) + " ms"
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 10000:
		return strconv.FormatFloat(math.Round(ms/100)/10, 'f', -1, 64) + " s"
	}
	return Span(time.Duration(ms) * time.Millisecond)
}

// BitRate formats a rate in bits per second: "9.8 Gbit/s", "120 Mbit/s". More than
// nothing is never 0.
func BitRate(bits float64) string {
	switch {
	case bits <= 0:
		return "0 Mbit/s"
	case bits < 1e6:
		return "less than 1 Mbit/s"
	case bits < 1e9:
		return fmt.Sprintf("%.0f Mbit/s", bits/1e6)
	}
	return strconv.FormatFloat(math.Round(bits/1e8)/10, 'f', -1, 64) + " Gbit/s"
}

// LinkSpeed formats a link's speed in short: "10G", "2.5G", "100M"; for an unknown
// speed, 0, "unknown speed".
func LinkSpeed(mbps int) string {
	switch {
	case mbps <= 0:
		return "unknown speed"
	case mbps >= 1000:
		return fmt.Sprintf("%gG", float64(mbps)/1000)
	}
	return fmt.Sprintf("%dM", mbps)
}

// Rate formats a rate per second: "7,000 frames/s", "0.2 frames/s".
func Rate(perSecond float64, noun string) string {
	switch {
	case perSecond <= 0:
		return "0 " + noun + "s/s"
	case perSecond < 0.1:
		return "less than 0.1 " + noun + "s/s"
	case perSecond < 10:
		return strconv.FormatFloat(math.Round(perSecond*10)/10, 'f', -1, 64) + " " + noun + "s/s"
	}
	return Number(int64(math.Round(perSecond))) + " " + noun + "s/s"
}

// Percent formats a share from 0 to 1: "99.8 %". Less than all is never "100 %", more
// than nothing never "0 %".
func Percent(share float64) string {
	p := 100 * share
	switch {
	case math.IsNaN(p):
		return "unknown"
	case p <= 0:
		return "0 %"
	case p < 0.1:
		return "less than 0.1 %"
	case p >= 100:
		return fmt.Sprintf("%.0f %%", p)
	case p > 99.9:
		return "more than 99.9 %"
	case p < 1 || p > 99:
		return strconv.FormatFloat(math.Round(10*p)/10, 'f', -1, 64) + " %"
	}
	return fmt.Sprintf("%.0f %%", p)
}

// Times formats a ratio: "125 times", "1.5 times".
func Times(ratio float64) string {
	if ratio < 10 {
		return strconv.FormatFloat(math.Round(10*ratio)/10, 'f', -1, 64) + " times"
	}
	return Number(int64(math.Round(ratio))) + " times"
}

// Clock formats a time of day: "03:16:31".
func Clock(at time.Time) string { return at.Format(time.TimeOnly) }

// ByNumber compares names of one kind by their number: osd3 before osd12.
func ByNumber(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// Capital returns the text with its first letter in upper case, as at the beginning
// of a sentence.
func Capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
