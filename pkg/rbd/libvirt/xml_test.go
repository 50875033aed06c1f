package libvirt

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

func TestParseDomain(t *testing.T) {
	for _, file := range rbdtest.Files(t, "*.xml") {
		t.Run(path.Base(file), func(t *testing.T) {
			g, err := ParseDomain(rbdtest.File(t, file))
			if err != nil {
				t.Fatal(err)
			}
			rbdtest.Golden(t, strings.TrimSuffix(path.Base(file), ".xml"), g)
		})
	}
}

// The lab's mixed domain has one librbd disk and two of krbd.
func TestParseDomainMixed(t *testing.T) {
	g, err := ParseDomain(rbdtest.File(t, "vm202-mixed.defined.xml"))
	if err != nil {
		t.Fatal(err)
	}
	want := []rbd.Disk{
		{Target: "vda", Client: rbd.LibRBD, Pool: "rbd", Image: "vm-202-disk-0"},
		{Target: "vdb", Client: rbd.KRBD, Path: "/dev/rbd0"},
		{Target: "vdc", Client: rbd.KRBD, Pool: "rbd", Image: "vm-202-disk-2", Path: "/dev/rbd/rbd/vm-202-disk-2"},
	}
	if diff := cmp.Diff(want, g.Disks); diff != "" {
		t.Error(diff)
	}
}

// Images below and next to a disk and in the arguments for QEMU are among the disks.
func TestParseDomainDisks(t *testing.T) {
	disk := func(inner string) string {
		return "<devices><disk type='block' device='disk'>" + inner + "<target dev='vda'/></disk></devices>"
	}
	part := func(d rbd.Disk) rbd.Disk { d.Target, d.Part = "vda", true; return d }
	rbd0 := rbd.Disk{Target: "vda", Client: rbd.KRBD, Path: "/dev/rbd0"}
	low := part(rbd.Disk{Client: rbd.LibRBD, Pool: "p", Image: "low"})
	for _, c := range []struct {
		inner string
		want  []rbd.Disk
	}{
		{disk("<source dev='/dev/rbd0'/><backingStore type='file'><source file='/a'/><backingStore type='network'><source protocol='rbd' name='p/low'/><backingStore/></backingStore></backingStore>"),
			[]rbd.Disk{rbd0, part(rbd.Disk{Path: "/a"}), low}},
		{disk("<source dev='/dev/rbd0'/><mirror type='network' job='active-commit'><source protocol='rbd' name='p/low'/></mirror>"),
			[]rbd.Disk{rbd0, low}},
		{disk("<source dev='/dev/rbd0'/><mirror file='/dev/rbd1' format='raw'/>"),
			[]rbd.Disk{rbd0, part(rbd.Disk{Client: rbd.KRBD, Path: "/dev/rbd1"})}},
		{disk("<source dev='/dev/rbd0'/><mirror type='file'><source file='/m'/><backingStore type='network'><source protocol='rbd' name='p/low'/></backingStore></mirror>"),
			[]rbd.Disk{rbd0, part(rbd.Disk{Path: "/m"}), low}},
		{disk("<source file='/t.qcow2'><dataStore type='block'><format type='raw'/><source dev='/dev/rbd0'/></dataStore></source>"),
			[]rbd.Disk{{Target: "vda", Path: "/t.qcow2"}, part(rbd.Disk{Client: rbd.KRBD, Path: "/dev/rbd0"})}},
		{disk("<source dev='/dev/rbd0'/><backingStore type='file'><source file='/a'><dataStore type='network'><source protocol='rbd' name='p/low'/></dataStore></source></backingStore>"),
			[]rbd.Disk{rbd0, part(rbd.Disk{Path: "/a"}), low}},
		{"<devices><disk type='vhostuser' device='disk'><source type='unix' path='/run/v.sock'/><target dev='vdb'/></disk><disk type='network'><source protocol='nbd' name='d'><host transport='unix' socket='/run/n.sock'/></source><target dev='vdc'/></disk></devices>",
			[]rbd.Disk{{Target: "vdb", Path: "/run/v.sock"}, {Target: "vdc", Path: "/run/n.sock"}}},
		{"<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='-blockdev'/><q:arg value='{\"driver\":\"rbd\",\"pool\":\"p\",\"image\":\"i\",\"node-name\":\"n\"}'/><q:env name='X' value='y'/></q:commandline>",
			[]rbd.Disk{{Target: "n", Client: rbd.LibRBD, Pool: "p", Image: "i"}}},
		{"<throttlegroups><throttlegroup><group_name>a</group_name><read_iops_sec>9</read_iops_sec></throttlegroup><throttlegroup><group_name>b</group_name><read_iops_sec>7</read_iops_sec></throttlegroup></throttlegroups>" +
			disk("<source dev='/dev/rbd0'/><iotune><total_bytes_sec>5</total_bytes_sec></iotune><throttlefilters><throttlefilter group='a'/><throttlefilter group='b'/><throttlefilter group='none'/></throttlefilters>"),
			[]rbd.Disk{{Target: "vda", Client: rbd.KRBD, Path: "/dev/rbd0", Throttle: &rbd.Throttle{BytesPerSec: 5, ReadIOPS: 7}}}},
	} {
		g, err := ParseDomain([]byte("<domain><name>a</name>" + c.inner + "</domain>"))
		if diff := cmp.Diff(c.want, g.Disks); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", c.inner, err, diff)
		}
	}
}

