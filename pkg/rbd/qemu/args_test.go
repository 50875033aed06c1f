package qemu

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

func TestParseCommandLine(t *testing.T) {
	for _, file := range append(rbdtest.Files(t, "*.cmdline"), rbdtest.Files(t, "*.args")...) {
		t.Run(path.Base(file), func(t *testing.T) {
			g, err := ParseCommandLine(fixture(t, file))
			fault := ""
			if err != nil {
				fault = err.Error()
			}
			rbdtest.Golden(t, "qemu-"+strings.TrimSuffix(path.Base(file), path.Ext(file)), struct {
				Guest rbd.Guest
				Error string
			}{g, fault})
		})
	}
}

// The lab's QEMUs: 101 and 102 use krbd, 103 uses librbd.
func TestParseCommandLineClients(t *testing.T) {
	for vm, want := range map[string]rbd.Disk{
		"vm101": {Target: "scsi0", Client: rbd.KRBD, Pool: "rbd", Image: "vm-101-disk-0",
			Path: "/dev/rbd-pve/33b862db-5e43-43fb-927c-e4b2e2132a65/rbd/vm-101-disk-0"},
		"vm102": {Target: "scsi0", Client: rbd.KRBD, Pool: "rbd", Image: "vm-102-disk-0", Path: "/dev/rbd/rbd/vm-102-disk-0"},
		"vm103": {Target: "scsi0", Client: rbd.LibRBD, Pool: "rbd", Image: "vm-103-disk-0"},
	} {
		g, err := ParseCommandLine(rbdtest.File(t, ""+vm+".cmdline"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]rbd.Disk{want}, g.Disks); diff != "" || g.Name != vm || g.ID != vm[2:] {
			t.Errorf("%s %s %s", g.Name, g.ID, diff)
		}
	}
}

// joinArgs returns a command line of the arguments.
func joinArgs(args ...string) []byte {
	return []byte("/usr/bin/kvm\x00" + strings.Join(args, "\x00") + "\x00")
}

