//go:build lab

package lab

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

//go:embed init.sh
var initScript []byte

// modules are the kernel modules that the scenarios use; their dependencies are
// added.
var modules = []string{
	"virtio_pci", "virtio_net", "virtio_console", "virtio_blk", "bonding", "libceph", "rbd", "sch_netem", "sch_tbf", "sch_htb",
	"sch_fq_codel", "sch_ingress", "cls_u32", "act_police", "8021q", "ext4", "dummy",
	"crc32c_generic", "cbc", "aes_generic", "aesni-intel", "gcm", "ctr", "hmac", "sha256_generic",
}

// programs are the programs of this machine that the guest uses, with their
// libraries. All others are busybox's.
var programs = []string{"ip", "tc", "ethtool", "mke2fs", "dash"}

// Initramfs writes the guest's root file system.
func Initramfs(file string, k Kernel, bin string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	a := newArchive(f)
	for _, d := range []string{"proc", "sys", "dev", "tmp", "run", "mnt", "root", "etc"} {
		a.dir(d)
	}
	a.put("init", 0o755, initScript)
	a.file("bin/agent", filepath.Join(bin, "agent"), 0o755)
	a.file("bin/nodewatch", filepath.Join(bin, "nodewatch"), 0o755)
	if err := addBusybox(a); err != nil {
		return err
	}
	if err := addPrograms(a); err != nil {
		return err
	}
	if err := addModules(a, k); err != nil {
		return err
	}
	return a.close()
}

// addBusybox adds all applets except those that would hide a real program.
func addBusybox(a *archive) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	a.file("bin/busybox", busybox, 0o755)
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("busybox --list: %w", err)
	}
	real := map[string]bool{"sh": true, "busybox": true}
	for _, p := range programs {
		real[p] = true
	}
	for _, name := range regexp.MustCompile(`\S+`).FindAllString(string(applets), -1) {
		if !real[name] {
			a.link("bin/"+name, "busybox")
		}
	}
	a.link("sbin/modprobe", "../bin/busybox")
	a.link("bin/sh", "dash") // busybox sh would run its own ip and mke2fs
	return nil
}

// library matches a line of ldd: a file, or the loader.
var library = regexp.MustCompile(`(?m)(?:=> )?(/\S+) \(0x`)

func addPrograms(a *archive) error {
	done := map[string]bool{}
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			return err
		}
		a.file("bin/"+name, path, 0o755)
		out, err := exec.Command("ldd", path).Output()
		if err != nil {
			return fmt.Errorf("ldd %s: %w", path, err)
		}
		for _, m := range library.FindAllSubmatch(out, -1) {
			if lib := string(m[1]); !done[lib] {
				done[lib] = true
				a.file(lib, lib, 0o755)
			}
		}
	}
	return nil
}

func addModules(a *archive, k Kernel) error {
	files, err := k.Closure(modules...)
	if err != nil {
		return err
	}
	place := filepath.Join("lib/modules", k.Version)
	for _, f := range files {
		a.file(filepath.Join(place, f), filepath.Join(k.Modules, f), 0o644)
	}
	for _, f := range []string{"modules.dep", "modules.alias", "modules.builtin", "modules.softdep", "modules.symbols"} {
		a.file(filepath.Join(place, f), filepath.Join(k.Modules, f), 0o644)
	}
	return nil
}
