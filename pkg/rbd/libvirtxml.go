package rbd

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// Bounds on one domain's XML. A domain with 500 disks is about 400 KiB.
const (
	virtXMLSize     = 1 << 20
	virtXMLDepth    = 64
	virtXMLElements = 50_000
	guestDisksMax   = 1024
	guestTextMax    = 1024 // names, paths: longer ones are cut
)

// virtDomain is the part of libvirt's domain XML (formatdomain) that is wanted.
// <auth> and <secret> have no place in it, so they are never kept.
type virtDomain struct {
	XMLName  xml.Name     `xml:"domain"`
	Name     string       `xml:"name"`
	UUID     string       `xml:"uuid"`
	Metadata virtMetadata `xml:"metadata"`
	Features struct {
		HyperV *virtHyperV `xml:"hyperv"`
	} `xml:"features"`
	OS struct {
		Kernel string `xml:"kernel"`
	} `xml:"os"`
	Clock  virtClock   `xml:"clock"`
	Panic  []virtPanic `xml:"devices>panic"`
	Disks  []virtDisk  `xml:"devices>disk"`
	Groups []struct {
		Name string `xml:"group_name"`
		virtIOTune
	} `xml:"throttlegroups>throttlegroup"`
	// Arguments are handed to QEMU as they are: disks may be among them.
	Arguments []struct {
		Value string `xml:"value,attr"`
	} `xml:"http://libvirt.org/schemas/domain/qemu/1.0 commandline>arg"`
}

type virtDisk struct {
	Type   string     `xml:"type,attr"` // network, block, volume, file, vhostuser, ...
	Source virtSource `xml:"source"`
	Target struct {
		Dev string `xml:"dev,attr"`
	} `xml:"target"`
	IOTune  *virtIOTune `xml:"iotune"`
	Filters []struct {
		Group string `xml:"group,attr"`
	} `xml:"throttlefilters>throttlefilter"`
	Mirror  *virtMirror  `xml:"mirror"`
	Backing *virtBacking `xml:"backingStore"`
}

// A virtMirror is where a block job copies a disk to while the guest writes.
type virtMirror struct {
	Source virtSource `xml:"source"`
	File   string     `xml:"file,attr"` // the form before libvirt 1.2.6
}

// A virtBacking is an image that a disk's image is laid over.
type virtBacking struct {
	Source virtSource   `xml:"source"`
	Next   *virtBacking `xml:"backingStore"`
}

type virtSource struct {
	Protocol string `xml:"protocol,attr"`
	Name     string `xml:"name,attr"`
	Dev      string `xml:"dev,attr"`
	File     string `xml:"file,attr"`
	Volume   string `xml:"volume,attr"`
	Path     string `xml:"path,attr"` // of a vhost-user disk: the socket
	Snapshot struct {
		Name string `xml:"name,attr"`
	} `xml:"snapshot"`
	Host struct {
		Socket string `xml:"socket,attr"`
	} `xml:"host"`
}

type virtIOTune struct {
	TotalBytes uint64 `xml:"total_bytes_sec"`
	ReadBytes  uint64 `xml:"read_bytes_sec"`
	WriteBytes uint64 `xml:"write_bytes_sec"`
	TotalIOPS  uint64 `xml:"total_iops_sec"`
	ReadIOPS   uint64 `xml:"read_iops_sec"`
	WriteIOPS  uint64 `xml:"write_iops_sec"`
}

// errVirtXML is wrapped by every error of ParseDomain. Its text never holds any
// of the XML.
var errVirtXML = errors.New("rbd: domain XML")

// ParseDomain reads libvirt's XML of one domain, live or defined. State and
// statistics are not in it. Each disk that has a source is in Disks; those that
// are not on RBD have NoClient. A volume of a storage pool that the XML does not
// resolve has NoClient, no Path, and the volume's name as Image: what it lies on
// is not known. No error holds any of the text.
func ParseDomain(data []byte) (Guest, error) {
	if len(data) > virtXMLSize {
		return Guest{}, fmt.Errorf("%w: longer than %d bytes", errVirtXML, virtXMLSize)
	}
	source := xml.NewDecoder(bytes.NewReader(data))
	decoder := xml.NewTokenDecoder(&virtTokens{from: source})
	var d virtDomain
	if err := decoder.Decode(&d); err != nil {
		return Guest{}, fmt.Errorf("%w: line %d: %s", errVirtXML, virtLine(data, source.InputOffset()), virtXMLFault(err))
	}
	g := Guest{Name: guestText(strings.TrimSpace(d.Name)), ID: guestText(strings.TrimSpace(d.UUID)), Kind: "vm"}
	g.OS, g.OSBy = d.os()
	if g.Name == "" {
		return Guest{}, fmt.Errorf("%w: a domain without a name", errVirtXML)
	}
	groups := make(map[string]Throttle, len(d.Groups))
	for _, group := range d.Groups {
		groups[group.Name] = group.limits()
	}
	for _, disk := range d.Disks {
		g.Disks = append(g.Disks, disk.disks(groups)...)
	}
	g.Disks = append(g.Disks, d.passed()...)
	g.Disks = g.Disks[:min(len(g.Disks), guestDisksMax)]
	return g, nil
}

