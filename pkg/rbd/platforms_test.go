package rbd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"
)

// A platform is a guest composed as a manager of guests starts it: what the host's /proc holds
// of it, and beside it in NAME.xml what libvirt says, where it is asked.
type platform struct {
	Platform  string            `json:"platform"`
	Processes []fieldProcess    `json:"processes"`
	Files     map[string]string `json:"files"`   // of the host
	Mapped    []Mapped          `json:"mapped"`  // rbd0, rbd1, ...
	Nodes     map[string]int    `json:"nodes"`   // names of the host's that lead to a device, and to which of mapped
	Private   map[string]int    `json:"private"` // the same of names in the process's own /dev, as its open files tell
	Note      string            `json:"note"`    // what is not seen

	Want struct {
		Guest   string            `json:"guest"`
		ID      string            `json:"id"`
		Disks   []string          `json:"disks"` // TARGET CLIENT IMAGE
		Uses    map[string]string `json:"uses"`
		OS      string            `json:"os"`
		OSBy    string            `json:"os_by"`
		Paused  string            `json:"paused"` // what is said of it when it is paused by an I/O error
		Partial bool              `json:"partial"`
	} `json:"want"`
}

// platforms reads the composed guests, in the order of the files.
func platforms(t *testing.T) (list []platform, domains []string) {
	t.Helper()
	for _, name := range guestFiles(t, "platforms/*.json") {
		var p platform
		d := json.NewDecoder(strings.NewReader(string(guestFile(t, name))))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range p.Mapped {
			m := &p.Mapped[i]
			m.ID, m.Device, m.Major, m.Minor = i, fmt.Sprint("rbd", i), 252, uint32(16*i)
		}
		domain, err := os.ReadFile("testdata/guests/" + strings.TrimSuffix(name, ".json") + ".xml")
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		list, domains = append(list, p), append(domains, string(domain))
	}
	return list, domains
}

// read returns the one guest there is as both views tell it, resolved, and what is
// said to be missing.
func (p platform) read(t *testing.T, domain string) (Guest, string) {
	t.Helper()
	number := func(name string) (major, minor uint32, ok bool) {
		i, ok := p.Nodes[name]
		if number, isDevice := strings.CutPrefix(name, "/dev/rbd"); isDevice && guestDigits(number) {
			i, ok = int(number[0]-'0'), true
		}
		return 252, uint32(16 * i), ok
	}
	proc := fieldProc(t, p.Processes...)
	for name, text := range p.Files {
		proc.file(name, text)
	}
	asks := (&procAsker{proc: proc, asked: map[int]int{}}).asks()
	asks.Guest = func(_ context.Context, of Process) (Description, error) {
		d, err := ReadQEMU(proc, proc, of)
		d.Guest.Disks = guestNumbers(d.Guest.Disks, number)
		return d, err
	}
	asks.Opened = func(_ context.Context, of []Process) ([]Opened, error) {
		list := ReadOpened(proc, of)
		for i := range list {
			list[i].Disks = guestNumbers(list[i].Disks, number)
			for name, device := range p.Private {
				list[i].Disks = append(list[i].Disks, Disk{Path: name, Major: 252, Minor: uint32(16 * device)})
			}
		}
		return list, nil
	}
	r := NewProcesses(proc, asks, procNoNBD)
	var seen Guests
	for range procYoung + vcpuStill + 1 {
		var err error
		if seen, err = r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen.Guests) != 1 {
		t.Fatalf("%s: the processes tell %d guests: %+v", p.Platform, len(seen.Guests), seen)
	}
	g := Resolve(seen.Guests, p.Mapped)[0]
	if domain != "" {
		d, err := ParseDomain([]byte(domain))
		if err != nil {
			t.Fatalf("%s: %v", p.Platform, err)
		}
		d.Disks = guestNumbers(d.Disks, number)
		d.State, d.Reason = virtState(3, 5)
		g = Merge(Resolve([]Guest{d}, p.Mapped)[0], g)
	}
	return g, seen.Partly
}

// paused is what is told of a guest that an I/O error has paused.
func platformPaused(g Guest) string {
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

// platformDisks is a guest's disks, one in a text.
func platformDisks(g Guest) []string {
	var list []string
	for _, d := range g.Disks {
		what := cmp.Or(Spec(d.Pool, d.Namespace, d.Image, d.Snapshot), d.Path)
		if d.Image == "" {
			what = d.Path
		}
		list = append(list, strings.Join(strings.Fields(d.Target+" "+string(d.Client)+" "+what), " "))
	}
	return list
}

// What is named, joined and reported on each platform.
func TestPlatforms(t *testing.T) {
	list, domains := platforms(t)
	for i, p := range list {
		g, partly := p.read(t, domains[i])
		got := p.Want
		got.Guest, got.ID, got.Disks, got.OS, got.OSBy = g.Name, g.ID, platformDisks(g), g.OS, g.OSBy
		got.Uses, got.Paused, got.Partial = fieldUses(p.Mapped, []Guest{g}), platformPaused(g), partly != ""
		if len(got.Uses) == 0 {
			got.Uses = p.Want.Uses
			if len(p.Want.Uses) > 0 {
				t.Errorf("%s: no krbd device has a guest, want %v", p.Platform, p.Want.Uses)
			}
		}
		if diff := gocmp.Diff(p.Want, got); diff != "" {
			t.Errorf("%s: (-want +got) %s\n%s", p.Platform, partly, diff)
		}
		if strings.Contains(fmt.Sprintf("%+v %s", g, partly), guestPlanted) {
			t.Errorf("%s: a key was kept", p.Platform)
		}
	}
}

// TestDocsPlatforms: docs/platforms.md has the table of what the composed guests show.
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
		fmt.Fprintf(&w, "| %s | %s | %s | %s | %s | %s | %s |\n", p.Platform, platformName(g), cmp.Or(platformCode(platformDisks(g)), "none"),
			cmp.Or(platformCode(platformUsed(p, g)), "–"), platformSystem(g), platformPaused(g), p.Note)
	}
	want := head + begin + w.String() + end + tail
	if *guestUpdate {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(string(raw), want); diff != "" {
		t.Errorf("%s is not what there is now (-file +now); make docs writes it again:\n%s", name, diff)
	}
}

