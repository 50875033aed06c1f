package libvirt

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// Limits on one domain's XML. A domain with 500 disks has about 400 KiB.
const (
	xmlSize     = 1 << 20
	xmlDepth    = 64
	xmlElements = 50_000
)

// domainXML is the relevant part of libvirt's domain XML (formatdomain). It has no
// field for <auth> and <secret>, so they are never kept.
type domainXML struct {
	XMLName  xml.Name    `xml:"domain"`
	Name     string      `xml:"name"`
	UUID     string      `xml:"uuid"`
	Metadata metadataXML `xml:"metadata"`
	Features struct {
		HyperV *hypervXML `xml:"hyperv"`
	} `xml:"features"`
	OS struct {
		Kernel string `xml:"kernel"`
	} `xml:"os"`
	Clock  clockXML   `xml:"clock"`
	Panic  []panicXML `xml:"devices>panic"`
	Disks  []diskXML  `xml:"devices>disk"`
	Groups []struct {
		Name string `xml:"group_name"`
		iotuneXML
	} `xml:"throttlegroups>throttlegroup"`
	// Arguments are passed to QEMU unchanged and may define disks.
	Arguments []struct {
		Value string `xml:"value,attr"`
	} `xml:"http://libvirt.org/schemas/domain/qemu/1.0 commandline>arg"`
}

type diskXML struct {
	Type   string    `xml:"type,attr"` // network, block, volume, file, vhostuser, ...
	Source sourceXML `xml:"source"`
	Target struct {
		Dev string `xml:"dev,attr"`
	} `xml:"target"`
	IOTune  *iotuneXML `xml:"iotune"`
	Filters []struct {
		Group string `xml:"group,attr"`
	} `xml:"throttlefilters>throttlefilter"`
	Mirror  *mirrorXML  `xml:"mirror"`
	Backing *backingXML `xml:"backingStore"`
}

// A mirrorXML is the target to which a block job copies a disk while the guest
// writes.
type mirrorXML struct {
	Source sourceXML `xml:"source"`
	File   string    `xml:"file,attr"` // the syntax before libvirt 1.2.6

	Backing *backingXML `xml:"backingStore"`
}

// A backingXML is the backing image of a disk's image.
type backingXML struct {
	Source sourceXML   `xml:"source"`
	Next   *backingXML `xml:"backingStore"`
}

type sourceXML struct {
	Protocol string `xml:"protocol,attr"`
	Name     string `xml:"name,attr"`
	Dev      string `xml:"dev,attr"`
	File     string `xml:"file,attr"`
	Volume   string `xml:"volume,attr"`
	Path     string `xml:"path,attr"` // socket of a vhost-user disk
	Snapshot struct {
		Name string `xml:"name,attr"`
	} `xml:"snapshot"`
	Host struct {
		Socket string `xml:"socket,attr"`
	} `xml:"host"`
	Data *struct { // data file of a qcow2 image, if separate from its tables
		Source *sourceXML `xml:"source"`
	} `xml:"dataStore"`
}

type iotuneXML struct {
	TotalBytes uint64 `xml:"total_bytes_sec"`
	ReadBytes  uint64 `xml:"read_bytes_sec"`
	WriteBytes uint64 `xml:"write_bytes_sec"`
	TotalIOPS  uint64 `xml:"total_iops_sec"`
	ReadIOPS   uint64 `xml:"read_iops_sec"`
	WriteIOPS  uint64 `xml:"write_iops_sec"`
}

// errVirtXML is wrapped by every error of ParseDomain. Its text never contains any of
// the XML.
var errVirtXML = errors.New("rbd: domain XML")

// ParseDomain parses libvirt's XML of one domain, live or defined, which has neither
// state nor statistics. Each disk that has a source is in Disks; those that are not
// on RBD have rbd.NoClient. A storage pool volume that the XML does not resolve has
// rbd.NoClient, no Path, and the volume's name as Image: its location is unknown. No
// error contains any of the text.
func ParseDomain(data []byte) (rbd.Guest, error) {
	if len(data) > xmlSize {
		return rbd.Guest{}, fmt.Errorf("%w: longer than %d bytes", errVirtXML, xmlSize)
	}
	source := xml.NewDecoder(bytes.NewReader(data))
	decoder := xml.NewTokenDecoder(&tokens{from: source})
	var d domainXML
	if err := decoder.Decode(&d); err != nil {
		return rbd.Guest{}, fmt.Errorf("%w: line %d: %s", errVirtXML, lineAt(data, source.InputOffset()), xmlFault(err))
	}
	g := rbd.Guest{Name: naming.Text(strings.TrimSpace(d.Name)), ID: naming.Text(strings.TrimSpace(d.UUID)), Kind: "vm"}
	if g.Name == "" {
		return rbd.Guest{}, fmt.Errorf("%w: a domain without a name", errVirtXML)
	}
	groups := make(map[string]rbd.Throttle, len(d.Groups))
	for _, group := range d.Groups {
		groups[group.Name] = group.limits()
	}
	for _, disk := range d.Disks {
		g.Disks = append(g.Disks, disk.disks(groups)...)
	}
	passed := d.passed()
	g.Disks = append(g.Disks, passed.Disks...)
	g.Disks = g.Disks[:min(len(g.Disks), rbd.MaxDisks)]
	if g.OS, g.OSBy = d.os(); g.OS == "" && passed.OS != "" {
		g.OS, g.OSBy = passed.OS, passed.OSBy
	}
	return g, nil
}

