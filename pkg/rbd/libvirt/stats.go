package libvirt

import (
	"strconv"
	"strings"

	"github.com/digitalocean/go-libvirt"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// domainStats are the bulk statistics of one domain.
type domainStats struct {
	domain        libvirt.Domain
	state, reason string
	blocks        []blockStats
}

// blockStats is one block.N of the statistics: a disk, or a layer below one.
type blockStats struct {
	io      rbd.VMIO
	source  string // path and backingIndex, which change with the disk
	counted bool   // QEMU reported its counters
}

// parseRecord parses the typed parameters of one domain (virDomainStatsRecord). It
// ignores other names.
func parseRecord(r libvirt.DomainStatsRecord) domainStats {
	seen := domainStats{domain: r.Dom}
	var state, reason int64
	for _, p := range r.Params {
		switch p.Field {
		case libvirt.DomainStatsStateState:
			state = int64(paramNumber(p.Value.I))
		case libvirt.DomainStatsStateReason:
			reason = int64(paramNumber(p.Value.I))
		default:
			seen.block(p)
		}
	}
	seen.state, seen.reason = stateOf(state, reason)
	return seen
}

// block parses one block.N.FIELD.
func (s *domainStats) block(p libvirt.TypedParam) {
	rest, ok := strings.CutPrefix(p.Field, libvirt.DomainStatsBlockPrefix)
	number, field, hasField := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if !ok || !hasField || err != nil || n < 0 || n >= rbd.MaxDisks {
		return
	}
	for n >= len(s.blocks) {
		s.blocks = append(s.blocks, blockStats{})
	}
	s.blocks[n].take(field, p.Value.I)
}

func (b *blockStats) take(field string, value any) {
	text, _ := value.(string)
	number := paramNumber(value)
	switch field {
	case "name":
		b.io.Target = naming.Text(text)
	case "path":
		b.source += naming.Text(text)
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

// paramNumber returns a typed parameter's number, however wide.
func paramNumber(value any) uint64 {
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

// disks returns a text of the disks and their sources; it changes when a disk is
// plugged or unplugged, or a medium is changed.
func (s domainStats) disks() string {
	var b strings.Builder
	for _, block := range s.blocks {
		b.WriteString(block.io.Target + "=" + block.source + "\n")
	}
	return b.String()
}

// io returns the available counters, by target. A target has counters only once: the
// layers below it, which share its name, are not requested.
func (s domainStats) io() []rbd.VMIO {
	var list []rbd.VMIO
	for _, b := range s.blocks {
		if b.counted && b.io.Target != "" {
			list = append(list, b.io)
		}
	}
	return list
}

// stalled reports whether QEMU reported no counters although a disk of the guest has
// some: its monitor was busy or did not respond, so libvirt could return only the
// disks' names without waiting.
func (s domainStats) stalled(disks []rbd.Disk) bool {
	expected := false
	for _, b := range s.blocks {
		if b.counted {
			return false
		}
		for _, d := range disks {
			if d.Target == b.io.Target && (d.Client != rbd.NoClient || d.Path != "") {
				expected = true
			}
		}
	}
	return expected
}
