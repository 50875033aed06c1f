package facts

import (
	"slices"

	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// An Exposure lists the krbd devices that receive straight into the guests' pages and
// checksum them there, so that a guest that changes a page breaks the session.
type Exposure struct {
	Windows   []string // devices of Windows guests, mapped without rxbounce in a crc mode
	Others    []string // devices of other guests, or of none, mapped in the same way
	Unsure    []string // the devices of Others with a guest whose system is unknown
	Safe      int      // devices mapped with rxbounce or in a secure mode
	Unread    []string // devices whose options could not be read
	Untimed   int      // devices whose requests never time out, among those whose options could be read
	WindowsOf GuestSet // guests that are certainly Windows
	Possibly  []string // guests on these devices that may be Windows, each with the hint
	NoSign    []string // guests whose operating system is unknown
	Not       []string // guests that are certainly not Windows
}

// Exposure returns the exposure of all krbd devices.
func (f *Facts) Exposure() Exposure { return f.exposure() }

// ExposureOf returns the exposure of some devices.
func (f *Facts) ExposureOf(devices []rbd.Mapped) Exposure {
	e := Exposure{WindowsOf: GuestSet{VM: -1}}
	uses := make(map[string]*rbd.Use, len(f.Uses))
	for i := range f.Uses {
		uses[f.Uses[i].Device] = &f.Uses[i]
	}
	seen := make([]bool, len(f.Guests))
	for i := range devices {
		m := &devices[i]
		switch {
		case m.Options == nil || m.Options.MSMode == "other":
			e.Unread = append(e.Unread, m.Device)
			continue
		case m.Options.RequestTimeout == 0:
			e.Untimed++
		}
		if bounces(*m.Options) {
			e.Safe++
			continue
		}
		use := uses[m.Device]
		if use == nil {
			use = &rbd.Use{Device: m.Device}
		}
		e.expose(f, use, seen)
	}
	slices.Sort(e.WindowsOf.Names)
	slices.Sort(e.Possibly)
	slices.Sort(e.NoSign)
	slices.Sort(e.Not)
	return e
}

// expose classifies one device by its guests' systems. seen are the guests classified
// so far.
func (e *Exposure) expose(f *Facts, use *rbd.Use, seen []bool) {
	windows, unsure := false, len(use.Guests) == 0
	for i, g := range use.At {
		guest := &f.Guests[g]
		windows, unsure = windows || guest.OS == "windows", unsure || guest.OS == ""
		if seen[g] {
			continue
		}
		seen[g] = true
		switch name := use.Guests[i]; {
		case guest.OS == "windows":
			e.WindowsOf.add(name, guest.Kind)
		case guest.OS != "":
			e.Not = append(e.Not, name)
		case guest.OSBy != "":
			e.Possibly = append(e.Possibly, name+" ("+guest.OSBy+")")
		default:
			e.NoSign = append(e.NoSign, name)
		}
	}
	if windows {
		e.Windows = append(e.Windows, use.Device)
		return
	}
	e.Others = append(e.Others, use.Device)
	if unsure {
		e.Unsure = append(e.Unsure, use.Device)
	}
}

// Complete reports whether everything is known: every device's options, and every
// guest's system.
func (e Exposure) Complete(f *Facts) bool {
	return len(e.Unread) == 0 && len(e.Unsure) == 0 && f.GuestsKnown() == nil
}

// bounces reports whether received data is checked before the guest can access it:
// rxbounce does so, and a secure mode decrypts from its own pages.
func bounces(o rbd.Options) bool {
	return o.RxBounce || o.MSMode == "secure" || o.MSMode == "prefer-secure"
}

// CanBounce reports whether the kernel has the map option rxbounce: Linux 5.17 and
// later, and the 5.15 stable series. It returns true if the release is unknown.
func (f *Facts) CanBounce() bool {
	r, err := f.Host.Value.Upstream()
	if f.Host.At.IsZero() || err != nil {
		return true
	}
	return r.Compare(host.Release{Major: 5, Minor: 17}) >= 0 || r.Major == 5 && r.Minor == 15
}
