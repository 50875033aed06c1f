package libvirt

import (
	"path"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
)

// Nova's metadata name the system through the image's properties or the flavor's. A
// name is a weak hint, and single Hyper-V features outweigh it.
func TestNovaMetadata(t *testing.T) {
	nova := func(inner string) string {
		return `<metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">` + inner + `</nova:instance></metadata>`
	}
	image := func(name, value string) string {
		return `<nova:image uuid="x"><nova:properties><nova:property name="` + name + `">` + value +
			`</nova:property></nova:properties></nova:image>`
	}
	const hyperv = "<features><hyperv mode='custom'><relaxed state='on'/></hyperv></features>"
	for _, c := range []struct{ inner, system, by string }{
		{nova(`<nova:name>db1</nova:name><nova:flavor name="m1.small"/>`), "", ""},
		{nova(`<nova:name>win2k22-ad</nova:name>`), "", guest.OSByName},
		{nova(`<nova:name>darwin-1</nova:name>`), "", ""},
		{nova(`<nova:flavor name="windows.large"/>`), "", guest.OSByName},
		{nova(`<nova:name>win-ad</nova:name>`) + hyperv, "windows", guest.OSByHyperV},
		{nova(image("os_type", "windows")), "windows", guest.OSByMetadata},
		{nova(image("img_os_type", " Linux ")), "linux", guest.OSByMetadata},
		{nova(image("os_type", "linux")) + hyperv, "linux", guest.OSByMetadata},
		{nova(image("os_distro", "win2k22")), "windows", guest.OSByMetadata},
		{nova(image("os_distro", "ubuntu")), "", ""},
		{nova(image("os_type", "beos")), "", ""},
		{nova(`<nova:flavor name="m1"><nova:extraSpecs><nova:extraSpec name="os_type">windows</nova:extraSpec></nova:extraSpecs></nova:flavor>`), "windows", guest.OSByMetadata},
	} {
		g, err := ParseDomain([]byte("<domain><name>instance-00000007</name>" + c.inner + "</domain>"))
		if err != nil || g.OS != c.system || g.OSBy != c.by {
			t.Errorf("%s: got %q by %q, %v, want %q by %q", path.Base(c.inner), g.OS, g.OSBy, err, c.system, c.by)
		}
	}
}