func TestParseCommandLineForms(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want []rbd.Disk
	}{
		{"no arguments", nil, nil},
		{"a drive without a name", []string{"-drive", "file=rbd:p/i,if=virtio,index=3"},
			[]rbd.Disk{{Target: "virtio3", Client: rbd.LibRBD, Pool: "p", Image: "i"}}},
		{"two dashes", []string{"--drive", "file=rbd:p/i,id=a"}, []rbd.Disk{{Target: "a", Client: rbd.LibRBD, Pool: "p", Image: "i"}}},
		{"a driver before the path", []string{"-drive", "file=host_device:/dev/rbd3,id=a"},
			[]rbd.Disk{{Target: "a", Client: rbd.KRBD, Path: "/dev/rbd3"}}},
		{"escapes", []string{"-drive", `file=rbd:p\:1/n\/2/i\@3@s\\4:id=x,id=a`},
			[]rbd.Disk{{Target: "a", Client: rbd.LibRBD, Pool: "p:1", Namespace: "n/2", Image: "i@3", Snapshot: `s\4`}}},
		{"the value of another option", []string{"-append", "root=/dev/vda", "-hda", "/dev/rbd1"},
			[]rbd.Disk{{Target: "hda", Client: rbd.KRBD, Path: "/dev/rbd1"}}},
		{"nodes that refer to each other indefinitely", []string{"-blockdev", `{"driver":"raw","node-name":"a","file":"b"}`, "-blockdev",
			`{"driver":"raw","node-name":"b","file":"a"}`}, nil},
		{"a node above such nodes", []string{"-blockdev", `{"driver":"raw","node-name":"a","file":"b"}`, "-blockdev",
			`{"driver":"raw","node-name":"b","file":"a"}`, "-blockdev",
			`{"driver":"throttle","node-name":"c","file":"a","throttle-group":"g"}`}, nil},
		{"a disk above such nodes", []string{"-blockdev", `{"driver":"raw","node-name":"a","file":"b"}`, "-blockdev",
			`{"driver":"raw","node-name":"b","file":"a"}`, "-blockdev",
			`{"driver":"rbd","pool":"p","image":"i","node-name":"c","file":"a"}`},
			[]rbd.Disk{{Target: "c", Client: rbd.LibRBD, Pool: "p", Image: "i"}}},
		{"a node that is not there", []string{"-blockdev", `{"driver":"raw","node-name":"a","file":"b"}`}, nil},
		{"references with dotted names", []string{"-blockdev", "driver=rbd,pool=p,image=i,node-name=low", "-blockdev",
			"driver=raw,node-name=mid,file=low", "-blockdev", "driver=throttle,node-name=top,file=mid"},
			[]rbd.Disk{{Target: "top", Client: rbd.LibRBD, Pool: "p", Image: "i"}}},
		{"an image with a backing one", []string{"-blockdev", `{"driver":"rbd","pool":"p","image":"base","node-name":"low"}`, "-blockdev",
			`{"driver":"qcow2","node-name":"top","backing":"low","file":{"driver":"rbd","pool":"p","image":"i"}}`},
			[]rbd.Disk{{Target: "top", Client: rbd.LibRBD, Pool: "p", Image: "i"},
				{Target: "top", Client: rbd.LibRBD, Pool: "p", Image: "base", Part: true}}},
		{"a backing image below filters that are nested", []string{"-blockdev",
			`{"driver":"throttle","node-name":"drive-scsi0","throttle-group":"g","file":{"driver":"qcow2","file":{"driver":"host_device","filename":"/dev/rbd1"},"backing":{"driver":"qcow2","file":"low"}}}`, "-blockdev", `{"driver":"rbd","pool":"p","image":"base","node-name":"low"}`},
			[]rbd.Disk{{Target: "scsi0", Client: rbd.KRBD, Path: "/dev/rbd1"},
				{Target: "scsi0", Client: rbd.LibRBD, Pool: "p", Image: "base", Part: true}}},
		{"data apart, nested", []string{"-blockdev",
			`{"driver":"qcow2","node-name":"top","file":{"driver":"file","filename":"/a"},"data-file":{"driver":"raw","file":{"driver":"rbd","pool":"p","image":"i"}}}`},
			[]rbd.Disk{{Target: "top", Client: rbd.LibRBD, Pool: "p", Image: "i"}}},
		{"data apart, below a nested backing image", []string{"-blockdev", `{"driver":"rbd","pool":"p","image":"i","node-name":"data"}`,
			"-blockdev", `{"driver":"qcow2","node-name":"top","file":{"driver":"host_device","filename":"/dev/rbd2"},"backing":{"driver":"qcow2","file":{"driver":"file","filename":"/a"},"data-file":"data"}}`},
			[]rbd.Disk{{Target: "top", Client: rbd.KRBD, Path: "/dev/rbd2"},
				{Target: "top", Client: rbd.LibRBD, Pool: "p", Image: "i", Part: true}}},
		{"an encrypted one on a logical volume", []string{"-blockdev", `{"driver":"host_device","filename":"/dev/vg/lv","node-name":"s"}`,
			"-blockdev", `{"driver":"luks","node-name":"f","file":"s","key-secret":"PLANTED"}`, "-device",
			`{"driver":"scsi-hd","drive":"f","id":"scsi1"}`},
			[]rbd.Disk{{Target: "scsi1", Path: "/dev/vg/lv"}}},
		{"an image without an option", []string{"-m", "2G", "rbd:p/i:key=PLANTED"},
			[]rbd.Disk{{Target: "hda", Client: rbd.LibRBD, Pool: "p", Image: "i"}}},
		{"a device without an option", []string{"-daemonize", "/dev/rbd/p/i"},
			[]rbd.Disk{{Target: "hda", Client: rbd.KRBD, Pool: "p", Image: "i", Path: "/dev/rbd/p/i"}}},
		{"dotted names, nested", []string{"-drive",
			"if=none,id=drive-sda,driver=raw,file.driver=throttle,file.throttle-group=g,file.file.driver=host_device,file.file.filename=/dev/rbd4", "-device", "scsi-hd,drive=drive-sda,id=sda"},
			[]rbd.Disk{{Target: "sda", Client: rbd.KRBD, Path: "/dev/rbd4"}}},
		{"JSON in place of a file", []string{"-drive", `file=json:{"driver":"raw",,"file":{"driver":"rbd",,"pool":"p",,"image":"i"}},id=a`},
			[]rbd.Disk{{Target: "a", Client: rbd.LibRBD, Pool: "p", Image: "i"}}},
		{"a quorum of nodes", []string{"-blockdev", `{"driver":"rbd","pool":"p","image":"a","node-name":"a"}`, "-blockdev",
			`{"driver":"host_device","filename":"/dev/rbd1","node-name":"b"}`, "-blockdev",
			`{"driver":"throttle","file":"b","throttle-group":"g","node-name":"c"}`,
			"-object", "throttle-group,id=g,x-iops-total=5", "-blockdev",
			`{"driver":"quorum","vote-threshold":1,"children":["a","c"],"node-name":"q"}`, "-device", "virtio-blk-pci,drive=q,id=vda"},
			[]rbd.Disk{{Target: "vda", Client: rbd.LibRBD, Pool: "p", Image: "a"},
				{Target: "vda", Client: rbd.KRBD, Path: "/dev/rbd1", Part: true}}},
		{"a quorum below a throttle", []string{"-blockdev",
			`{"driver":"throttle","throttle-group":"g","node-name":"t","file":{"driver":"quorum","children":[{"driver":"host_device","filename":"/dev/rbd1"},{"driver":"host_device","filename":"/dev/rbd2"}]}}`, "-object", "throttle-group,id=g,x-iops-total=5"},
			[]rbd.Disk{{Target: "t", Client: rbd.KRBD, Path: "/dev/rbd1", Throttle: &rbd.Throttle{IOPS: 5}},
				{Target: "t", Client: rbd.KRBD, Path: "/dev/rbd2", Part: true}}},
		{"a quorum, nested", []string{"-drive",
			"if=virtio,id=colo,driver=quorum,read-pattern=fifo,vote-threshold=1,children.0.driver=raw,children.0.file.filename=/dev/rbd2,children.1.driver=rbd,children.1.pool=p,children.1.image=i,children.1.key-secret=PLANTED"},
			[]rbd.Disk{{Target: "colo", Client: rbd.KRBD, Path: "/dev/rbd2"},
				{Target: "colo", Client: rbd.LibRBD, Pool: "p", Image: "i", Part: true}}},
		{"a quorum of both, each with an image below it", []string{"-blockdev",
			`{"driver":"rbd","pool":"p","image":"base","node-name":"low"}`, "-blockdev",
			`{"driver":"quorum","vote-threshold":2,"node-name":"q","children":[{"driver":"qcow2","file":{"driver":"host_device","filename":"/dev/rbd3"},"backing":"low"},{"driver":"qcow2","backing":"low","file":{"driver":"file","filename":"/srv/x"}}]}`},
			[]rbd.Disk{{Target: "q", Client: rbd.KRBD, Path: "/dev/rbd3"},
				{Target: "q", Client: rbd.LibRBD, Pool: "p", Image: "base", Part: true}, {Target: "q", Path: "/srv/x", Part: true},
				{Target: "q", Client: rbd.LibRBD, Pool: "p", Image: "base", Part: true}}},
		{"a quorum whose first child is not known", []string{"-blockdev",
			`{"driver":"quorum","node-name":"q","children":["gone",{"driver":"rbd","pool":"p","image":"i"}]}`},
			[]rbd.Disk{{Target: "q", Client: rbd.LibRBD, Pool: "p", Image: "i"}}},
		{"a quorum of itself", []string{"-blockdev", `{"driver":"quorum","node-name":"q","children":["q","q","q","q"]}`, "-blockdev",
			`{"driver":"raw","node-name":"r","file":"q"}`}, nil},
		{"a backing image in a drive's options", []string{"-drive", "file=/srv/top.qcow2,id=a,backing.file.filename=/dev/rbd5", "-drive",
			"driver=qcow2,id=b,file.filename=/dev/rbd6,backing.backing.file.filename=/dev/rbd7,backing.file.filename=/x"},
			[]rbd.Disk{{Target: "a", Path: "/srv/top.qcow2"}, {Target: "a", Client: rbd.KRBD, Path: "/dev/rbd5", Part: true},
				{Target: "b", Client: rbd.KRBD, Path: "/dev/rbd6"}, {Target: "b", Path: "/x", Part: true},
				{Target: "b", Client: rbd.KRBD, Path: "/dev/rbd7", Part: true}}},
		{"backing images that go round", []string{"-blockdev",
			`{"driver":"qcow2","node-name":"a","backing":"b","file":{"driver":"file","filename":"/a"}}`, "-blockdev",
			`{"driver":"qcow2","node-name":"b","backing":"a","file":{"driver":"file","filename":"/b"}}`},
			nil},
	} {
		g, err := ParseCommandLine(joinArgs(c.args...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, g.Disks); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// The number of layers followed for one command line is bounded, however they refer
// to each other.
func TestLayersAreBounded(t *testing.T) {
	nodes := layers{"leaf": {"driver": "rbd", "pool": "p", "image": "i"}}
	for i := range 40 { // each refers twice to the next: 2^40 paths
		next := strconv.Itoa(i + 1)
		if i == 39 {
			next = "leaf"
		}
		nodes[strconv.Itoa(i)] = optionSet{"driver": "quorum", "children.0": next, "children.1": next}
	}
	w := walk{nodes: nodes}
	w.layer(nodes["0"], "", 0)
	if len(w.disks) == 0 || len(w.disks) > rbd.MaxDisks || w.steps < stepsMax {
		t.Errorf("%d disks in %d steps", len(w.disks), w.steps)
	}
}

func TestParseCommandLineWindows(t *testing.T) {
	for _, c := range []struct {
		option, value, want string
	}{
		{"-cpu", "host,hv_relaxed", "windows"},
		{"-cpu", "host,hv-time=on", "windows"},
		{"-cpu", "host,hv-passthrough", ""},
		{"-cpu", "host,hv_passthrough,hv_time", "windows"},
		{"-cpu", "host,hv-time=off", ""},
		{"-cpu", "host,hv_vendor_id=proxmox,kvm=off", ""},
		{"-cpu", "host,+kvm_pv_eoi", ""},
		{"-rtc", "driftfix=slew,base=localtime", ""},
		{"-rtc", "base=utc", ""},
		{"-cpu", "host,hv-crash", "windows"},
		{"-cpu", "host,-hv-time,hv_relaxed=off", ""},
		{"-cpu", "qemu64,hv_spinlocks=0x1fff", "windows"},
		{"-cpu", "host,migratable=on,hv_time=on,hv_passthrough", "windows"},
	} {
		if g, err := ParseCommandLine(joinArgs(c.option, c.value)); err != nil || g.OS != c.want {
			t.Errorf("%s %s: got %q, %v, want %q", c.option, c.value, g.OS, err, c.want)
		}
	}
}

// Combinations of signs for and against Windows.
func TestParseCommandLineWeighs(t *testing.T) {
	for _, c := range []struct {
		args       []string
		system, by string
	}{
		{[]string{"-cpu", "host,hv_relaxed", "-cpu", "host"}, "", ""},
		{[]string{"-cpu", "host", "-cpu", "host,hv_relaxed"}, "windows", guest.OSByHyperV},
		{[]string{"-cpu", "host,hv_passthrough", "-rtc", "base=localtime"}, "windows",
			guest.OSByPassthrough + " and " + guest.OSByLocalTime},
		{[]string{"-cpu", "host,hv_passthrough", "-rtc", "clock=host,base=localtime,driftfix=slew", "-smbios",
			"type=2,manufacturer=LinuxContainers,product=Incus"}, "windows", guest.OSByPassthrough + " and " + guest.OSByLocalTime},
		{[]string{"-localtime", "-hda", "/dev/rbd0"}, "", guest.OSByLocalTime},
		{[]string{"-cpu", "host,hv_passthrough", "-smbios", "type=2,manufacturer=Canonical Ltd.,product=LXD"}, "", ""},
		{[]string{"-cpu", "host,hv_passthrough"}, "", guest.OSByPassthrough},
		{[]string{"-cpu", "host,hv_relaxed", "-kernel", "/vmlinuz"}, "linux", guest.OSByKernel},
	} {
		if g, err := ParseCommandLine(joinArgs(c.args...)); err != nil || g.OS != c.system || g.OSBy != c.by {
			t.Errorf("%s: got %q by %q, %v, want %q by %q", c.args, g.OS, g.OSBy, err, c.system, c.by)
		}
	}
}

// Unparsable parts are reported without quoting them, and the others are parsed.
func TestParseCommandLineRefuses(t *testing.T) {
	good := []string{"-drive", "file=rbd:p/i,id=a"}
	nested := strings.Repeat(`{"file":`, 40) + `"PLANTED"` + strings.Repeat("}", 40)
	wide := `{"a":[` + strings.Repeat("0,", 40_000) + `"PLANTED"]}`
	for _, c := range []struct{ name, value, want string }{
		{"no JSON", `{"driver":"rbd",PLANTED`, "-blockdev no. 1: not JSON"},
		{"two values", `{"driver":"rbd"}{"PLANTED":1}`, "not JSON"},
		{"deep", nested, "too deeply"},
		{"wide", wide, "too many"},
		{"many properties", strings.Repeat("PLANTED=1,", 5000), "too many"},
	} {
		g, err := ParseCommandLine(joinArgs(append([]string{"-blockdev", c.value}, good...)...))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), rbdtest.Planted) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if len(g.Disks) != 1 {
			t.Errorf("%s: the other disk is lost: %+v", c.name, g)
		}
	}
	if _, err := ParseCommandLine(make([]byte, argsSize+1)); err == nil {
		t.Error("a command line of more than 1 MiB was read")
	}
}