func platformName(g Guest) string {
	if g.Kind == "container" || g.ID == "" {
		return "`" + g.Name + "`"
	}
	id := g.ID
	if len(id) == 36 {
		return "`" + g.Name + "`, with its UUID"
	}
	return "`" + g.Name + "`, VMID " + id
}

func platformSystem(g Guest) string {
	if by := strings.TrimSpace(g.OSBy); by != "" {
		return cmp.Or(g.OS, "not known") + " (" + by + ")"
	}
	return cmp.Or(g.OS, "not known")
}

func platformUsed(p platform, g Guest) []string {
	var list []string
	for device := range fieldUses(p.Mapped, []Guest{g}) {
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

// Each ostype that Proxmox has; snapshots have one of their own, which is not the
// guest's now.
func TestProxmoxSystem(t *testing.T) {
	for ostype, want := range map[string]string{
		"l24": "linux", "l26": "linux", "solaris": "other", "other": "", "": "",
		"wxp": "windows", "w2k": "windows", "w2k3": "windows", "w2k8": "windows", "wvista": "windows", "win7": "windows", "win8": "windows", "win10": "windows", "win11": "windows",
	} {
		conf := "# ostype: win10\nname: db1\nostype: " + ostype + "\nscsi0: cpool:vm-101-disk-0\n[before]\nostype: win7\n"
		if got := proxmoxSystem(conf); got != want {
			t.Errorf("%q: got %q, want %q", ostype, got, want)
		}
	}
	if got := proxmoxSystem("name: db1\n[before]\nostype: win7\n"); got != "" {
		t.Errorf("a snapshot's: got %q", got)
	}
	host := procFake{fstest.MapFS{}}
	host.file("etc/pve/qemu-server/101.conf", "ostype: win11\n")
	host.file("etc/pve/qemu-server/102.conf", "name: no\n")
	host.file("etc/pve/x", "ostype: l26\n")
	if diff := gocmp.Diff(map[string]string{"101": "windows"}, ReadSystems(host, []string{"101", "102", "103", "../x", ""})); diff != "" {
		t.Error(diff)
	}
}

// Nova's metadata name the system by the image's properties or the flavor's; a name
// is a weak hint, and single Hyper-V features outweigh it.
func TestNovaMetadata(t *testing.T) {
	nova := func(inner string) string {
		return `<metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">` + inner + `</nova:instance></metadata>`
	}
	image := func(name, value string) string {
		return `<nova:image uuid="x"><nova:properties><nova:property name="` + name + `">` + value + `</nova:property></nova:properties></nova:image>`
	}
	const hyperv = "<features><hyperv mode='custom'><relaxed state='on'/></hyperv></features>"
	for _, c := range []struct{ inner, system, by string }{
		{nova(`<nova:name>db1</nova:name><nova:flavor name="m1.small"/>`), "", ""},
		{nova(`<nova:name>win2k22-ad</nova:name>`), "", osByName},
		{nova(`<nova:name>darwin-1</nova:name>`), "", ""},
		{nova(`<nova:flavor name="windows.large"/>`), "", osByName},
		{nova(`<nova:name>win-ad</nova:name>`) + hyperv, "windows", osByHyperV},
		{nova(image("os_type", "windows")), "windows", osByMetadata},
		{nova(image("img_os_type", " Linux ")), "linux", osByMetadata},
		{nova(image("os_type", "linux")) + hyperv, "linux", osByMetadata},
		{nova(image("os_distro", "win2k22")), "windows", osByMetadata},
		{nova(image("os_distro", "ubuntu")), "", ""},
		{nova(image("os_type", "beos")), "", ""},
		{nova(`<nova:flavor name="m1"><nova:extraSpecs><nova:extraSpec name="os_type">windows</nova:extraSpec></nova:extraSpecs></nova:flavor>`), "windows", osByMetadata},
	} {
		g, err := ParseDomain([]byte("<domain><name>instance-00000007</name>" + c.inner + "</domain>"))
		if err != nil || g.OS != c.system || g.OSBy != c.by {
			t.Errorf("%s: got %q by %q, %v, want %q by %q", path.Base(c.inner), g.OS, g.OSBy, err, c.system, c.by)
		}
	}
}