// passed returns the disks and OS indicators in <qemu:commandline>. It ignores
// arguments that it cannot parse, as QEMU will reject invalid ones.
func (d domainXML) passed() rbd.Guest {
	if len(d.Arguments) == 0 {
		return rbd.Guest{}
	}
	line := "qemu"
	for _, a := range d.Arguments {
		line += "\x00" + a.Value
	}
	g, _ := qemu.ParseCommandLine([]byte(line)) // a domain's XML can be no longer than a command line
	return g
}

// disks returns a disk and the other images it reads or writes: its backing images,
// and the copy by a block job. They have the same target.
func (d diskXML) disks(groups map[string]rbd.Throttle) []rbd.Disk {
	found, ok := d.disk()
	if !ok {
		return nil
	}
	limit := d.IOTune.limits()
	for _, f := range d.Filters {
		limit = guest.Tighter(limit, groups[f.Group])
	}
	found.Throttle = guest.Limits(limit)
	all := []rbd.Disk{found}
	below := func(s sourceXML) {
		if more, ok := (diskXML{Source: s, Target: d.Target}).disk(); ok && more.Path+more.Image != "" {
			more.Part = true
			all = append(all, more)
		}
	}
	data := func(s sourceXML) {
		if s.Data != nil && s.Data.Source != nil {
			below(*s.Data.Source)
		}
	}
	chain := func(b *backingXML) {
		for ; b != nil; b = b.Next { // limited by the depth of the XML
			below(b.Source)
			data(b.Source)
		}
	}
	data(d.Source)
	chain(d.Backing)
	if m := d.Mirror; m != nil {
		if m.Source.File == "" && m.Source.Dev == "" && m.Source.Protocol == "" {
			m.Source.File = m.File
		}
		below(m.Source)
		data(m.Source)
		chain(m.Backing)
	}
	return all
}

// disk returns the Disk, and false for an empty drive.
func (d diskXML) disk() (rbd.Disk, bool) {
	s := d.Source
	found := rbd.Disk{}
	switch {
	case s.Protocol == "rbd":
		found = rbd.Disk{Client: rbd.LibRBD}
		var ok bool
		found.Pool, found.Namespace, found.Image, found.Snapshot, ok = naming.ParseSpec(rbdName(s.Name))
		if !ok {
			found.Image = naming.Text(rbdName(s.Name)) // a name without a pool is still an image of librbd
		}
		if s.Snapshot.Name != "" {
			found.Snapshot = naming.Text(s.Snapshot.Name)
		}
	case s.Dev != "":
		found = guest.PathDisk(naming.Text(s.Dev))
	case s.File != "":
		found = guest.PathDisk(naming.Text(s.File))
	case d.Type == "volume" && s.Volume != "":
		found.Image = naming.Text(s.Volume)
	case d.Type == "vhostuser":
		found = guest.PathDisk(naming.Text(s.Path))
	case s.Protocol == "nbd":
		found = guest.PathDisk(naming.Text(s.Host.Socket))
	case d.Type == "network" || d.Type == "nvme":
	default:
		return rbd.Disk{}, false
	}
	found.Target = naming.Text(d.Target.Dev)
	return found, true
}

// rbdName removes the options that older tools appended to the image's name, in the
// form of QEMU's rbd: names: they may contain a key.
func rbdName(name string) string {
	if i := strings.IndexByte(name, ':'); i >= 0 && strings.Contains(name[i:], "=") {
		name = name[:i]
	}
	return naming.Text(name)
}

func (t *iotuneXML) limits() rbd.Throttle {
	if t == nil {
		return rbd.Throttle{}
	}
	return rbd.Throttle{
		BytesPerSec: t.TotalBytes, ReadBytesPerSec: t.ReadBytes, WriteBytesPerSec: t.WriteBytes,
		IOPS: t.TotalIOPS, ReadIOPS: t.ReadIOPS, WriteIOPS: t.WriteIOPS,
	}
}
