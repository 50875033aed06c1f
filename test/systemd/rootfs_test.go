//go:build lab

package systemd

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/test/lab"
)

//go:embed init.sh
var initScript []byte

//go:embed agent.service
var agentUnit []byte

// Kernel modules, to which their dependencies are added: those of the first stage,
// and those of the root file system.
var (
	firstModules = []string{"virtio_pci", "virtio_blk", "crc32c_generic", "ext4"}
	modules      = append([]string{"virtio_console", "virtio_net", "bonding", "dummy", "libceph", "rbd", "cbc", "aes_generic", "gcm", "ctr",
		"hmac", "sha256_generic"}, firstModules...)
)

// programs are the programs of this machine that the guest has in addition to
// systemd's package, busybox and nodewatch's own.
var programs = []string{"dash", "ip", "kmod", "mount", "umount", "setpriv"}

// A root is a directory that becomes a root file system.
type root struct {
	t   *testing.T
	dir string
}

func newRoot(t *testing.T, dir string) root {
	t.Helper()
	r := root{t, dir}
	for _, d := range []string{"usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "dev", "proc", "sys", "run", "tmp", "root", "var",
		"etc", "home"} {
		r.must(os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		r.must(os.Symlink("usr/"+d, filepath.Join(dir, d)))
	}
	return r
}

func (r root) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// put writes a file.
func (r root) put(name string, mode os.FileMode, body []byte) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	r.must(os.MkdirAll(filepath.Dir(path), 0o755))
	r.must(os.WriteFile(path, body, mode))
	r.must(os.Chmod(path, mode))
}

// file copies a file of this machine.
func (r root) file(name, source string, mode os.FileMode) {
	r.t.Helper()
	body, err := os.ReadFile(source)
	r.must(err)
	r.put(name, mode, body)
}

// link creates a symbolic link, unless the name exists.
func (r root) link(name, target string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	r.must(os.MkdirAll(filepath.Dir(path), 0o755))
	if err := os.Symlink(target, path); err != nil && !os.IsExist(err) {
		r.t.Fatal(err)
	}
}

// unpacked copies the files of an installed package without its documentation, and
// returns its programs and libraries.
func (r root) unpacked(name string) (binaries []string) {
	r.t.Helper()
	list, err := exec.Command("dpkg-query", "-L", name).Output()
	if err != nil {
		r.t.Fatalf("dpkg-query -L %s: %v", name, err)
	}
	for _, path := range strings.Fields(string(list)) {
		info, err := os.Lstat(path)
		if err != nil || strings.HasPrefix(path, "/usr/share/doc") || strings.HasPrefix(path, "/usr/share/man") ||
			strings.HasPrefix(path, "/usr/share/locale") {
			continue
		}
		switch info.Mode().Type() {
		case fs.ModeDir:
			r.must(os.MkdirAll(filepath.Join(r.dir, path), 0o755))
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			r.must(err)
			r.link(path, target)
		case 0:
			r.file(path, path, info.Mode().Perm())
			if head, err := os.ReadFile(path); err == nil && bytes.HasPrefix(head, []byte("\x7fELF")) {
				binaries = append(binaries, path)
			}
		}
	}
	return binaries
}

// library matches a line of ldd: a file, or the loader.
var library = regexp.MustCompile(`(?m)(?:=> )?(/\S+) \(0x`)

// libraries copies the libraries that the programs are linked with.
func (r root) libraries(of ...string) {
	r.t.Helper()
	out, err := exec.Command("ldd", of...).CombinedOutput()
	if err != nil && !bytes.Contains(out, []byte("not a dynamic executable")) {
		r.t.Fatalf("ldd: %v\n%s", err, out)
	}
	done := map[string]bool{}
	for _, m := range library.FindAllSubmatch(out, -1) {
		if lib := string(m[1]); !done[lib] {
			done[lib] = true
			r.file(lib, lib, 0o755)
		}
	}
}

// busybox adds busybox, and its applets for which there is no real program.
func (r root) busybox() {
	r.t.Helper()
	path, err := exec.LookPath("busybox")
	r.must(err)
	r.file("usr/bin/busybox", path, 0o755)
	applets, err := exec.Command(path, "--list").Output()
	r.must(err)
	for _, name := range strings.Fields(string(applets)) {
		if _, err := os.Lstat(filepath.Join(r.dir, "usr/sbin", name)); err != nil {
			r.link("usr/bin/"+name, "busybox")
		}
	}
}

// kernel adds kernel modules.
func (r root) kernel(k lab.Kernel, names ...string) {
	r.t.Helper()
	files, err := k.Closure(names...)
	r.must(err)
	place := filepath.Join("lib/modules", k.Version)
	indexes, err := filepath.Glob(filepath.Join(k.Modules, "modules.*"))
	r.must(err)
	for _, f := range indexes {
		files = append(files, filepath.Base(f))
	}
	for _, f := range files {
		r.file(filepath.Join(place, f), filepath.Join(k.Modules, f), 0o644)
	}
}

