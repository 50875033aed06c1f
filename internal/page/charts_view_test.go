package page

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hourPlot returns a plot of the hour that ends at start.
func hourPlot() plot {
	return plot{from: start.Add(-time.Hour).Unix(), to: start.Unix(), now: start, gap: 35}
}

// A period without readings is a gap in the line, and a constant value is a single
// line.
func TestPathsHaveGaps(t *testing.T) {
	p := hourPlot()
	var points []point
	for i := range 360 {
		if at := p.from + int64(10*i); i < 100 || i >= 200 {
			points = append(points, point{at, 0.5})
		}
	}
	if got, want := p.path(points), "M0.0 50h.5L99.0 50M200.0 50h.5L359.0 50"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := p.path([]point{{p.from - 100, 1}}); got != "" {
		t.Errorf("before the time: %s", got)
	}
}

// Whatever the values, all numbers of the drawing are within its frame.
func TestPathsStayInTheirFrame(t *testing.T) {
	p := hourPlot()
	number := regexp.MustCompile(`[ML]([^ ]+) ([^MLh]+)`)
	for _, value := range []float64{0, -1, 0.3, 1, 7, 1e300, math.Inf(1), math.Inf(-1), math.NaN()} {
		path := p.path([]point{{p.from + 10, 0.1}, {p.from + 20, value}, {p.to, 0.2}})
		for _, m := range number.FindAllStringSubmatch(path, -1) {
			x, errX := strconv.ParseFloat(m[1], 64)
			y, errY := strconv.ParseFloat(m[2], 64)
			if errX != nil || errY != nil || !(x >= 0 && x <= chartWidth && y >= 0 && y <= chartHeight) {
				t.Errorf("%g: %s", value, path)
			}
		}
	}
}

// A chart has a text that describes its drawing.
func TestChartsHaveATextAlternative(t *testing.T) {
	v := stormView()
	texts := map[string]string{}
	for _, c := range chartsOf(v, maxCharts).Charts {
		texts[c.Title] = c.Text + " [" + c.Scale + "]"
	}
	for title, want := range map[string]string{
		"eth0 of bond0":             "receives 9.8 Gbit/s, sends 3 Mbit/s; peak received 9.8 Gbit/s at 02:13:00, sent 3 Mbit/s at 02:13:00 [line rate 10 Gbit/s]",
		"krbd latency, logarithmic": "median disk 34 s, slowest 40 s; longest 40 s at 02:14:00 [1 min 40 s]",
	} {
		if texts[title] != want {
			t.Errorf("%s: got %q, want %q", title, texts[title], want)
		}
	}
	v.Now = v.Now.Add(5 * time.Minute)
	if c := chartsOf(v, maxCharts).Charts[0]; !strings.Contains(c.Text, "receives last read 02:14:00") {
		t.Errorf("five minutes after the last reading: %q", c.Text)
	}
	if c := chartsOf(v, 1); len(c.Charts) != 3 || c.More != len(v.History.NICs)-1 {
		t.Errorf("%d charts, %d more", len(c.Charts), c.More)
	}
}
