package native

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A plan is how much of a report is sent. If a body is too large, the next plan is
// used.
type plan struct {
	transitions int
	findings    int
	components  int
	labels      int
	names       int // guests of each finding
	evidence    bool
	detail      bool
}

// plans are sorted by decreasing size; the last one always fits, and still sends some
// transitions.
var plans = []plan{
	{transitions: 100, findings: 200, components: 64, labels: 16, names: report.MaxNames, evidence: true, detail: true},
	{transitions: 100, findings: 200, components: 64, labels: 16, names: 20, evidence: true, detail: true},
	{transitions: 25, findings: 200, components: 64, labels: 16, evidence: true, detail: true},
	{transitions: 25, findings: 200, components: 64, labels: 16, detail: true},
	{transitions: 10, findings: 20, components: 64, labels: 16, detail: true},
	{transitions: 5, components: 64, labels: 16, detail: true},
	{transitions: 1, components: 32},
}

// zipFrom is the minimum size of a body that is compressed, in bytes.
const zipFrom = 4 << 10

// A letter is an encoded body.
type letter struct {
	body  Body
	raw   []byte // JSON
	last  uint64 // serial of its last transition
	least bool   // it is the smallest possible
}

// write returns the fullest body within budget, or the smallest one if none fits.
func write(c Config, every time.Duration, q *queue, r report.Report, seq uint64, budget int) (letter, error) {
	var l letter
	for i, p := range plans {
		list, last := q.first(p.transitions)
		l = letter{body: p.body(c, every, r, seq), last: last, least: i == len(plans)-1}
		l.body.Transitions, l.body.Waiting, l.body.Dropped = list, len(q.list)-len(list), q.dropped
		var err error
		if l.raw, err = marshal(l.body); err != nil || len(l.raw) <= budget {
			return l, err
		}
	}
	return l, nil
}

func marshal(b Body) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(b); err != nil {
		return nil, fmt.Errorf("report as JSON: %w", err)
	}
	return out.Bytes(), nil
}

// body returns the report without transitions.
func (p plan) body(c Config, every time.Duration, r report.Report, seq uint64) Body {
	t := trimmer{}
	b := Body{
		Schema: Schema, Seq: seq, SentAt: utc(r.At), Status: r.Status,
		Node: Node{ID: identity(c, r), Name: t.text(r.Node, maxName), Site: t.text(r.Site, maxName),
			Labels: t.labels(r.Labels, p.labels)},
		Inventory: t.inventory(r.Inventory, p.labels),
		Agent: Agent{Version: t.text(r.Version, maxWord), Boot: t.text(r.Boot, maxWord), Started: utc(r.Started),
			Config: t.text(c.Digest, 2*maxWord)},
		Interval:   seconds(every),
		TTL:        3*seconds(every) + 10,
		Components: []Component{}, Findings: []report.Finding{},
		Maintenance: t.maintenance(r.Maintenance),
	}
	if r.Final != "" {
		b.Final = &Final{Reason: t.text(r.Final, maxLine)}
	}
	for _, x := range r.Components[:min(p.components, len(r.Components))] {
		b.Components = append(b.Components, t.component(x, r, p))
	}
	for _, f := range r.Findings[:min(p.findings, len(r.Findings))] {
		b.Findings = append(b.Findings, t.finding(f, p))
	}
	t.cut.Components, t.cut.Findings = len(r.Components)-len(b.Components), len(r.Findings)-len(b.Findings)
	if t.cut != (Cut{}) {
		b.Cut = &t.cut
	}
	return b
}

// identity returns the node's id: as configured, or SITE/NODE.
func identity(c Config, r report.Report) string {
	id := cmp.Or(url.PathEscape(r.Node), "-")
	switch {
	case c.ID != "":
		return c.ID
	case r.Site != "":
		id = url.PathEscape(r.Site) + "/" + id
	}
	return id[:min(len(id), maxID)]
}

// seconds returns d in whole seconds, at least one.
func seconds(d time.Duration) int {
	return int(math.Ceil(min(max(d, time.Second), 24*time.Hour).Seconds()))
}

// zipped returns the compressed body.
func zipped(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
