package rbd_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
	"github.com/nodewatch/nodewatch/pkg/rbd/libvirt"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// A platform is a guest composed as a hypervisor manager starts it: the content of the host's
// /proc and, in NAME.xml, libvirt's description if libvirt is used.
type platform struct {
	Platform  string            `json:"platform"`
	Processes []rbdtest.Process `json:"processes"`
	Files     map[string]string `json:"files"`   // devices of the host
	Mapped    []rbd.Mapped      `json:"mapped"`  // rbd0, rbd1, ...
	Nodes     map[string]int    `json:"nodes"`   // names on the host that lead to a device, with the index in mapped
	Private   map[string]int    `json:"private"` // the same for names in the process's own /dev, according to its open files
	Note      string            `json:"note"`    // parts that are not visible

	Want struct {
		Guest   string            `json:"guest"`
		ID      string            `json:"id"`
		Disks   []string          `json:"disks"` // TARGET CLIENT IMAGE
		Uses    map[string]string `json:"uses"`
		OS      string            `json:"os"`
		OSBy    string            `json:"os_by"`
		Paused  string            `json:"paused"` // report about it while it is paused by an I/O error
		Partial bool              `json:"partial"`
	} `json:"want"`
}

// platforms reads the composed guests, in the order of the files.
func platforms(t *testing.T) (list []platform, domains []string) {
	t.Helper()
	for _, name := range rbdtest.Files(t, "platforms/*.json") {
		var p platform
		d := json.NewDecoder(strings.NewReader(string(rbdtest.File(t, name))))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range p.Mapped {
			m := &p.Mapped[i]
			m.ID, m.Device, m.Major, m.Minor = i, fmt.Sprint("rbd", i), 252, uint32(16*i)
		}
		domain, err := os.ReadFile("testdata/" + strings.TrimSuffix(name, ".json") + ".xml")
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		list, domains = append(list, p), append(domains, string(domain))
	}
	return list, domains
}

// read returns the only guest as both views show it, resolved, and the parts reported
// as missing.
func (p platform) read(t *testing.T, domain string) (rbd.Guest, string) {
	t.Helper()
	number := func(name string) (major, minor uint32, ok bool) {
		i, ok := p.Nodes[name]
		if number, isDevice := strings.CutPrefix(name, "/dev/rbd"); isDevice && naming.Digits(number) {
			i, ok = int(number[0]-'0'), true
		}
		return 252, uint32(16 * i), ok
	}
	proc := rbdtest.NewProc(t, p.Processes...)
	for name, text := range p.Files {
		proc.File(name, text)
	}
	asks := qemu.Asks{
		Guest: func(_ context.Context, of qemu.Process) (qemu.Description, error) {
			d, err := qemu.ReadGuest(proc, proc, of)
			d.Guest.Disks = guest.FillNumbers(d.Guest.Disks, number)
			return d, err
		},
		Opened: func(_ context.Context, of []qemu.Process) ([]qemu.Opened, error) {
			list := qemu.ReadOpened(proc, of)
			for i := range list {
				list[i].Disks = guest.FillNumbers(list[i].Disks, number)
				for name, device := range p.Private {
					list[i].Disks = append(list[i].Disks, rbd.Disk{Path: name, Major: 252, Minor: uint32(16 * device)})
				}
			}
			return list, nil
		},
		Exports: func(_ context.Context, of qemu.Process) ([]rbd.Export, error) { return qemu.ReadExports(proc, of) },
		Systems: func(_ context.Context, vmids []string) (map[string]string, error) {
			return qemu.ReadSystems(proc, vmids), nil
		},
	}
	r := qemu.NewProcesses(proc, asks, func() ([]qemu.ServedDevice, error) { return nil, nil })
	var seen rbd.Guests
	for range 6 { // until idle virtual CPUs count as paused
		var err error
		if seen, err = r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen.Guests) != 1 {
		t.Fatalf("%s: the processes tell %d guests: %+v", p.Platform, len(seen.Guests), seen)
	}
	g := rbd.Resolve(seen.Guests, p.Mapped)[0]
	if domain != "" {
		d, err := libvirt.ParseDomain([]byte(domain))
		if err != nil {
			t.Fatalf("%s: %v", p.Platform, err)
		}
		d.Disks = guest.FillNumbers(d.Disks, number)
		d.State, d.Reason = "paused", "ioerror" // as after an I/O error
		g = rbd.Merge(rbd.Resolve([]rbd.Guest{d}, p.Mapped)[0], g)
	}
	return g, seen.Partly
}