// firstStage creates the initramfs that mounts the disk.
func firstStage(t *testing.T, dir string, k lab.Kernel) (file string) {
	t.Helper()
	r := newRoot(t, filepath.Join(dir, "first"))
	r.busybox()
	r.link("sbin/modprobe", "../bin/busybox")
	r.put("init", 0o755, initScript)
	r.kernel(k, firstModules...)
	file = filepath.Join(dir, "first.cpio")
	out, err := exec.Command("sh", "-euc", `cd "$1" && find . | busybox cpio -o -H newc >"$2"`, "sh", r.dir, file).CombinedOutput()
	if err != nil {
		t.Fatalf("cpio: %v\n%s", err, out)
	}
	return file
}

// disk creates the guest's disk: systemd of this machine, and nodewatch in the paths
// of make install.
func disk(t *testing.T, dir, bin string, k lab.Kernel) (file string) {
	t.Helper()
	r := newRoot(t, filepath.Join(dir, "root"))
	binaries := r.unpacked("systemd")
	for _, name := range programs {
		path, err := exec.LookPath(name)
		r.must(err)
		path, err = filepath.EvalSymlinks(path)
		r.must(err)
		r.file(filepath.Join("usr/bin", name), path, 0o755)
		binaries = append(binaries, path)
	}
	for name, target := range map[string]string{"usr/bin/sh": "dash", "usr/sbin/modprobe": "../bin/kmod"} {
		r.link(name, target)
	}
	for _, name := range []string{"nodewatch", "nodewatch-ceph", "agent"} {
		r.file("usr/local/bin/"+name, filepath.Join(bin, name), 0o755)
	}
	binaries = append(binaries, r.packaging(bin)...)
	r.libraries(append(binaries, filepath.Join(bin, "nodewatch-ceph"))...)
	r.busybox()
	r.kernel(k, modules...)
	r.settings()
	file = filepath.Join(dir, "disk")
	if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", r.dir, file,
		"400M").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	return file
}

// settings writes the configuration files of the guest's system.
func (r root) settings() {
	r.t.Helper()
	const units = "../../systemd/"
	for name, unit := range map[string]string{
		"etc/systemd/system/nodewatch.service": "nodewatch.service",
		"etc/systemd/system/nodewatch.socket":  "nodewatch.socket",
		"usr/lib/sysusers.d/nodewatch.conf":    "nodewatch.sysusers",
		credentials:                            "credentials.conf",
	} {
		r.file(name, units+unit, 0o644)
	}
	r.put("etc/systemd/system/agent.service", 0o644, agentUnit)
	r.link("etc/systemd/system/multi-user.target.wants/agent.service", "../agent.service")
	r.link("etc/systemd/system/getty.target", "/dev/null")
	r.link("etc/systemd/system/default.target", "/lib/systemd/system/multi-user.target")
	for name, text := range map[string]string{
		"etc/passwd":                      "root:x:0:0:root:/root:/bin/sh\n",
		"etc/group":                       "root:x:0:\n",
		"etc/hostname":                    "node2\n",
		"etc/machine-id":                  "8d6c1f0a4b7e4c52930f6e1a2b3c4d5e\n",
		"etc/fstab":                       "",
		"etc/os-release":                  "ID=test\nNAME=test\n",
		"etc/modules-load.d/storage.conf": strings.Join([]string{"virtio_console", "virtio_net", "bonding", "dummy", "rbd"}, "\n") + "\n",
		"etc/modprobe.d/storage.conf":     "options bonding max_bonds=0\noptions dummy numdummies=0\n",
	} {
		r.put(name, 0o644, []byte(text))
	}
}

// credentials is the path of the shipped example drop-in in the guest.
const credentials = "root/credentials.conf"

// missing returns why the test cannot run here; empty: it can.
func missing() string {
	if os.Getuid() != 0 {
		return "not root, which a network namespace and a TAP device take"
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return err.Error()
	}
	for _, p := range append([]string{"qemu-system-x86_64", "busybox", "ceph-mon", "ceph-osd", "ceph-mgr", "ceph", "rbd", "dpkg-query",
		"depmod", "ldd", "mke2fs", "dpkg", "perl", "tar", "deb-systemd-helper"}, programs...) {
		if _, err := exec.LookPath(p); err != nil {
			return err.Error()
		}
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		return err.Error()
	}
	for _, name := range []string{"nodewatch", "nodewatch-ceph", "agent"} {
		if _, err := os.Stat(filepath.Join(os.Getenv("LAB_BIN"), name)); err != nil || os.Getenv("LAB_BIN") == "" {
			return fmt.Sprintf("LAB_BIN does not name a directory with %s; run make systemd-test", name)
		}
	}
	if _, err := os.Stat(filepath.Join(os.Getenv("LAB_BIN"), "dist")); err != nil {
		return err.Error()
	}
	return ""
}
