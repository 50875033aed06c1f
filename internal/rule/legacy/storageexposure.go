package legacy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// An exposure is which krbd devices receive straight into the guests' pages and
// checksum them there, so that a guest that changes the page breaks the session.
type exposure struct {
	windows   []string // devices of Windows guests, mapped without rxbounce in a crc mode
	others    []string // devices of other guests, or of none, mapped so
	unsure    []string // of others, those with a guest whose system is not known
	safe      int      // devices mapped with rxbounce or in a secure mode
	unread    []string // devices whose options could not be read
	untimed   int      // devices whose requests never time out, of those whose options could be read
	windowsOf users    // the Windows guests
}

func exposureOf(in Input, devices []rbd.Mapped) exposure {
	var e exposure
	uses, seen := usesByID(in), make([]bool, len(in.Guests))
	for i := range devices {
		m := &devices[i]
		if m.Options == nil || m.Options.MSMode == "other" {
			e.unread = append(e.unread, m.Device)
			continue
		}
		if m.Options.RequestTimeout == 0 {
			e.untimed++
		}
		if bounces(*m.Options) {
			e.safe++
			continue
		}
		use := rbd.Use{Device: m.Device}
		if m.ID >= 0 && m.ID < len(uses) && uses[m.ID] != nil {
			use = *uses[m.ID]
		}
		e.expose(in, use, seen)
	}
	slices.Sort(e.windowsOf.names)
	return e
}

// usesByID are the uses by the number in the device's name.
func usesByID(in Input) []*rbd.Use {
	const most = 1 << 16 // devices' numbers are small, but nothing says so
	uses := make([]*rbd.Use, 0, 2*len(in.Uses))
	for i := range in.Uses {
		id, err := strconv.Atoi(strings.TrimPrefix(in.Uses[i].Device, "rbd"))
		if err != nil || id < 0 || id >= most {
			continue
		}
		for len(uses) <= id {
			uses = append(uses, nil)
		}
		uses[id] = &in.Uses[i]
	}
	return uses
}

// expose sorts one device by its guests' systems. seen are the Windows guests counted.
func (e *exposure) expose(in Input, use rbd.Use, seen []bool) {
	windows, unsure := false, len(use.Guests) == 0
	for i, g := range use.At {
		switch in.Guests[g].OS {
		case "windows":
			windows = true
			if !seen[g] {
				seen[g] = true
				e.windowsOf.add(use.Guests[i], in.Guests[g].Kind)
			}
		case "":
			unsure = true
		}
	}
	if windows {
		e.windows = append(e.windows, use.Device)
		return
	}
	e.others = append(e.others, use.Device)
	if unsure {
		e.unsure = append(e.unsure, use.Device)
	}
}

// fact says who is exposed.
func (e exposure) fact() string {
	return fmt.Sprintf("%s without rxbounce, of %s (%s): Windows may change a page while it is received, which breaks the checksum",
		counted(len(e.windows), "krbd disk"), counted(len(e.windowsOf.names), "Windows guest"), someOf(e.windowsOf.names, 3))
}

// told reports whether nothing was left untold: every device's options, and every
// guest's system.
func (e exposure) told(in Input) bool {
	return len(e.unread) == 0 && len(e.unsure) == 0 && in.GuestsKnown() == nil
}

// bounces reports whether received data is checked before the guest can reach it:
// rxbounce does so, and a secure mode decrypts from pages of its own.
func bounces(o rbd.Options) bool {
	return o.RxBounce || o.MSMode == "secure" || o.MSMode == "prefer-secure"
}

// canBounce reports whether the kernel has the map option rxbounce: since 5.17,
// and Linux 5.15 has it in its stable series. True where the release is not known.
func canBounce(in Input) bool {
	r, err := in.Host.Value.Upstream()
	if in.Host.At.IsZero() || err != nil {
		return true
	}
	return r.Compare(host.Release{Major: 5, Minor: 17}) >= 0 || r.Major == 5 && r.Minor == 15
}

// riskEvidence tells what else, besides the bond, makes a storm likelier or worse.
func riskEvidence(in Input, e exposure) []report.Evidence {
	var list []report.Evidence
	if len(e.windows) > 0 {
		list = append(list, in.fact(node.SourceKrbd, "rxbounce", e.fact()))
	}
	if e.untimed > 0 {
		list = append(list, in.fact(node.SourceKrbd, "osd_request_timeout", fmt.Sprintf("%s without a request timeout: what the OSDs do not answer waits for ever", counted(e.untimed, "krbd disk"))))
	}
	if len(e.unread) > 0 {
		list = append(list, in.fact(node.SourceKrbd, "map options", fmt.Sprintf("cannot tell for %s: the map options could not be read", counted(len(e.unread), "krbd disk"))))
	}
	if r, err := in.Host.Value.Upstream(); err == nil && !in.Host.At.IsZero() {
		if sure := sparseReadBug.affects(r); sure != unaffected {
			list = append(list, in.fact(node.SourceHost, "kernel", fmt.Sprintf("kernel %s (%s) is %s by %s", in.Host.Value.Release, r, sure, sparseReadBug.id)))
		}
	}
	return list
}
