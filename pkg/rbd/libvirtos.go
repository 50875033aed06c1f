package rbd

import (
	"encoding/xml"
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
	return h.Mode == "passthrough"
}

type virtClock struct {
	Offset string `xml:"offset,attr"`
	Timers []struct {
		Name    string `xml:"name,attr"`
		Present string `xml:"present,attr"`
	} `xml:"timer"`
}

// windows tells whether the clock is kept as Windows wants it: by the local time,
// or with Hyper-V's reference counter.
func (c virtClock) windows() bool {
	for _, t := range c.Timers {
		if t.Name == "hypervclock" && t.Present != "no" {
			return true
		}
	}
	return c.Offset == "localtime"
}

// os returns windows, linux, other or, with nothing to tell by, "". What
// libosinfo's metadata says goes before what the features hint at.
func (d virtDomain) os() string {
	if id := d.Metadata.Info.OS.ID; id != "" {
		return virtOSInfo(id)
	}
	if d.Features.HyperV.on() || d.Clock.windows() {
		return "windows"
	}
	return ""
}

// virtOSInfo sorts libosinfo's short identifiers, such as
// http://microsoft.com/win/2k22 or http://debian.org/debian/12.
func virtOSInfo(id string) string {
	id = strings.ToLower(id)
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
	"libosinfo.org/unknown", "ibm.com", "freedos", "reactos", "hurd",
}
