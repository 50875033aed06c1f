package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Printable makes s safe to show on a terminal, in a page or in a log: other people
// choose kernel lines and guest names. Control characters, which include terminal
// escapes, and marks that change the direction of text become question marks; line
// breaks and tabs become spaces.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, s)
}

// bits formats a traffic rate: 9.41 Gbit/s.
func bits(perSecond float64) string {
	for _, u := range []struct {
		from float64
		unit string
	}{{1e9, "Gbit/s"}, {1e6, "Mbit/s"}, {1e3, "kbit/s"}} {
		if perSecond >= u.from {
			return digits(perSecond/u.from) + " " + u.unit
		}
	}
	return digits(perSecond) + " bit/s"
}

// digits formats a number with at least three significant digits.
func digits(f float64) string {
	switch {
	case f >= 1000 && f < 1e18:
		return number(uint64(math.Round(f)))
	case f >= 100 || f == math.Trunc(f):
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// speed formats a line rate: 10 Gbit/s; "speed unknown" for 0.
func speed(mbits int) string {
	if mbits <= 0 {
		return "speed unknown"
	}
	return bits(float64(mbits) * 1e6)
}

// percent formats a ratio in percent; it never returns 100 % for less than all or 0 %
// for more than nothing.
func percent(ratio float64) string {
	p := math.Round(ratio * 100)
	switch {
	case p >= 100 && ratio < 1:
		p = 99
	case p <= 0 && ratio > 0:
		return "<1 %"
	}
	return fmt.Sprintf("%.0f %%", p)
}

// number formats a count with commas: 56,477.
func number[N int | uint64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural formats a count with its noun.
func plural[N int | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// span formats a duration with its two leading units: 9 s, 4 min 10 s, 3 d 4 h.
func span(d time.Duration) string {
	d = max(d, 0)
	s := int64(d / time.Second)
	for _, u := range []struct {
		seconds, part int64
		unit, parts   string
	}{{86400, 3600, "d", "h"}, {3600, 60, "h", "min"}, {60, 1, "min", "s"}} {
		if s < u.seconds {
			continue
		}
		if rest := s % u.seconds / u.part; rest > 0 {
			return fmt.Sprintf("%d %s %d %s", s/u.seconds, u.unit, rest, u.parts)
		}
		return fmt.Sprintf("%d %s", s/u.seconds, u.unit)
	}
	return fmt.Sprintf("%d s", s)
}

// stamp formats a time with its date.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// hour formats a time relative to now: without its date on the same day.
func hour(t, now time.Time) string {
	switch t, now = t.UTC(), now.UTC(); {
	case t.IsZero():
		return "never"
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return t.Format("15:04:05")
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// ago formats a time with its age: 02:13:51 (9 s ago).
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return fmt.Sprintf("%s (%s ago)", hour(t, now), span(now.Sub(t)))
}

// from formats the start of a state with its duration: 02:13:51 (9 s).
func from(t, now time.Time) string {
	if t.IsZero() {
		return "before nodewatch started"
	}
	return fmt.Sprintf("%s (%s)", hour(t, now), span(now.Sub(t)))
}

// plain formats a constant as words: major outage.
func plain[S ~string](s S) string { return strings.ReplaceAll(string(s), "_", " ") }
