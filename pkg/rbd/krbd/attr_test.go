package krbd

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

const testFSID = "11111111-2222-3333-4444-555555555555"

// oneDevice returns a host with one device, which has the usual attributes except for
// change.
func oneDevice(change map[string]string) fstest.MapFS {
	attrs := map[string]string{
		"pool": "vms", "pool_ns": "", "name": "vm-101-disk-0", "image_id": "10ab", "current_snap": "-",
		"client_id": "client4123", "client_addr": "192.0.2.7:0/99", "cluster_fsid": testFSID,
		"size": "1073741824", "features": "0x000000000000003d", "major": "254", "minor": "112",
		"parent": "(no parent image)",
	}
	for name, value := range change {
		attrs[name] = value
	}
	sys := fstest.MapFS{}
	for name, value := range attrs {
		addFile(sys, devicesDir+"/7/"+name, value+"\n", false)
	}
	addFile(sys, debugfs+"/"+testFSID+".client4123/client_options", "name=admin,secret=<hidden>,rxbounce\n", false)
	return sys
}

func oneWant(change func(*rbd.Mapped)) rbd.Mapped {
	m := rbd.Mapped{
		ID: 7, Device: "rbd7", Major: 254, Minor: 112, Pool: "vms", Image: "vm-101-disk-0", ImageID: "10ab",
		ClientID: 4123, ClientAddr: "192.0.2.7", Nonce: "192.0.2.7:0/99", FSID: testFSID,
		Size: 1 << 30, Features: 0x3d, Options: &rbd.Options{RxBounce: true},
	}
	change(&m)
	return m
}

const twoParents = `pool_id 3
pool_name base
pool_ns 
image_id 20cd
image_name golden
snap_id 4
snap_name image_id 9
overlap 1073741824

pool_id 3
pool_name older
pool_ns ns
image_id 30ef
image_name (unknown)
snap_id 5
snap_name s
overlap 0`

