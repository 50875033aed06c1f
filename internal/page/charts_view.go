package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/history"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/judge"
)

// The size of a chart's drawing: one unit of width is a 360th of its period.
const (
	chartWidth  = 360
	chartHeight = 100
)

// maxCharts is the number of NICs with a chart on the main page; the others are on
// the page of all charts.
const maxCharts = 4

// A chartView is one chart: its text and its drawing.
type chartView struct {
	Title    string
	Text     string // text alternative, next to the drawing
	Key      []lineView
	Scale    string // value at the top of the drawing
	From, To moment
	Lines    []lineView
	Grid     []float64 // heights of horizontal lines
	Incident *spanView // nil: none in this period
}

// A lineView is one line of a chart.
type lineView struct {
	Class string
	Name  string
	Path  string // SVG path; empty: no data
}

// A spanView is a part of the width of a drawing.
type spanView struct{ X, Width float64 }

// A point is a value at a time.
type point struct {
	at    int64 // Unix time
	value float64
}

// A plot is the period that a chart covers, and how it is drawn.
type plot struct {
	from, to int64
	now      time.Time
	gap      int64 // maximum distance of joined points, in seconds
	incident *spanView
}

// plotOf returns the plot of the last d before a View.
func plotOf(v judge.View, d, step time.Duration) plot {
	p := plot{from: v.Now.Add(-d).Unix(), to: v.Now.Unix(), now: v.Now, gap: int64(3*step/time.Second) + 5}
	if in := v.Report.Incident; in != nil {
		begin, end := in.Begin.Unix(), p.to
		if !in.End.IsZero() {
			end = in.End.Unix()
		}
		if end > p.from {
			x := p.x(max(begin, p.from))
			p.incident = &spanView{x, max(p.x(end)-x, 1)}
		}
	}
	return p
}

func (p plot) x(at int64) float64 {
	return chartWidth * float64(at-p.from) / float64(p.to-p.from)
}

// path draws the points, whose heights are from 0 to 1, as a line. Points within a
// straight line are left out.
func (p plot) path(points []point) string {
	var b strings.Builder
	last := point{at: math.MinInt64 / 2}
	for i, q := range points {
		if q.at < p.from || math.IsNaN(q.value) {
			continue
		}
		y := chartHeight * (1 - min(max(q.value, 0), 1))
		joined := q.at-last.at <= p.gap
		if joined && q.value == last.value && i+1 < len(points) && points[i+1].value == q.value && points[i+1].at-q.at <= p.gap {
			last.at = q.at
			continue
		}
		verb := "M"
		if joined {
			verb = "L"
		}
		fmt.Fprintf(&b, "%s%.1f %.0f", verb, p.x(q.at), y)
		if !joined {
			b.WriteString("h.5")
		}
		last = q
	}
	return b.String()
}

// chart returns a chart without lines.
func (p plot) chart(title string) chartView {
	return chartView{Title: title, From: momentOf(time.Unix(p.from, 0), p.now), To: momentOf(p.now, p.now), Incident: p.incident}
}

// add adds a line; height returns the height of a value, from 0 to 1.
func (c *chartView) add(p plot, class, name string, points []point, height func(float64) float64) {
	scaled := make([]point, len(points))
	for i, q := range points {
		scaled[i] = point{q.at, height(q.value)}
	}
	line := lineView{class, name, p.path(scaled)}
	c.Lines = append(c.Lines, line)
	c.Key = append(c.Key, line)
}

// shareOf returns the height of a value on a scale that ends at top.
func shareOf(top float64) func(float64) float64 {
	return func(value float64) float64 {
		if top <= 0 {
			return 0
		}
		return value / top
	}
}

// within returns the samples in the plot's period, as points.
func within[T any](p plot, list []T, of func(T) point) []point {
	var points []point
	for _, s := range list {
		if q := of(s); q.at >= p.from {
			points = append(points, q)
		}
	}
	return points
}

// highest returns the point with the highest value; false if there is none.
func highest(points []point) (point, bool) {
	if len(points) == 0 {
		return point{}, false
	}
	return slices.MaxFunc(points, func(a, b point) int {
		switch {
		case a.value > b.value:
			return 1
		case a.value < b.value:
			return -1
		}
		return 0
	}), true
}

// latest describes the latest value or, if it is not recent, the time until which a
// value was known.
func (p plot) latest(points []point, words func(float64) string) string {
	if len(points) == 0 {
		return "no reading"
	}
	q := points[len(points)-1]
	if p.to-q.at > p.gap+10 {
		return "last read " + ago(time.Unix(q.at, 0), p.now)
	}
	return words(q.value)
}

// peak describes the highest value and its time.
func (p plot) peak(points []point, words func(float64) string) string {
	q, found := highest(points)
	if !found {
		return ""
	}
	return words(q.value) + " at " + hour(time.Unix(q.at, 0), p.now)
}

// A chartsView is all charts of a period.
type chartsView struct {
	ID     string
	Span   string // "60 minutes"
	Charts []chartView
	More   int // number of NICs without a chart
}

// chartsOf returns the charts of the last hour, for at most the given number of NICs.
func chartsOf(v judge.View, nics int) chartsView {
	p := plotOf(v, history.Hour, 10*time.Second)
	c := chartsView{Span: "60 minutes"}
	names := chartedNICs(v)
	for _, name := range names[:min(len(names), nics)] {
		n, _ := v.History.Of(name)
		c.Charts = append(c.Charts, trafficChart(v, p, name, n.Tens()))
	}
	c.More = len(names) - min(len(names), nics) + v.History.LeftOut
	c.Charts = append(c.Charts, ioCharts(p, v.History.IO.Tens())...)
	return c.with(lossChart(p, v.History.Losses.Tens()))
}

