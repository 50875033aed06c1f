package qemu

import (
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

// Each ostype of Proxmox; snapshots have separate ones, which are not the guest's
// current one.
func TestProxmoxSystem(t *testing.T) {
	for ostype, want := range map[string]string{
		"l24": "linux", "l26": "linux", "solaris": "other", "other": "", "": "",
		"wxp": "windows", "w2k": "windows", "w2k3": "windows", "w2k8": "windows", "wvista": "windows", "win7": "windows", "win8": "windows",
		"win10": "windows", "win11": "windows",
	} {
		conf := "# ostype: win10\nname: db1\nostype: " + ostype + "\nscsi0: cpool:vm-101-disk-0\n[before]\nostype: win7\n"
		if got := proxmoxSystem(conf); got != want {
			t.Errorf("%q: got %q, want %q", ostype, got, want)
		}
	}
	if got := proxmoxSystem("name: db1\n[before]\nostype: win7\n"); got != "" {
		t.Errorf("a snapshot's: got %q", got)
	}
	host := rbdtest.Proc{MapFS: fstest.MapFS{}}
	host.File("etc/pve/qemu-server/101.conf", "ostype: win11\n")
	host.File("etc/pve/qemu-server/102.conf", "name: no\n")
	host.File("etc/pve/x", "ostype: l26\n")
	if diff := gocmp.Diff(map[string]string{"101": "windows"}, ReadSystems(host, []string{"101", "102", "103", "../x", ""})); diff != "" {
		t.Error(diff)
	}
}
