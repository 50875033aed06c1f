package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// diskFacts summarizes the disks.
func diskFacts(v judge.View, all []diskView) []factLine {
	var list []factLine
	add := func(name, text string) {
		if text != "" {
			list = append(list, factLine{Name: name, Text: text})
		}
	}
	add("krbd", krbdFact(v, all))
	add("librbd, rbd-nbd", otherFact(all))
	add("Guests", guestFact(v))
	add("Waiting for OSDs", waitFact(v))
	add("Map options", optionFact(v.Mapped.Value))
	return list
}

func krbdFact(v judge.View, all []diskView) string {
	if !ever(v, node.SourceKrbd) {
		return ""
	}
	stalled, clients := 0, map[string]bool{}
	for _, d := range all {
		if d.stalled > 0 {
			stalled++
		}
	}
	for _, m := range v.Mapped.Value {
		clients[fmt.Sprintf("%s %d", m.FSID, m.ClientID)] = true
	}
	n := len(v.Mapped.Value)
	if n == 0 {
		return "no disks"
	}
	text := fmt.Sprintf("%s of %s", plural(n, "disk", "disks"), plural(len(clients), "kernel client", "kernel clients"))
	if stalled > 0 {
		text += fmt.Sprintf(", %s stalled", number(stalled))
	}
	return text
}

func otherFact(all []diskView) string {
	n := map[string]int{}
	for _, d := range all {
		n[d.Client]++
	}
	var parts []string
	for _, c := range []rbd.Client{rbd.LibRBD, rbd.NBD} {
		if n[string(c)] > 0 {
			parts = append(parts, plural(n[string(c)], "disk", "disks")+" by "+string(c))
		}
	}
	return strings.Join(parts, ", ")
}

func guestFact(v judge.View) string {
	if v.Libvirt.At.IsZero() && v.QEMU.At.IsZero() {
		return ""
	}
	states := map[string]int{}
	for _, g := range v.Guests {
		states[g.State]++
	}
	text := plural(len(v.Guests), "guest", "guests")
	for _, s := range []string{"paused", "crashed", "shutoff"} {
		if states[s] > 0 {
			text += fmt.Sprintf(", %s %s", number(states[s]), s)
		}
	}
	return text
}

// waitFact describes what krbd is waiting for, according to debugfs osdc.
func waitFact(v judge.View) string {
	if v.Pending.At.IsZero() {
		return ""
	}
	total, attempts, oldest := 0, 0, time.Duration(0)
	for _, p := range v.Pending.Value {
		total += p.Total
		for _, r := range p.Requests {
			attempts = max(attempts, r.Attempts)
		}
	}
	for _, w := range v.Waits {
		oldest = max(oldest, v.Pending.At.Sub(w.Since))
	}
	if total == 0 {
		return "no request"
	}
	return fmt.Sprintf("%s, oldest at least %s, sent up to %s", plural(total, "request", "requests"), span(oldest),
		plural(attempts, "time", "times"))
}

// optionFact summarizes the map options of krbd's devices.
func optionFact(mapped []rbd.Mapped) string {
	known, bounce, limited := 0, 0, 0
	for _, m := range mapped {
		if m.Options == nil {
			continue
		}
		known++
		if m.Options.RxBounce {
			bounce++
		}
		if m.Options.RequestTimeout > 0 {
			limited++
		}
	}
	switch {
	case len(mapped) == 0:
		return ""
	case known == 0:
		return "cannot be read"
	}
	text := fmt.Sprintf("rxbounce on %s of %s, osd_request_timeout on %s", number(bounce), number(known), number(limited))
	if known < len(mapped) {
		text += fmt.Sprintf("; unreadable for %s others", number(len(mapped)-known))
	}
	return text
}
