package guest

import "strings"

// The indicators of the operating system (Guest.OSBy).
const (
	OSByMetadata    = "the description's metadata"
	OSByProxmox     = "Proxmox's ostype"
	OSByHyperV      = "Hyper-V features"
	OSByPanic       = "a Hyper-V panic device"
	OSByLocalTime   = "a clock in local time"              // also set for Linux guests
	OSByPassthrough = "all of the host's Hyper-V features" // Incus sets them for every VM
	OSByName        = "its name"
	OSByKernel      = "a Linux kernel given by the host"
)

// OSHints are the indicators of a guest's operating system in its description.
type OSHints struct {
	Metadata string // system named by the metadata: windows, linux, other; empty if none
	Single   bool   // single Hyper-V features: only Windows benefits from them
	Clock    bool   // Hyper-V's reference counter
	Crash    bool   // Windows' device for reporting a crash
	Every    bool   // all of the host's Hyper-V features
	Local    bool   // a clock in local time
	Named    bool   // its name suggests Windows
	Kernel   bool   // the host provides the kernel to boot
	Incus    bool   // run by Incus or LXD, which set the clock of Windows guests to local time
}

// osSure is the weight from which a guest is certainly Windows, or below its negative
// certainly not. In between the OS is uncertain.
const osSure = 50

// An osHint is one indicator with its weight: positive for Windows, negative against
// it.
type osHint struct {
	on     bool
	weight int
	by     string
}

// list returns the weighted indicators. Metadata that names a system outweighs all
// others. Linux guests may also have all of the host's Hyper-V features or a clock in
// local time, so neither makes a Windows guest, but both together do.
func (h OSHints) list() []osHint {
	return []osHint{
		{h.Metadata == "windows", 1000, OSByMetadata},
		{h.Metadata == "linux" || h.Metadata == "other", -1000, OSByMetadata},
		{h.Kernel, -500, OSByKernel},
		{h.Single || h.Clock, 100, OSByHyperV},
		{h.Crash, 60, OSByPanic},
		{h.Every, 30, OSByPassthrough},
		{h.Local, 30, OSByLocalTime},
		{h.Named, 10, OSByName},
		{h.Incus && !h.Local, -60, ""},
	}
}

// OS returns the Guest's OS and OSBy.
func (h OSHints) OS() (system, by string) {
	sum := 0
	var signs []string
	for _, hint := range h.list() {
		if hint.on {
			sum += hint.weight
		}
	}
	for _, hint := range h.list() {
		agrees := hint.weight > 0 == (sum > 0)
		if !hint.on || !agrees || hint.by == "" {
			continue
		}
		if len(signs) > 0 && hint.weight < osSure && hint.weight > -osSure && (sum >= osSure+hint.weight || sum <= -osSure) {
			continue // the ones before it suffice
		}
		signs = append(signs, hint.by)
		if hint.weight >= osSure || hint.weight <= -osSure {
			break // this one suffices
		}
	}
	by = strings.Join(signs, " and ")
	switch {
	case sum >= osSure:
		return "windows", by
	case sum <= -osSure && h.Metadata != "":
		return h.Metadata, by
	case sum <= -osSure && h.Kernel:
		return "linux", by
	case sum > 0:
		return "", by
	}
	return "", ""
}

// NamedWindows reports whether a name suggests Windows: win2k19, windows-10, w2k22,
// WIN-ABC.
func NamedWindows(name string) bool {
	name = strings.ToLower(name)
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' || r == ' ' }) {
		rest, ok := strings.CutPrefix(word, "win")
		if strings.HasPrefix(word, "windows") || strings.HasPrefix(word, "w2k") || ok && (rest == "" || rest[0] >= '0' && rest[0] <= '9') {
			return true
		}
	}
	return false
}