func TestParseDomainOS(t *testing.T) {
	info := func(id string) string {
		return `<metadata><o:libosinfo xmlns:o="http://libosinfo.org/xmlns/libvirt/domain/1.0"><o:os id="` + id +
			`"/></o:libosinfo></metadata>`
	}
	for _, c := range []struct{ inner, want string }{
		{"", ""},
		{info("http://microsoft.com/win/10"), "windows"},
		{info("http://www.microsoft.com/win/2k8"), "windows"},
		{info("http://microsoft.com/msdos/6.22"), "other"},
		{info("http://debian.org/debian/12"), "linux"},
		{info("http://libosinfo.org/linux/2022"), "linux"},
		{info("http://libosinfo.org/unknown"), ""},
		{info("http://libosinfo.org/unknown") + "<features><hyperv><vapic state='on'/></hyperv></features>", "windows"},
		{info("http://freebsd.org/freebsd/14.0"), "other"},
		{info("http://oracle.com/solaris/11.4"), "other"},
		// Explicit values take precedence over guesses.
		{info("http://debian.org/debian/12") + "<clock offset='localtime'/>", "linux"},
		// An element of the same name in another namespace is ignored.
		{`<metadata><x:libosinfo xmlns:x="urn:x"><x:os id="http://microsoft.com/win/10"/></x:libosinfo></metadata>`, ""},
		{"<features><hyperv><relaxed state='on'/></hyperv></features>", "windows"},
		{"<features><hyperv mode='passthrough'/></features>", ""},
		{"<features><hyperv mode='passthrough'/></features><clock offset='localtime'/>", "windows"},
		{"<devices><panic model='hyperv'/></devices>", "windows"},
		{"<devices><panic model='isa'/></devices>", ""},
		{"<features><hyperv><relaxed state='off'/></hyperv></features>", ""},
		{"<features><hyperv><vendor_id state='on' value='abc'/></hyperv></features>", ""},
		{"<features><hyperv mode='host-model'><relaxed state='on'/><vapic state='on'/></hyperv></features>", ""},
		{"<features><hyperv mode='host-model'/></features><clock offset='variable' basis='localtime' adjustment='7'/>", "windows"},
		{"<clock offset='variable' basis='localtime' adjustment='3600'/>", ""},
		{"<devices><panic model='isa'/><panic model='hyperv'/></devices>", "windows"},
		{info("http://debian.org/debian/12") + "<features><hyperv><vapic state='on'/></hyperv></features>", "linux"},
		{"<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='-cpu'/><q:arg value='host,hv_relaxed'/></q:commandline>", "windows"},
		{"<clock offset='localtime'/>", ""},
		{"<clock offset='utc'><timer name='hypervclock' present='yes'/></clock>", "windows"},
		{"<clock offset='utc'><timer name='hypervclock' present='no'/></clock>", ""},
	} {
		g, err := ParseDomain([]byte("<domain><name>a</name>" + c.inner + "</domain>"))
		if err != nil || g.OS != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.inner, g.OS, err, c.want)
		}
	}
}