// passed returns the disks that are in <qemu:commandline>. What of it cannot
// be read is QEMU's to refuse.
func (d virtDomain) passed() []Disk {
	if len(d.Arguments) == 0 {
		return nil
	}
	line := "qemu"
	for _, a := range d.Arguments {
		line += "\x00" + a.Value
	}
	g, _ := ParseCommandLine([]byte(line)) // the domain's XML is no longer than a command line may be
	return g.Disks
}

// disks returns a disk and what else it reads or writes: the images below it,
// and the copy that a block job makes. Those have its target too.
func (d virtDisk) disks(groups map[string]Throttle) []Disk {
	found, ok := d.disk()
	if !ok {
		return nil
	}
	limit := d.IOTune.limits()
	for _, f := range d.Filters {
		limit = qemuTighter(limit, groups[f.Group])
	}
	found.Throttle = guestThrottle(limit)
	all := []Disk{found}
	below := func(s virtSource) {
		if more, ok := (virtDisk{Source: s, Target: d.Target}).disk(); ok && more.Path+more.Image != "" {
			more.Part = true
			all = append(all, more)
		}
	}
	for b, n := d.Backing, 0; b != nil && n < virtXMLDepth; b, n = b.Next, n+1 {
		below(b.Source)
	}
	if m := d.Mirror; m != nil {
		if m.Source.File == "" && m.Source.Dev == "" && m.Source.Protocol == "" {
			m.Source.File = m.File
		}
		below(m.Source)
	}
	return all
}

// disk returns the Disk, and false for an empty drive.
func (d virtDisk) disk() (Disk, bool) {
	s := d.Source
	found := Disk{}
	switch {
	case s.Protocol == "rbd":
		found = Disk{Client: LibRBD}
		var ok bool
		found.Pool, found.Namespace, found.Image, found.Snapshot, ok = guestSpec(virtRBDName(s.Name))
		if !ok {
			found.Image = guestText(virtRBDName(s.Name)) // a name without a pool is still librbd's
		}
		if s.Snapshot.Name != "" {
			found.Snapshot = guestText(s.Snapshot.Name)
		}
	case s.Dev != "":
		found = guestPathDisk(guestText(s.Dev))
	case s.File != "":
		found = guestPathDisk(guestText(s.File))
	case d.Type == "volume" && s.Volume != "":
		found.Image = guestText(s.Volume)
	case d.Type == "vhostuser":
		found = guestPathDisk(guestText(s.Path))
	case s.Protocol == "nbd":
		found = guestPathDisk(guestText(s.Host.Socket))
	case d.Type == "network" || d.Type == "nvme":
	default:
		return Disk{}, false
	}
	found.Target = guestText(d.Target.Dev)
	return found, true
}

// virtRBDName cuts the options off that older tools wrote behind the image's
// name, in the form of QEMU's own rbd: names: they may hold a key.
func virtRBDName(name string) string {
	if i := strings.IndexByte(name, ':'); i >= 0 && strings.Contains(name[i:], "=") {
		name = name[:i]
	}
	return guestText(name)
}

func (t *virtIOTune) limits() Throttle {
	if t == nil {
		return Throttle{}
	}
	return Throttle{
		BytesPerSec: t.TotalBytes, ReadBytesPerSec: t.ReadBytes, WriteBytesPerSec: t.WriteBytes,
		IOPS: t.TotalIOPS, ReadIOPS: t.ReadIOPS, WriteIOPS: t.WriteIOPS,
	}
}

// guestThrottle returns nil for a throttle that limits nothing.
func guestThrottle(t Throttle) *Throttle {
	if t == (Throttle{}) {
		return nil
	}
	return &t
}

// guestText bounds a text that comes from outside.
func guestText(s string) string {
	if len(s) > guestTextMax {
		s = s[:guestTextMax]
	}
	return strings.ToValidUTF8(s, "�")
}