// recentCharts returns the charts of the last 15 minutes with a resolution of one
// second.
func recentCharts(v judge.View) chartsView {
	p := plotOf(v, history.Recent, time.Second)
	c := chartsView{Span: "15 minutes"}
	for _, name := range chartedNICs(v) {
		n, _ := v.History.Of(name)
		c.Charts = append(c.Charts, trafficChart(v, p, name, n.Seconds))
	}
	c.Charts = append(c.Charts, ioCharts(p, v.History.IO.Seconds)...)
	return c.with(lossChart(p, v.History.Losses.Seconds))
}

func (c chartsView) with(chart chartView) chartsView {
	if chart.Text != "" {
		c.Charts = append(c.Charts, chart)
	}
	return c
}

// chartedNICs returns the NICs with a history: those that carry krbd's traffic first,
// then other slaves, then the rest.
func chartedNICs(v judge.View) []string {
	place := func(name string) int {
		n, watched := v.Facts.NICNamed(name)
		switch {
		case watched && n.Devices > 0:
			return 0
		case watched && n.Bond != "":
			return 1
		}
		return 2
	}
	var names []string
	for _, n := range v.History.NICs {
		names = append(names, n.Name)
	}
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
	return names
}

func trafficChart(v judge.View, p plot, name string, list []history.Traffic) chartView {
	title, speed := name, 0
	if n, watched := v.Facts.NICNamed(name); watched {
		title, speed = n.Label, n.Speed
	} else if len(list) > 0 {
		speed = int(list[len(list)-1].Speed)
	}
	c := p.chart(title)
	rx := within(p, list, func(t history.Traffic) point { return point{t.At, float64(t.Rx)} })
	tx := within(p, list, func(t history.Traffic) point { return point{t.At, float64(t.Tx)} })
	top := float64(speed) * 1e6
	c.Scale = "line rate " + human.BitRate(top)
	if speed <= 0 {
		most, _ := highest(slices.Concat(rx, tx))
		top = most.value
		c.Scale = human.BitRate(top) + ", line rate unknown"
	}
	c.add(p, "l-rx", "receives", rx, shareOf(top))
	c.add(p, "l-tx", "sends", tx, shareOf(top))
	c.Text = fmt.Sprintf("receives %s, sends %s", p.latest(rx, human.BitRate), p.latest(tx, human.BitRate))
	if peak := p.peak(rx, human.BitRate); peak != "" {
		c.Text += fmt.Sprintf("; peak received %s, sent %s", peak, p.peak(tx, human.BitRate))
	}
	return c
}

// ioCharts returns the charts of krbd's I/O; none if no krbd device has been read.
func ioCharts(p plot, list []history.IO) []chartView {
	if len(list) == 0 {
		return nil
	}
	done := p.chart("krbd I/O completions")
	rate := within(p, list, func(i history.IO) point { return point{i.At, float64(i.Completed)} })
	most, _ := highest(rate)
	requests := func(n float64) string { return human.Rate(n, "request") }
	done.Scale = requests(most.value)
	done.add(p, "l-rx", "completions", rate, shareOf(most.value))
	done.Text = p.latest(rate, requests)
	if peak := p.peak(rate, requests); peak != "" {
		done.Text += "; most " + peak
	}

	wait := p.chart("krbd latency, logarithmic")
	median := within(p, list, func(i history.IO) point { return point{i.At, float64(i.Median)} })
	slowest := within(p, list, func(i history.IO) point { return point{i.At, float64(i.Slowest)} })
	longest, _ := highest(slowest)
	top := math.Ceil(math.Log10(max(longest.value, 100)))
	height := func(ms float64) float64 { return (math.Log10(max(ms, leastLatency)) + 1) / (top + 1) }
	wait.Scale = human.Milliseconds(math.Pow(10, top))
	for ms := 1.0; ms < math.Pow(10, top); ms *= 10 {
		wait.Grid = append(wait.Grid, chartHeight*(1-height(ms)))
	}
	wait.add(p, "l-rx", "median", median, height)
	wait.add(p, "l-tx", "slowest", slowest, height)
	wait.Text = fmt.Sprintf("median disk %s, slowest %s", p.latest(median, human.Milliseconds), p.latest(slowest, human.Milliseconds))
	if peak := p.peak(slowest, human.Milliseconds); peak != "" {
		wait.Text += "; longest " + peak
	}
	return []chartView{done, wait}
}

// leastLatency is the bottom of the latency scale, in ms.
const leastLatency = 0.1

// lossChart has no text if the kernel log has not been read.
func lossChart(p plot, list []history.Losses) chartView {
	points := within(p, list, func(l history.Losses) point { return point{l.At, float64(l.N)} })
	c := p.chart("Sessions with OSDs lost")
	most, found := highest(points)
	if !found {
		return c
	}
	sessions := func(n float64) string { return human.Rate(n, "session") }
	c.Scale = sessions(max(most.value, 10))
	c.add(p, "l-bad", "lost", points, shareOf(max(most.value, 10)))
	c.Text = p.latest(points, sessions)
	if most.value > 0 {
		c.Text += "; most " + p.peak(points, sessions)
	}
	return c
}
