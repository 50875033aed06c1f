package metrics

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// maxLabel is the most bytes of a label's value that are shown.
const maxLabel = 128

// A family is one metric: what it is called, and how it is read from a picture.
type family struct {
	name   string
	kind   prometheus.ValueType
	labels []string
	help   string // a sentence
	always bool   // shown before there is a View
	read   func(*picture, emit)
	desc   *prometheus.Desc
}

// emit takes one sample: its value and the values of the family's labels, in
// their order.
type emit func(value float64, labels ...string)

// collect sends the family's samples. Of two samples with the same labels the
// second is left out, as it would spoil the whole scrape: names of devices and
// guests come from outside, and may be equal once they are cut.
func (f family) collect(p *picture, out chan<- prometheus.Metric) {
	sent := map[string]bool{}
	f.read(p, func(value float64, labels ...string) {
		for i, l := range labels {
			labels[i] = sanitize(l)
		}
		key := strings.Join(labels, "\xff")
		if sent[key] {
			return
		}
		sent[key] = true
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
	})
}

// sanitize makes a text fit to be a label's value: valid UTF-8 of at most 128 bytes.
func sanitize(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	for len(s) > maxLabel {
		cut := maxLabel
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	return s
}

// truth is 1 for true.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unix is a time in seconds since 1970.
func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// stateset emits one sample for each of the states, 1 for the present one, with
// the state as the last label.
func stateset(states []string, now string, emit emit, labels ...string) {
	for _, s := range states {
		emit(truth(s == now), append(labels[:len(labels):len(labels)], s)...)
	}
}
