package ceph

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// answer bounds the reply of a monitor or manager. The OSD map of 10,000 OSDs with
// 100,000 upmap entries has some 20 MiB and a million values.
var answer = size{bytes: 64 << 20, values: 2_000_000}

// ParseHealth parses the JSON reply to the monitor command "health" with
// "detail":"detail" (src/mon/HealthMonitor.cc).
func ParseHealth(b []byte) (Health, error) {
	type message struct {
		Message string `json:"message"`
	}
	var said struct {
		Status string `json:"status"`
		Checks map[string]struct {
			Severity string `json:"severity"`
			Summary  struct {
				Message string `json:"message"`
				Count   int    `json:"count"`
			} `json:"summary"`
			Detail []message `json:"detail"`
			Muted  bool      `json:"muted"`
		} `json:"checks"`
	}
	if err := answer.unmarshal(b, &said); err != nil {
		return Health{}, fmt.Errorf("ceph: health: %w", err)
	}
	if said.Status == "" {
		return Health{}, errors.New("ceph: health: no status")
	}
	h := Health{Status: said.Status, Checks: []Check{}}
	for code, c := range said.Checks {
		h.Checks = append(h.Checks, Check{code, c.Severity, c.Summary.Message, c.Summary.Count, c.Muted})
		if code != slowOps {
			continue
		}
		h.SlowOps = append(h.SlowOps, slowDaemons(c.Summary.Message)...)
		for _, d := range c.Detail {
			h.SlowOps = append(h.SlowOps, slowDaemons(d.Message)...)
		}
	}
	h.sanitize()
	return h, nil
}

// slowOps is the health code for requests that take too long.
const slowOps = "SLOW_OPS"

func (h *Health) sanitize() {
	h.Status = text(h.Status)
	for i := range h.Checks {
		c := &h.Checks[i]
		c.Code, c.Severity, c.Summary = text(c.Code), text(c.Severity), text(c.Summary)
	}
	slices.SortStableFunc(h.Checks, func(a, b Check) int { return cmp.Compare(a.Code, b.Code) })
	for i := range h.SlowOps {
		h.SlowOps[i] = text(h.SlowOps[i])
	}
	slices.Sort(h.SlowOps)
	h.SlowOps = slices.Compact(h.SlowOps)
}

// slowDaemons extracts the daemons from the message of SLOW_OPS
// (src/mgr/DaemonHealthMetricCollector.cc), which ends in one of
//
//	osd.0 has slow ops
//	daemons [osd.0,mon.a] have slow ops.
//	daemons [osd.0,...]... have slow ops.
//
// The last form lists the first ten daemons. Until Mimic it was "osds [osd.0,osd.1]",
// as a detail.
func slowDaemons(message string) []string {
	at := strings.LastIndex(message, " slow ops")
	if at < 0 {
		return nil
	}
	message = message[:at]
	if at = strings.LastIndex(message, ", "); at >= 0 {
		message = message[at+2:]
	}
	names, one := strings.CutSuffix(message, " has")
	if !one {
		_, names, _ = strings.Cut(message, "[")
		names, _, _ = strings.Cut(names, "]")
	}
	var daemons []string
	for name := range strings.SplitSeq(names, ",") {
		if kind, id, dot := strings.Cut(name, "."); dot && kind != "" && id != "" {
			daemons = append(daemons, name)
		}
	}
	return daemons
}
