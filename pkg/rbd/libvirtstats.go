package rbd

import (
	"strconv"
	"strings"

	"github.com/digitalocean/go-libvirt"
)

// virtSeen is what the bulk statistics tell of one domain.
type virtSeen struct {
	domain        libvirt.Domain
	state, reason string
	blocks        []virtBlock
}

// virtBlock is one block.N of the statistics: a disk, or a layer below one.
type virtBlock struct {
	io      VMIO
	source  string // path and backingIndex: what tells a changed disk
	counted bool   // QEMU gave its counters
}

// virtRecord reads the typed parameters of one domain (virDomainStatsRecord).
// Names that are not wanted are passed over.
func virtRecord(r libvirt.DomainStatsRecord) virtSeen {
	seen := virtSeen{domain: r.Dom}
	var state, reason int64
	for _, p := range r.Params {
		switch p.Field {
		case libvirt.DomainStatsStateState:
			state = int64(virtNumber(p.Value.I))
		case libvirt.DomainStatsStateReason:
			reason = int64(virtNumber(p.Value.I))
		default:
			seen.block(p)
		}
	}
	seen.state, seen.reason = virtState(state, reason)
	return seen
}

// block reads one block.N.FIELD.
func (s *virtSeen) block(p libvirt.TypedParam) {
	rest, ok := strings.CutPrefix(p.Field, libvirt.DomainStatsBlockPrefix)
	number, field, hasField := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if !ok || !hasField || err != nil || n < 0 || n >= guestDisksMax {
		return
	}
	for n >= len(s.blocks) {
		s.blocks = append(s.blocks, virtBlock{})
	}
	s.blocks[n].take(field, p.Value.I)
}

func (b *virtBlock) take(field string, value any) {
	text, _ := value.(string)
	number := virtNumber(value)
	switch field {
	case "name":
		b.io.Target = guestText(text)
	case "path":
		b.source += guestText(text)
	case "backingIndex":
		b.source += "#" + strconv.FormatUint(number, 10)
	case "rd.reqs":
		b.io.ReadReqs, b.counted = number, true
	case "rd.bytes":
		b.io.ReadBytes = number
	case "wr.reqs":
		b.io.WriteReqs, b.counted = number, true
	case "wr.bytes":
		b.io.WriteBytes = number
	case "errors":
		b.io.Errors = number
	}
}

// virtNumber returns a typed parameter's number, however wide.
func virtNumber(value any) uint64 {
	switch v := value.(type) {
	case int32:
		return uint64(v)
	case uint32:
		return uint64(v)
	case int64:
		return uint64(v)
	case uint64:
		return v
	}
	return 0
}

// disks names the disks and what they lie on; it changes when a disk is plugged
// in or out, or a medium is changed.
func (s virtSeen) disks() string {
	var b strings.Builder
	for _, block := range s.blocks {
		b.WriteString(block.io.Target + "=" + block.source + "\n")
	}
	return b.String()
}

// io returns the counters there are, by target. A target has its own only once:
// the layers below it, which share its name, are not asked for.
func (s virtSeen) io() []VMIO {
	var list []VMIO
	for _, b := range s.blocks {
		if b.counted && b.io.Target != "" {
			list = append(list, b.io)
		}
	}
	return list
}

// stalled tells whether QEMU gave no counters though a disk of the guest has
// some: its monitor was busy or did not answer, so that without waiting libvirt
// could give the disks' names only.
func (s virtSeen) stalled(disks []Disk) bool {
	expected := false
	for _, b := range s.blocks {
		if b.counted {
			return false
		}
		for _, d := range disks {
			if d.Target == b.io.Target && (d.Client != NoClient || d.Path != "") {
				expected = true
			}
		}
	}
	return expected
}
