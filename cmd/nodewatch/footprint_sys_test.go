package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The common properties of a hypervisor's disks: one client of one cluster.
const (
	hostFSID   = "33b862db-5e43-43fb-927c-e4b2e2132a65"
	hostClient = 4123
	hostAddr   = "192.0.2.2"
)

// A hypervisor is simulated: its sysfs and procfs are files below root, in the
// kernel's format.
type hypervisor struct {
	name     string
	disks    int
	guests   int
	bonds    int  // bonds with two slaves each; storage uses the first
	sessions int  // OSDs to which the client has sessions
	storm    bool // no request completes, and the load is high
	lines    int  // libceph lines in the kernel log per second

	root   string
	nics   []string // names of bonds and slaves
	counts counting
}

// build creates the files, in memory if the machine has a suitable file system.
func (h *hypervisor) build(b testing.TB) {
	b.Helper()
	h.root = b.TempDir()
	if dir, err := os.MkdirTemp("/dev/shm", "nodewatch"); err == nil {
		b.Cleanup(func() { os.RemoveAll(dir) })
		h.root = dir
	} else {
		b.Logf("files are on the disk: %v", err)
	}
	for id := range h.disks {
		h.disk(b, id)
	}
	h.debugfs(b)
	h.proc(b)
}

// file writes one file, and creates the directories above it.
func (h *hypervisor) file(b testing.TB, name, text string) {
	b.Helper()
	path := filepath.Join(h.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
}

func (h *hypervisor) link(b testing.TB, name, target string) {
	b.Helper()
	path := filepath.Join(h.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		b.Fatal(err)
	}
}

// disk creates a krbd device with two partitions.
func (h *hypervisor) disk(b testing.TB, id int) {
	dir := fmt.Sprintf("sys/devices/rbd/%d/", id)
	h.link(b, fmt.Sprintf("sys/bus/rbd/devices/%d", id), fmt.Sprintf("../../../devices/rbd/%d", id))
	h.link(b, fmt.Sprintf("sys/block/rbd%d", id), fmt.Sprintf("../devices/rbd/%d/block/rbd%d", id, id))
	for name, text := range map[string]string{
		"client_addr":  hostAddr + ":0/2404800410",
		"client_id":    fmt.Sprintf("client%d", hostClient),
		"cluster_fsid": hostFSID,
		"config_info":  "192.0.2.1:6789 name=admin,key=client.admin rbd " + h.image(id) + " -",
		"current_snap": "-",
		"features":     "0x000000000000003d",
		"image_id":     fmt.Sprintf("1016d61415%02x", id),
		"major":        "254",
		"minor":        fmt.Sprint(16 * id),
		"name":         h.image(id),
		"parent":       "(no parent image)",
		"pool":         "rbd",
		"pool_id":      "1",
		"pool_ns":      "",
		"size":         "34359738368",
		"snap_id":      "18446744073709551614",
	} {
		h.file(b, dir+name, text+"\n")
	}
	block := dir + fmt.Sprintf("block/rbd%d/", id)
	for name, text := range map[string]string{
		"dev": fmt.Sprintf("254:%d", 16*id), "ro": "0", "size": "67108864", "stat": "", "inflight": "",
	} {
		h.file(b, block+name, text+"\n")
	}
	h.directory(b, block+"holders")
	for part := 1; part <= 2; part++ {
		dir := block + fmt.Sprintf("rbd%dp%d/", id, part)
		h.file(b, dir+"dev", fmt.Sprintf("254:%d\n", 16*id+part))
		h.directory(b, dir+"holders")
	}
}

func (h *hypervisor) directory(b testing.TB, name string) {
	b.Helper()
	if err := os.MkdirAll(filepath.Join(h.root, name), 0o755); err != nil {
		b.Fatal(err)
	}
}

// image returns the name of a disk's image: the first guests have two disks.
func (h *hypervisor) image(id int) string {
	return fmt.Sprintf("vm-%d-disk-%d", 100+id%h.guests, id/h.guests)
}

// debugfs creates libceph's files for its client.
func (h *hypervisor) debugfs(b testing.TB) {
	dir := fmt.Sprintf("sys/kernel/debug/ceph/%s.client%d/", hostFSID, hostClient)
	h.file(b, dir+"client_options", "name=admin,secret=<hidden>\n")
	h.file(b, dir+"osdc", h.osdc(0))
}

// osdc returns a watch on each image, and a few requests that differ each second; in
// a storm, two for each OSD that stay.
func (h *hypervisor) osdc(second int) string {
	var osdc strings.Builder
	requests, attempts := 12, 1
	if h.storm {
		requests, attempts, second = 2*h.sessions, 576, 0
	}
	fmt.Fprintf(&osdc, "REQUESTS %d homeless 0\n", requests)
	for i := range requests {
		osd := i % h.sessions
		fmt.Fprintf(&osdc, "%d\tosd%d\t1.%x\t1.f\t[%d]/%d\t[%d]/%d\te15\trbd_data.1016d61415%02x.%016x\t0x40001c\t%d\tread\n",
			1_000_000+requests*second+i, osd, 0x74aa540f+i, osd, osd, osd, osd, i%h.disks, i, attempts)
	}
	osdc.WriteString("LINGER REQUESTS\n")
	for id := range h.disks {
		osd := id % h.sessions
		fmt.Fprintf(&osdc, "%d\tosd%d\t1.%x\t1.3\t[%d]/%d\t[%d]/%d\te10\trbd_header.1016d61415%02x\t0x20\t1\tWC/0\n",
			uint64(18446462598732840961)+uint64(id), osd, 0x9f4ef043+id, osd, osd, osd, osd, id)
	}
	osdc.WriteString("BACKOFFS\n")
	return osdc.String()
}
