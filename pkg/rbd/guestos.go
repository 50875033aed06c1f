package rbd

import "strings"

// What tells the operating system, or hints at it (Guest.OSBy).
const (
	osByMetadata    = "the description's metadata"
	osByProxmox     = "Proxmox's ostype"
	osByHyperV      = "Hyper-V features"
	osByPanic       = "a Hyper-V panic device"
	osByLocalTime   = "a clock in local time"              // Linux guests have that too
	osByPassthrough = "all of the host's Hyper-V features" // Incus gives them to every VM
	osByName        = "its name"
	osByKernel      = "a Linux kernel given by the host"
)

// osHints are the signs of a guest's operating system in its description.
type osHints struct {
	metadata string // what metadata names: windows, linux, other; empty: nothing
	single   bool   // single Hyper-V features: only Windows gains by them
	clock    bool   // Hyper-V's reference counter
	crash    bool   // Windows' way to report a crash
	every    bool   // all of the host's Hyper-V features
	local    bool   // a clock in local time
	named    bool   // its name says Windows
	kernel   bool   // the host gives it a kernel to boot
	incus    bool   // Incus or LXD runs it: what it knows as Windows has its clock in local time
}

// osSure is the weight from which on a guest is surely Windows, or below its
// negative surely not. In between it may be.
const osSure = 50

// An osHint is one sign with its weight: positive for Windows, negative against it.
type osHint struct {
	on     bool
	weight int
	by     string
}

// list weighs the signs. Metadata that names a system outweighs all others; all of
// the host's Hyper-V features and a clock in local time are given to Linux guests
// too, so that neither makes a Windows guest, but both together do.
func (h osHints) list() []osHint {
	return []osHint{
		{h.metadata == "windows", 1000, osByMetadata},
		{h.metadata == "linux" || h.metadata == "other", -1000, osByMetadata},
		{h.kernel, -500, osByKernel},
		{h.single || h.clock, 100, osByHyperV},
		{h.crash, 60, osByPanic},
		{h.every, 30, osByPassthrough},
		{h.local, 30, osByLocalTime},
		{h.named, 10, osByName},
		{h.incus && !h.local, -60, ""},
	}
}

// os returns the Guest's OS and OSBy.
func (h osHints) os() (system, by string) {
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
			continue // those before it suffice
		}
		signs = append(signs, hint.by)
		if hint.weight >= osSure || hint.weight <= -osSure {
			break // that one suffices
		}
	}
	by = strings.Join(signs, " and ")
	switch {
	case sum >= osSure:
		return "windows", by
	case sum <= -osSure && h.metadata != "":
		return h.metadata, by
	case sum <= -osSure && h.kernel:
		return "linux", by
	case sum > 0:
		return "", by
	}
	return "", ""
}

// osNamed tells whether a name says Windows: win2k19, windows-10, w2k22, WIN-ABC.
func osNamed(name string) bool {
	name = strings.ToLower(name)
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' || r == ' ' }) {
		rest, ok := strings.CutPrefix(word, "win")
		if strings.HasPrefix(word, "windows") || strings.HasPrefix(word, "w2k") || ok && (rest == "" || rest[0] >= '0' && rest[0] <= '9') {
			return true
		}
	}
	return false
}