// Unwanted values are not even kept while an option is parsed, in either form.
func TestQEMUParseKeepsOnlyWhatIsWanted(t *testing.T) {
	want := optionSet{"driver": "rbd", "file.pool": "p", "id": "a"}
	for _, option := range []string{
		"rbd,file.pool=p,id=a,key-secret=PLANTED,password=PLANTED,user=PLANTED,data=PLANTED,file.server.0.host=PLANTED,PLANTED",
		`{"driver":"rbd","file":{"pool":"p","key-secret":"PLANTED","server":[{"host":"PLANTED"}]},"id":"a","data":"PLANTED","user":["PLANTED"]}`,
	} {
		got, err := parseOptions(option, "driver")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(err, diff)
		}
	}
}

// No secret of a fixture is in the parsed result.
func TestParseCommandLineKeepsNoSecret(t *testing.T) {
	secrets := 0
	for _, file := range append(rbdtest.Files(t, "*.cmdline"), rbdtest.Files(t, "*.args")...) {
		data := fixture(t, file)
		secrets += strings.Count(string(data), rbdtest.Planted)
		g, err := ParseCommandLine(data)
		if text := fmt.Sprintf("%+v %v", g, err); strings.Contains(text, rbdtest.Planted) {
			t.Errorf("%s: a secret: %s", file, text)
		}
	}
	if secrets < 8 {
		t.Errorf("the fixtures have only %d secrets", secrets)
	}
}