// paused returns the report about a guest that an I/O error has paused.
func platformPaused(g rbd.Guest) string {
	switch {
	case g.Kind == "container":
		return "cannot be"
	case g.State == "paused" && g.Reason != "":
		return "seen, with the reason"
	case g.State == "paused":
		return "seen, without the reason"
	}
	return "not seen"
}

// platformDisks returns a guest's disks, one string each.
func platformDisks(g rbd.Guest) []string {
	var list []string
	for _, d := range g.Disks {
		what := cmp.Or(rbd.Spec(d.Pool, d.Namespace, d.Image, d.Snapshot), d.Path)
		if d.Image == "" {
			what = d.Path
		}
		list = append(list, strings.Join(strings.Fields(d.Target+" "+string(d.Client)+" "+what), " "))
	}
	return list
}

// The names, joins and reports of each platform.
func TestPlatforms(t *testing.T) {
	list, domains := platforms(t)
	for i, p := range list {
		g, partly := p.read(t, domains[i])
		got := p.Want
		got.Guest, got.ID, got.Disks, got.OS, got.OSBy = g.Name, g.ID, platformDisks(g), g.OS, g.OSBy
		got.Uses, got.Paused, got.Partial = rbdtest.Uses(p.Mapped, []rbd.Guest{g}), platformPaused(g), partly != ""
		if len(got.Uses) == 0 {
			got.Uses = p.Want.Uses
			if len(p.Want.Uses) > 0 {
				t.Errorf("%s: no krbd device has a guest, want %v", p.Platform, p.Want.Uses)
			}
		}
		if diff := gocmp.Diff(p.Want, got); diff != "" {
			t.Errorf("%s: (-want +got) %s\n%s", p.Platform, partly, diff)
		}
		if strings.Contains(fmt.Sprintf("%+v %s", g, partly), rbdtest.Planted) {
			t.Errorf("%s: a key was kept", p.Platform)
		}
	}
}

// TestDocsPlatforms: docs/platforms.md has the table of the composed guests.
func TestDocsPlatforms(t *testing.T) {
	const name, begin, end = "../../docs/platforms.md", "<!-- platforms -->\n", "<!-- /platforms -->"
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(raw), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", name)
	}
	var w strings.Builder
	w.WriteString("| platform | the guest is named | its disks | krbd devices joined | Windows or not | a pause | not seen |\n|---|---|---|---|---|---|---|\n")
	list, domains := platforms(t)
	for i, p := range list {
		g, _ := p.read(t, domains[i])
		fmt.Fprintf(&w, "| %s | %s | %s | %s | %s | %s | %s |\n", p.Platform, platformName(g),
			cmp.Or(platformCode(platformDisks(g)), "none"),
			cmp.Or(platformCode(platformUsed(p, g)), "–"), platformSystem(g), platformPaused(g), p.Note)
	}
	want := head + begin + w.String() + end + tail
	if *rbdtest.Update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(string(raw), want); diff != "" {
		t.Errorf("%s is not what there is now (-file +now); make docs writes it again:\n%s", name, diff)
	}
}

func platformName(g rbd.Guest) string {
	if g.Kind == "container" || g.ID == "" {
		return "`" + g.Name + "`"
	}
	id := g.ID
	if len(id) == 36 {
		return "`" + g.Name + "`, with its UUID"
	}
	return "`" + g.Name + "`, VMID " + id
}

func platformSystem(g rbd.Guest) string {
	if by := strings.TrimSpace(g.OSBy); by != "" {
		return cmp.Or(g.OS, "not known") + " (" + by + ")"
	}
	return cmp.Or(g.OS, "not known")
}

func platformUsed(p platform, g rbd.Guest) []string {
	var list []string
	for device := range rbdtest.Uses(p.Mapped, []rbd.Guest{g}) {
		list = append(list, device)
	}
	slices.Sort(list)
	return list
}

func platformCode(list []string) string {
	var code []string
	for _, text := range list {
		code = append(code, "`"+text+"`")
	}
	return strings.Join(code, ", ")
}
