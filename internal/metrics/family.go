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

// maxLabel is the maximum length of a label value in bytes.
const maxLabel = 128

// A family is one metric: its name, and how it is read from a picture.
type family struct {
	name   string
	kind   prometheus.ValueType
	labels []string
	help   string // one sentence
	always bool   // exported before the first View
	read   func(*picture, emit)
	desc   *prometheus.Desc
}

// emit exports one sample: its value and the values of the family's labels, in their
// order.
type emit func(value float64, labels ...string)

// collect sends the family's samples. It drops the second of two samples with equal
// labels, which would break the whole scrape: names of devices and guests are
// external, and may be equal after truncation.
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

// sanitize makes a text a valid label value: UTF-8 of at most 128 bytes.
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

// truth returns 1 for true and 0 for false.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unix returns a time in seconds since 1970.
func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// stateset emits one sample for each state, with the state as the last label; the
// value is 1 for the current state.
func stateset(states []string, now string, emit emit, labels ...string) {
	for _, s := range states {
		emit(truth(s == now), append(labels[:len(labels):len(labels)], s)...)
	}
}