// Every rejection states its reason in its own words, without any of the text.
func TestParseDomainRefuses(t *testing.T) {
	bomb := `<!DOCTYPE d [<!ENTITY a "PLANTEDPLANTED"><!ENTITY b "&a;&a;&a;">]><domain><name>&b;</name></domain>`
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "not readable"},
		{"entities", bomb, "document type"},
		{"undeclared entity", "<domain><name>&PLANTED;</name></domain>", "not well-formed"},
		{"deep", "<domain><name>a</name>" + strings.Repeat("<x>", 100) + strings.Repeat("</x>", 100) + "</domain>", "too deeply"},
		{"wide", "<domain><name>a</name>" + strings.Repeat("<x/>", 60_000) + "</domain>", "too many"},
		{"long", "<domain>" + strings.Repeat(" ", 1<<20) + "</domain>", "longer than"},
		{"cut off", "<domain><name>PLANTED</name><devices>", "not well-formed"},
		{"ends cross", "<domain><PLANTED></domain></PLANTED>", "not well-formed"},
		{"another document", "<PLANTED/>", "not a domain"},
		{"no name", "<domain><uuid>PLANTED</uuid></domain>", "without a name"},
		{"a number that is none", "<domain><name>a</name><devices><disk><iotune><total_bytes_sec>PLANTED</total_bytes_sec></iotune></disk></devices></domain>", "not readable"},
	} {
		_, err := ParseDomain([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), rbdtest.Planted) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// No secret of a fixture is in the parsed result.
func TestParseDomainKeepsNoSecret(t *testing.T) {
	data := rbdtest.File(t, "windows.xml")
	if n := strings.Count(string(data), rbdtest.Planted); n < 3 {
		t.Fatalf("the fixture has %d secrets", n)
	}
	g, err := ParseDomain(data)
	if text := fmt.Sprintf("%+v %v", g, err); strings.Contains(text, rbdtest.Planted) {
		t.Errorf("a secret: %s", text)
	}
}

// The parsed result is within its bounds, is the same each time, and does not change
// when a secret is added where libvirt stores them; the same is true of the error.
func FuzzParseDomain(f *testing.F) {
	for _, file := range rbdtest.Files(f, "*.xml") {
		f.Add(rbdtest.File(f, file))
	}
	f.Add([]byte("<domain><name>a</name><devices><disk><auth/><source protocol='rbd' name='a/b'/></disk></devices></domain>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := ParseDomain(data)
		if bad := rbdtest.Bounded(g); bad != nil {
			t.Fatal(bad)
		}
		if err == nil && g.Name == "" {
			t.Fatal("a guest without a name")
		}
		if strings.Contains(string(data), "]]>") || strings.Contains(string(data), "<!--") ||
			strings.Contains(string(data), rbdtest.Planted) {
			return
		}
		secret := strings.ReplaceAll(string(data), "<auth", "<auth username='"+rbdtest.Planted+"'><secret usage='"+rbdtest.Planted+
			"'/></auth><auth")
		again, err := ParseDomain([]byte(secret))
		if text := fmt.Sprintf("%+v %v", again, err); strings.Contains(text, rbdtest.Planted) {
			t.Fatalf("a secret: %s", text)
		}
		if err == nil && !strings.Contains(string(data), "<auth") {
			if diff := cmp.Diff(g, again); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}