// The values of options with a secret, in any form and after any text, are in neither
// the Guest nor the error; both are bounded.
func FuzzParseCommandLine(f *testing.F) {
	for _, file := range append(rbdtest.Files(f, "*.cmdline"), rbdtest.Files(f, "*.args")...) {
		f.Add(fixture(f, file), "p/i@s")
	}
	f.Add(joinArgs("-blockdev", `{"driver":"quorum","node-name":"q","children":["a",{"driver":"quorum","children":["q","a"]}]}`,
		"-blockdev", "driver=rbd,pool=p,image=i,node-name=a", "-drive", "file=/x,backing.file.filename=/dev/rbd0"), "i")
	f.Fuzz(func(t *testing.T, data []byte, image string) {
		g, err := ParseCommandLine(data)
		if bad := rbdtest.Bounded(g); bad != nil {
			t.Fatal(bad)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Fatalf("a long error: %v", err)
		}
		if again, _ := ParseCommandLine(data); !cmp.Equal(g, again) {
			t.Fatal("not the same twice")
		}
		plain := strings.Trim(strings.ReplaceAll(image, "\x00", ""), `\`)
		doubled := strings.ReplaceAll(plain, ",", ",,")
		g, err = ParseCommandLine(joinArgs(
			"-drive", "file=rbd:"+doubled+":id=PLANTED:key=PLANTED/+==:mon_host=PLANTED,id=a",
			"-drive", "file=https://u:PLANTED@"+doubled+",id=b",
			"-blockdev", fmt.Sprintf(`{"driver":"rbd","pool":%q,"user":"PLANTED","key-secret":"PLANTED","server":[{"host":"PLANTED"}]}`, plain),
			"-object", fmt.Sprintf(`{"qom-type":"secret","id":%q,"data":"PLANTED"}`, plain),
			"-blockdev", "driver=quorum,node-name=q,children.0.driver=rbd,children.0.key-secret=PLANTED,children.1.driver=https,children.1.url=PLANTED",
			"-blockdev", "driver=luks,key-secret=PLANTED,file.driver=rbd,file.image="+doubled+",file.password-secret=PLANTED"))
		if text := fmt.Sprintf("%+v %v", g, err); strings.Contains(text, rbdtest.Planted) && !strings.Contains(image, rbdtest.Planted) {
			t.Fatalf("a secret: %s", text)
		}
	})
}

// fixture reads a command line, either in the kernel's format or with one argument
// per line.
func fixture(t testing.TB, name string) []byte {
	b := rbdtest.File(t, name)
	if strings.HasSuffix(name, ".args") {
		return []byte(strings.ReplaceAll(string(b), "\n", "\x00"))
	}
	return b
}
