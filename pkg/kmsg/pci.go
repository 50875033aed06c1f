package kmsg

import "strings"

// pci classifies the lines of the PCI core (drivers/pci/pcie/aer.c, dpc.c, err.c,
// drivers/pci/hotplug, drivers/iommu). They name a device by its bus id, without its
// kind.
func pci(text string) Line {
	switch {
	case strings.HasPrefix(text, "pcieport "):
		port, says, ok := strings.Cut(text[len("pcieport "):], ": ")
		if !ok || !isBus(port) {
			return Line{}
		}
		return ofPort(port, says)
	case strings.HasPrefix(text, "DMAR: ["):
		return dmaFault(text, "Request device [", ']')
	case strings.HasPrefix(text, "AMD-Vi: Event logged [IO_PAGE_FAULT "):
		return dmaFault(text, "device=", ' ')
	}
	return Line{}
}

// ofPort parses what a PCIe port reports about itself or a device below it.
func ofPort(port, says string) Line {
	if rest, ok := strings.CutPrefix(says, "pciehp: Slot("); ok {
		if strings.Contains(rest, "): Link Down") || strings.Contains(rest, "): Card not present") {
			return Line{Class: PCIeFault, Device: port, Detail: "link down"}
		}
		return Line{}
	}
	if strings.HasPrefix(says, "DPC: containment event") {
		return Line{Class: PCIeFault, Device: port, Detail: "fatal"}
	}
	says = strings.TrimPrefix(says, "AER: ")
	if p, ok := lookUpNIC(aerPhrases, says); ok {
		return Line{Class: PCIeFault, Device: port, Detail: strings.TrimPrefix(p.detail, "pcie ")}
	}
	switch {
	case strings.HasPrefix(says, "device recovery failed"):
		return Line{Class: PCIeFault, Device: port, Detail: "recovery failed"}
	case strings.HasPrefix(says, "device recovery successful"):
		return Line{Class: PCIeFault, Device: port, Detail: "recovered"}
	}
	kind, device, ok := strings.Cut(says, " error received: ")
	if !ok {
		kind, device, ok = strings.Cut(says, " error message received from ")
	}
	device, _, _ = strings.Cut(device, " ")
	if strings.HasPrefix(device, "id=") { // up to 4.20: a number; the line after it names the device
		device = port
	}
	if !ok || !isBus(device) {
		return Line{}
	}
	switch strings.TrimPrefix(kind, "Multiple ") {
	case "Corrected", "Correctable":
		return Line{Class: PCIeFault, Device: device, Detail: "corrected"}
	case "Uncorrected (Fatal)", "Uncorrectable (Fatal)":
		return Line{Class: PCIeFault, Device: device, Detail: "fatal"}
	case "Uncorrected (Non-Fatal)", "Uncorrectable (Non-Fatal)":
		return Line{Class: PCIeFault, Device: device, Detail: "uncorrected"}
	}
	return Line{}
}

// dmaFault recognizes a device that accessed memory outside its mapping.
func dmaFault(text, before string, end byte) Line {
	_, after, ok := strings.Cut(text, before)
	if !ok {
		return Line{}
	}
	i := strings.IndexByte(after, end)
	if i < 0 || !isBus(after[:i]) {
		return Line{}
	}
	return Line{Class: PCIeFault, Device: after[:i], Detail: "dma"}
}
