package rbd

import (
	"encoding/xml"
	"slices"
	"strings"
)

// virtMetadata holds what libosinfo's tools (virt-install, virt-manager, Cockpit)
// and managers write of the operating system.
type virtMetadata struct {
	Info struct {
		OS struct {
			ID string `xml:"id,attr"`
		} `xml:"http://libosinfo.org/xmlns/libvirt/domain/1.0 os"`
	} `xml:"http://libosinfo.org/xmlns/libvirt/domain/1.0 libosinfo"`
	Nova virtNova `xml:"instance"`
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

// os returns the Guest's OS and OSBy.
func (d virtDomain) os() (system, by string) {
	h := d.Features.HyperV
	hints := osHints{
		metadata: virtOSInfo(d.Metadata.Info.OS.ID),
		single:   h.on(), clock: d.Clock.hyperv(), every: h != nil && h.Mode == "passthrough",
		crash: slices.Contains(d.Panic, virtPanic{Model: "hyperv"}),
		local: d.Clock.Offset == "localtime", kernel: d.OS.Kernel != "",
		named: osNamed(d.Metadata.Nova.Name) || osNamed(d.Metadata.Nova.Flavor.Name),
	}
	if hints.metadata == "" {
		hints.metadata = d.Metadata.Nova.system()
	}
	return hints.os()
}

// A virtNova is what OpenStack Nova writes of an instance. Releases from 2025 on
// add the properties of its image and flavor.
type virtNova struct {
	Name   string `xml:"name"`
	Flavor struct {
		Name  string         `xml:"name,attr"`
		Specs []virtProperty `xml:"extraSpecs>extraSpec"`
	} `xml:"flavor"`
	Properties []virtProperty `xml:"image>properties>property"`
}

type virtProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:",chardata"`
}

// system returns the system that the image's properties name: os_type is windows
// or linux, os_distro one of libosinfo's short names.
func (n virtNova) system() string {
	for _, p := range slices.Concat(n.Properties, n.Flavor.Specs) {
		value := strings.ToLower(strings.TrimSpace(p.Value))
		switch strings.TrimPrefix(p.Name, "img_") {
		case "os_type":
			if value == "windows" || value == "linux" {
				return value
			}
		case "os_distro":
			if strings.HasPrefix(value, "win") {
				return "windows"
			}
		}
	}
	return ""
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
