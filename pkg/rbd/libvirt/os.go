package libvirt

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
)

// metadataXML is the operating system's metadata written by libosinfo's tools
// (virt-install, virt-manager, Cockpit) and by managers.
type metadataXML struct {
	Info struct {
		OS struct {
			ID string `xml:"id,attr"`
		} `xml:"http://libosinfo.org/xmlns/libvirt/domain/1.0 os"`
	} `xml:"http://libosinfo.org/xmlns/libvirt/domain/1.0 libosinfo"`
	Nova novaXML `xml:"instance"`
}

// hypervXML is <hyperv>, the features that emulate Hyper-V. Only Windows benefits
// from them.
type hypervXML struct {
	Mode     string `xml:"mode,attr"` // custom, passthrough, host-model
	Features []struct {
		XMLName xml.Name
		State   string `xml:"state,attr"`
	} `xml:",any"`
}

func (h *hypervXML) on() bool {
	if h == nil || h.Mode == "host-model" {
		return false
	}
	for _, f := range h.Features {
		if f.State == "on" && f.XMLName.Local != "vendor_id" { // this one hides KVM from a driver, of any system
			return true
		}
	}
	return false
}

// every reports whether all of the host's Hyper-V features are enabled for the guest:
// by passthrough, or host-model in the XML of a running guest.
func (h *hypervXML) every() bool {
	return h != nil && (h.Mode == "passthrough" || h.Mode == "host-model")
}

type clockXML struct {
	Offset string `xml:"offset,attr"`
	Basis  string `xml:"basis,attr"` // of a variable offset
	Timers []struct {
		Name    string `xml:"name,attr"`
		Present string `xml:"present,attr"`
	} `xml:"timer"`
}

// hyperv reports whether the guest has Hyper-V's reference counter.
func (c clockXML) hyperv() bool {
	for _, t := range c.Timers {
		if t.Name == "hypervclock" && t.Present != "no" {
			return true
		}
	}
	return false
}

// os returns the Guest's OS and OSBy.
func (d domainXML) os() (system, by string) {
	h := d.Features.HyperV
	hints := guest.OSHints{
		Metadata: osInfo(d.Metadata.Info.OS.ID),
		Single:   h.on(), Clock: d.Clock.hyperv(), Every: h.every(),
		Crash: slices.Contains(d.Panic, panicXML{Model: "hyperv"}),
		Local: d.Clock.Offset == "localtime" || d.Clock.Basis == "localtime", Kernel: d.OS.Kernel != "",
		Named: guest.NamedWindows(d.Metadata.Nova.Name) || guest.NamedWindows(d.Metadata.Nova.Flavor.Name),
	}
	if hints.Metadata == "" {
		hints.Metadata = d.Metadata.Nova.system()
	}
	return hints.OS()
}

// A novaXML is OpenStack Nova's metadata of an instance. Releases since 2025 add the
// properties of its image and flavor.
type novaXML struct {
	Name   string `xml:"name"`
	Flavor struct {
		Name  string        `xml:"name,attr"`
		Specs []propertyXML `xml:"extraSpecs>extraSpec"`
	} `xml:"flavor"`
	Properties []propertyXML `xml:"image>properties>property"`
}

type propertyXML struct {
	Name  string `xml:"name,attr"`
	Value string `xml:",chardata"`
}

// system returns the system named by the image's properties: os_type is windows or
// linux, os_distro one of libosinfo's short names.
func (n novaXML) system() string {
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

type panicXML struct {
	Model string `xml:"model,attr"`
}

// osInfo maps libosinfo's short identifiers, such as http://microsoft.com/win/2k22 or
// http://debian.org/debian/12, to an OS; "" if it names no system.
func osInfo(id string) string {
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
	for _, word := range otherSystems {
		if strings.Contains(rest, word) {
			return "other"
		}
	}
	return "linux"
}

// otherSystems are words in libosinfo's identifiers of systems that are neither
// Windows nor Linux; all others in its database are Linux distributions.
var otherSystems = []string{
	"bsd", "solaris", "sun.com", "illumos", "smartos", "omnios", "apple.com", "haiku", "novell.com/netware",
	"ibm.com", "freedos", "reactos", "hurd",
}
