package rbd

import (
	"encoding/xml"
	"slices"
	"strings"
)

// virtMetadata holds what libosinfo's tools (virt-install, virt-manager, Cockpit)
// write of the operating system.
type virtMetadata struct {
	Info struct {
		OS struct {
			ID string `xml:"id,attr"`
		} `xml:"http://libosinfo.org/xmlns/libvirt/domain/1.0 os"`
	} `xml:"http://libosinfo.org/xmlns/libvirt/domain/1.0 libosinfo"`
}

// virtHyperV is <hyperv>: what makes KVM look like Hyper-V. Only Windows gains by it.
type virtHyperV struct {
	Mode     string `xml:"mode,attr"` // custom, passthrough
	Features []struct {
		XMLName xml.Name
		State   string `xml:"state,attr"`
	} `xml:",any"`
}

func (h *virtHyperV) on() bool {
	if h == nil {
		return false
	}
	for _, f := range h.Features {
		if f.State == "on" && f.XMLName.Local != "vendor_id" { // that one hides KVM from a driver, of any system
			return true
		}
	}
	return false
}

type virtClock struct {
	Offset string `xml:"offset,attr"`
	Timers []struct {
		Name    string `xml:"name,attr"`
		Present string `xml:"present,attr"`
	} `xml:"timer"`
}

// hyperv tells whether the guest has Hyper-V's reference counter.
func (c virtClock) hyperv() bool {
	for _, t := range c.Timers {
		if t.Name == "hypervclock" && t.Present != "no" {
			return true
		}
	}
	return false
}

// What tells the operating system, or hints at it (Guest.OSBy).
const (
	osByMetadata    = "the description's metadata"
	osByHyperV      = "Hyper-V features"
	osByPanic       = "a Hyper-V panic device"
	osByLocalTime   = "a clock in local time"              // Linux guests have that too
	osByPassthrough = "all of the host's Hyper-V features" // Incus gives them to every VM
)

// os returns the Guest's OS and OSBy. Metadata that names a system goes before
// what the hypervisor offers; metadata that names none says nothing. A clock in
// local time and all features passed through are given to Linux guests as well,
// so neither makes a Windows guest; both together do.
func (d virtDomain) os() (system, by string) {
	if system := virtOSInfo(d.Metadata.Info.OS.ID); system != "" {
		return system, osByMetadata
	}
	h, local := d.Features.HyperV, d.Clock.Offset == "localtime"
	switch {
	case h.on(), d.Clock.hyperv():
		return "windows", osByHyperV
	case slices.Contains(d.Panic, virtPanic{Model: "hyperv"}):
		return "windows", osByPanic
	}
	return osWeak(h != nil && h.Mode == "passthrough", local)
}

// osWeak weighs the two weak hints.
func osWeak(passthrough, local bool) (system, by string) {
	switch {
	case passthrough && local:
		return "windows", osByPassthrough + " and " + osByLocalTime
	case passthrough:
		return "", osByPassthrough
	case local:
		return "", osByLocalTime
	}
	return "", ""
}

type virtPanic struct {
	Model string `xml:"model,attr"`
}

// virtOSInfo sorts libosinfo's short identifiers, such as
// http://microsoft.com/win/2k22 or http://debian.org/debian/12; "" for one that
// names no system.
func virtOSInfo(id string) string {
	id = strings.ToLower(id)
	if id == "" || strings.Contains(id, "libosinfo.org/unknown") {
		return ""
	}
	_, rest, _ := strings.Cut(id, "://")
	vendor, product, _ := strings.Cut(rest, "/")
	if strings.TrimPrefix(vendor, "www.") == "microsoft.com" {
		if strings.HasPrefix(product, "win") {
			return "windows"
		}
		return "other" // MS-DOS
	}
	for _, word := range virtOther {
		if strings.Contains(rest, word) {
			return "other"
		}
	}
	return "linux"
}

// virtOther are words in libosinfo's identifiers of systems that are neither
// Windows nor Linux; all others in its database are Linux distributions.
var virtOther = []string{
	"bsd", "solaris", "sun.com", "illumos", "smartos", "omnios", "apple.com", "haiku", "novell.com/netware",
	"ibm.com", "freedos", "reactos", "hurd",
}