func TestAttributes(t *testing.T) {
	tests := map[string]struct {
		attrs map[string]string
		want  func(*rbd.Mapped)
	}{
		"usual":     {nil, func(*rbd.Mapped) {}},
		"namespace": {map[string]string{"pool_ns": "tenant a"}, func(m *rbd.Mapped) { m.Namespace = "tenant a" }},
		"snapshot": {map[string]string{"current_snap": "daily 1", "size": "0"},
			func(m *rbd.Mapped) { m.Snapshot, m.Size = "daily 1", 0 }},
		"unknown name":    {map[string]string{"name": "(unknown)"}, func(m *rbd.Mapped) { m.Image = "(unknown)" }},
		"not UTF-8":       {map[string]string{"name": "a\xffb"}, func(m *rbd.Mapped) { m.Image = "a\uFFFDb" }},
		"no block device": {map[string]string{"major": "(none)"}, func(m *rbd.Mapped) { m.Major = 0 }},
		"format 1":        {map[string]string{"image_id": ""}, func(m *rbd.Mapped) { m.ImageID = "" }},
		"IPv6": {map[string]string{"client_addr": "[2001:db8::7]:0/4294967295"}, func(m *rbd.Mapped) {
			m.ClientAddr, m.Nonce = "2001:db8::7", "[2001:db8::7]:0/4294967295"
		}},
		"no address yet": {map[string]string{"client_addr": "0.0.0.0:0/0"},
			func(m *rbd.Mapped) { m.ClientAddr, m.Nonce = "", "0.0.0.0:0/0" }},
		"zone": {map[string]string{"client_addr": "[fe80::1%x]:0/1"}, func(m *rbd.Mapped) {
			m.ClientAddr, m.Nonce, m.Partly = "", "", "unreadable: client_addr"
		}},
		"largest numbers": {map[string]string{"size": "18446744073709551615", "features": "0xffffffffffffffff"}, func(m *rbd.Mapped) {
			m.Size, m.Features = math.MaxUint64, math.MaxUint64
		}},
		"clone of a clone": {map[string]string{"parent": twoParents}, func(m *rbd.Mapped) { m.Parents = []string{"20cd", "30ef"} }},
		"no end of parents": {map[string]string{"parent": strings.Repeat("image_id 1\n\n", 100)}, func(m *rbd.Mapped) {
			m.Parents = slices.Repeat([]string{"1"}, maxParents)
		}},
		"nonsense": {map[string]string{"size": "-1", "features": "61", "minor": "4294967296", "major": "x", "name": "a\nb",
			"image_id": "a=b"}, func(m *rbd.Mapped) {
			m.Size, m.Features, m.Minor, m.Major, m.Image, m.ImageID = 0, 0, 0, 0, "", ""
			m.Partly = "unreadable: name, image_id, size, features, major, minor"
		}},
		"other client": {map[string]string{"client_id": "4123"}, func(m *rbd.Mapped) {
			m.ClientID, m.Options, m.OptionsErr = 0, nil, "the client is not known"
			m.Partly = "unreadable: client_id"
		}},
		"no FSID": {map[string]string{"cluster_fsid": strings.Repeat("-", 36)}, func(m *rbd.Mapped) {
			m.FSID, m.Options, m.OptionsErr = "", nil, "the client is not known"
			m.Partly = "unreadable: cluster_fsid"
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := readMapped(oneDevice(tt.attrs))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]rbd.Mapped{oneWant(tt.want)}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A kernel before 4.9 has fewer attributes.
func TestOldKernel(t *testing.T) {
	sys := oneDevice(nil)
	for _, attr := range []string{"pool_ns", "cluster_fsid", "client_addr", "parent"} {
		delete(sys, "devices/rbd/7/"+attr)
	}
	got, err := readMapped(sys)
	if err != nil {
		t.Fatal(err)
	}
	want := oneWant(func(m *rbd.Mapped) {
		m.FSID, m.ClientAddr, m.Nonce, m.Options, m.OptionsErr = "", "", "", nil, "the client is not known"
	})
	if diff := cmp.Diff([]rbd.Mapped{want}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A device is never left out because one of its attributes is missing: what other
// attributes show is filled in, and the missing part is reported.
func TestMissingAttributes(t *testing.T) {
	sys := oneWithBlock()
	addFile(sys, "devices/rbd/7/block/rbd7/dev", "254:112\n", false)
	whole, err := readMapped(sys)
	if err != nil || len(whole) != 1 || whole[0].Partly != "" {
		t.Fatalf("got %+v, %v", whole, err)
	}
	for attr, partly := range map[string]string{
		"minor": "", "major": "unreadable: major", "size": "unreadable: size", "features": "unreadable: features",
		"image_id": "unreadable: image_id", "current_snap": "unreadable: current_snap", "client_id": "unreadable: client_id",
	} {
		sys := maps.Clone(sys)
		delete(sys, "devices/rbd/7/"+attr)
		got, err := readMapped(sys)
		if err != nil || len(got) != 1 {
			t.Errorf("without %s: got %+v, %v", attr, got, err)
			continue
		}
		if got[0].Partly != partly || got[0].Pool != whole[0].Pool || got[0].Minor != whole[0].Minor {
			t.Errorf("without %s: got %+v, want %q told", attr, got[0], partly)
		}
	}
	sys = oneDevice(nil)
	delete(sys, "devices/rbd/7/minor")
	if got, err := readMapped(sys); err != nil || len(got) != 1 || got[0].Partly != "unreadable: minor" || got[0].Minor != 0 {
		t.Errorf("without any number: got %+v, %v", got, err)
	}
}

// A key that strays into any file is in no value, whether it is an option or, in a
// file that contains no name, the whole content.
func TestNoSecretInAnyValue(t *testing.T) {
	const secret = "AQBPlantedPlantedPlantedPlantedPlanted=="
	names := []string{"pool", "pool_ns", "name", "current_snap"} // any text is a valid name
	for path := range oneWithBlock() {
		for _, text := range []string{secret, "name=admin,secret=" + secret, "192.0.2.9:6789 name=a,key=" + secret + " vms x",
			"key=" + secret} {
			attr := path[strings.LastIndexByte(path, '/')+1:]
			if text == secret && (slices.Contains(names, attr) || strings.HasSuffix(path, "dm/name")) {
				continue
			}
			sys := oneWithBlock()
			if sys[path].Mode&fs.ModeSymlink != 0 || sys[path].Mode.IsDir() {
				continue
			}
			sys[path].Data = []byte(text + "\n")
			sys["devices/rbd/7/config_info"] = &fstest.MapFile{Data: []byte("192.0.2.9:6789 secret=" + secret + " vms x")}
			mapped, err1 := readMapped(sys)
			io, err2 := readIO(sys)
			for _, m := range mapped { // %+v does not follow the pointer
				mapped = append(mapped, rbd.Mapped{Image: fmt.Sprintf("%+v", m.Options)})
			}
			if all := fmt.Sprintf("%+v %+v %v %v", mapped, io, err1, err2); strings.Contains(all, "Planted") {
				t.Errorf("%s with %q: the secret shows in %s", path, text, all)
			}
			if len(mapped) == 0 {
				t.Errorf("%s with %q: the device is gone: %v", path, text, err1)
			}
		}
	}
}

// oneWithBlock returns oneDevice with a block device, a partition and a holder.
func oneWithBlock() fstest.MapFS {
	sys := oneDevice(nil)
	sys["block/rbd7"] = linkTo("../devices/rbd/7/block/rbd7")
	for name, text := range map[string]string{
		"devices/rbd/7/block/rbd7/ro":              "1",
		"devices/rbd/7/block/rbd7/stat":            "1 2 3 4 5 6 7 8 9 10 11",
		"devices/rbd/7/block/rbd7/inflight":        "4 5",
		"devices/rbd/7/block/rbd7/rbd7p1/dev":      "259:3",
		"devices/rbd/7/block/rbd7/holders/dm-0":    "",
		"devices/virtual/block/dm-0/dm/name":       "vg-root",
		"devices/virtual/block/dm-0/dm/uuid":       "LVM-abc",
		"devices/virtual/block/dm-0/dev":           "253:0",
		"devices/virtual/block/dm-0/holders/dm-99": "",
	} {
		addFile(sys, name, text+"\n", false)
	}
	sys["block/dm-0"] = linkTo("../devices/virtual/block/dm-0")
	return sys
}

// FuzzAttributes: a number is either the attribute's or 0 and reported as not parsed,
// and an address is valid.
func FuzzAttributes(f *testing.F) {
	f.Add("268435456", "0x000000000000003d", "192.0.2.7:0/99", "client4123")
	f.Add("-1", "0xg", "[2001:db8::7]:0/1", "client18446744073709551616")
	f.Add("0", "0x0", "[fe80::1%eth0]:0/1", "")
	f.Fuzz(func(t *testing.T, size, features, addr, client string) {
		sys := oneDevice(map[string]string{"size": size, "features": features, "client_addr": addr, "client_id": client})
		got, err := readMapped(sys)
		if err != nil || len(got) != 1 {
			t.Fatalf("got %+v, %v", got, err)
		}
		m := got[0]
		if said := strings.Contains(m.Partly, "size"); !said && strings.TrimLeft(size, "0") != strings.TrimLeft(fmt.Sprint(m.Size), "0") {
			t.Errorf("size %q is %d", size, m.Size)
		}
		digits := strings.ToLower(strings.TrimLeft(strings.TrimPrefix(features, "0x"), "0"))
		if said := strings.Contains(m.Partly, "features"); !said && digits != strings.TrimLeft(fmt.Sprintf("%x", m.Features), "0") {
			t.Errorf("features %q are %x", features, m.Features)
		}
		if m.Nonce != "" && m.Nonce != addr || strings.ContainsAny(m.ClientAddr, "%/ \n") {
			t.Errorf("client_addr %q is %q, %q", addr, m.ClientAddr, m.Nonce)
		}
		number := strings.TrimLeft(strings.TrimPrefix(client, "client"), "0")
		if said := strings.Contains(m.Partly, "client_id"); !said && number != strings.TrimLeft(fmt.Sprint(m.ClientID), "0") {
			t.Errorf("client_id %q is %d", client, m.ClientID)
		}
		if (m.Options == nil) == (m.OptionsErr == "") {
			t.Errorf("options %v, because %q", m.Options, m.OptionsErr)
		}
	})
}
