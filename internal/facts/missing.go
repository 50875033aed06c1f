package facts

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A Missing is the information that a readable source does not provide. The zero
// Missing means that nothing is missing.
type Missing struct {
	Text   string // description for display; empty: nothing is missing
	Remedy string // how to enable it; empty: no remedy is known
}

// Missing returns what the named source does not provide now. A source that cannot be
// read at all has an error and no Missing.
func (f *Facts) Missing(source string) Missing {
	if f.Blind(source) != nil {
		return Missing{}
	}
	switch source {
	case node.SourceLibvirt:
		return Missing{f.Libvirt.Value.Partly, f.Libvirt.Value.Remedy}
	case node.SourceQEMU:
		return Missing{f.QEMU.Value.Partly, f.QEMU.Value.Remedy}
	case node.SourceKrbd:
		return missingMapped(f.Mapped.Value)
	case node.SourceOSDC:
		return missingPending(f.Pending.Value)
	case node.SourceDrops:
		return missingDrops(f.NICs)
	}
	return Missing{}
}

// MissingGuests returns what the two views of the guests together do not provide.
func (f *Facts) MissingGuests() Missing {
	libvirt, qemu := f.Missing(node.SourceLibvirt), f.Missing(node.SourceQEMU)
	return Missing{either(libvirt.Text, qemu.Text), either(libvirt.Remedy, qemu.Remedy)}
}

// either joins two texts, either of which may be empty; equal texts are not repeated.
func either(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}

// some describes what n things do not provide, with the reason of the first of them.
func some(n int, noun, first, reason, remedy string) Missing {
	if n == 0 {
		return Missing{}
	}
	if n == 1 {
		return Missing{first + ": " + reason, remedy}
	}
	return Missing{fmt.Sprintf("%s cannot be read completely, e.g. %s: %s", human.Count(n, noun), first, reason), remedy}
}

func missingMapped(list []rbd.Mapped) Missing {
	n, at := 0, 0
	for i := range list {
		if list[i].Partly == "" && list[i].OptionsErr == "" {
			continue
		}
		if n++; n == 1 {
			at = i
		}
	}
	if n == 0 {
		return Missing{}
	}
	if reason := list[at].Partly; reason != "" {
		return some(n, "krbd device", list[at].Device, reason, "")
	}
	return some(n, "krbd device", list[at].Device, "map options: "+list[at].OptionsErr,
		"mount debugfs, and give nodewatch CAP_DAC_READ_SEARCH, as systemd/nodewatch.service does")
}

func missingPending(list []rbd.Pending) Missing {
	n, first, reason := 0, "", ""
	for i := range list {
		var says string
		switch p := &list[i]; {
		case p.Partly != "":
			says = p.Partly
		case p.Truncated:
			says = "the file is longer than the read limit"
		case p.Malformed > 0:
			says = human.Count(p.Malformed, "line") + " not understood"
		default:
			continue
		}
		if n++; n == 1 {
			first, reason = fmt.Sprintf("client%d", list[i].ClientID), says
		}
	}
	if n == 0 && len(list) > 0 && list[0].LeftOut > 0 {
		return Missing{Text: human.Count(list[0].LeftOut, "client") + " omitted (those with the fewest requests)"}
	}
	return some(n, "client", first, reason, "")
}

// missingDrops returns the drivers whose drop counters are unknown, each with its
// NICs and those of its counters that may be drop counters.
func missingDrops(list []node.NIC) Missing {
	nics, counters := map[string][]string{}, map[string]map[string]bool{}
	for i := range list {
		d := &list[i].Drops
		if d.Driver == "" || d.Counts != nil {
			continue
		}
		if nics[d.Driver] = append(nics[d.Driver], list[i].Name); counters[d.Driver] == nil {
			counters[d.Driver] = map[string]bool{}
		}
		for name := range d.Unlisted {
			counters[d.Driver][name] = true
		}
	}
	var texts []string
	for _, driver := range slices.Sorted(maps.Keys(nics)) {
		text := fmt.Sprintf("nodewatch does not know the drop counters of driver %s (%s)", driver, human.Names(nics[driver], 4))
		if names := slices.Sorted(maps.Keys(counters[driver])); len(names) > 0 {
			text += "; these look like drops: " + strings.Join(names, ", ")
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return Missing{}
	}
	return Missing{strings.Join(texts, "; "),
		"report the driver and these counters to the nodewatch project; until then nodewatch uses the kernel's counters of the NIC"}
}
