//go:build lab

package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A Kernel is an unpacked kernel package.
type Kernel struct {
	Image   string // bzImage
	Modules string // lib/modules/VERSION
	Version string
}

// FindKernel returns a Debian kernel, unpacked below the directory; it is downloaded
// if it is missing, and never installed. Its name is a package (linux-image-VERSION),
// a Debian release whose own kernel is meant (trixie), or both
// (bookworm-backports:linux-image-VERSION). Without a name it is the default kernel
// of this machine's release.
func FindKernel(dir, name string) (Kernel, error) {
	suite, name, found := strings.Cut(name, ":")
	if !found && !strings.HasPrefix(suite, "linux-image-") {
		name = ""
	} else if !found {
		suite, name = "", suite
	}
	if k, err := unpacked(filepath.Join(dir, name)); name != "" && err == nil {
		return k, nil
	}
	a := apt{}
	if suite != "" {
		var err error
		if a, err = otherSuite(filepath.Join(dir, "apt-"+suite), suite); err != nil {
			return Kernel{}, err
		}
	}
	if name == "" {
		names, err := a.needs("linux-image-amd64")
		if err != nil || len(names) == 0 {
			return Kernel{}, fmt.Errorf("apt knows no kernel for linux-image-amd64: %w", err)
		}
		name = names[0]
	}
	root := filepath.Join(dir, name)
	if k, err := unpacked(root); err == nil {
		return k, nil
	}
	if err := a.fetch(root, name); err != nil {
		return Kernel{}, err
	}
	return unpacked(root)
}

// An apt contains the options for apt's sources; nil: this machine's sources.
type apt []string

// otherSuite returns the sources for another Debian release, from this machine's
// mirror.
func otherSuite(dir, suite string) (apt, error) {
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(COMPONENT)", "Created-By: Packages").Output()
	m := regexp.MustCompile(`(?m)^(\S+/debian/?) Debian main$`).FindSubmatch(out)
	if err != nil || m == nil {
		return nil, fmt.Errorf("no Debian repository among apt's sources: %w", err)
	}
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	list := filepath.Join(dir, "sources.list")
	line := fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n", m[1], suite)
	if err := os.WriteFile(list, []byte(line), 0o644); err != nil {
		return nil, err
	}
	a := apt{
		"-oDir::Etc::SourceList=" + list, "-oDir::Etc::SourceParts=/dev/null", "-oDir::State::status=/dev/null",
		"-oDir::State::Lists=" + filepath.Join(dir, "lists"), "-oDir::Cache=" + filepath.Join(dir, "cache"),
		"-oAcquire::Languages=none", "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
	}
	return a, tool(dir, "apt-get", append(a, "-q", "update")...)
}

// needs returns the packages that a kernel consists of, from its dependencies: older
// releases have one package, newer ones several.
func (a apt) needs(name string) (parts []string, err error) {
	out, err := exec.Command("apt-cache", append(a[:len(a):len(a)], "depends", name)...).Output()
	if err != nil {
		return nil, fmt.Errorf("apt-cache depends %s: %w", name, err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ *Depends: (linux-(?:image|binary|modules|base)-[0-9]\S*)`).FindAllSubmatch(out, -1) {
		parts = append(parts, string(m[1]))
	}
	return parts, nil
}

// fetch downloads and unpacks a kernel in a temporary directory, and renames that
// when it is complete.
func (a apt) fetch(root, name string) error {
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return err
	}
	sweepFetched(filepath.Dir(root))
	tmp, err := os.MkdirTemp(filepath.Dir(root), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	parts, err := a.needs(name)
	if err != nil {
		return err
	}
	download := append(a[:len(a):len(a)], append([]string{"-q", "download", name}, parts...)...)
	if err := tool(tmp, "apt-get", download...); err != nil {
		if err := tool(tmp, "apt-get", append(a[:len(a):len(a)], "-q", "update")...); err != nil {
			return err
		}
		if err := tool(tmp, "apt-get", download...); err != nil {
			return err
		}
	}
	steps := `for d in *.deb; do dpkg-deb -x "$d" root; done; rm -f *.deb; cd root
mkdir -p lib/modules
[ ! -d usr/lib/modules ] || cp -a usr/lib/modules/. lib/modules/ && rm -rf usr
find lib/modules -name '*.ko.xz' -exec xz -d {} +
for d in lib/modules/*; do depmod -b . "${d##*/}"; done`
	if err := tool(tmp, "sh", "-euc", steps); err != nil {
		return err
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	return os.Rename(filepath.Join(tmp, "root"), root)
}

// sweepFetched removes the remains of downloads that were killed.
func sweepFetched(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, "fetch-*")) // the pattern is valid
	for _, d := range left {
		if info, err := os.Stat(d); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(d) // the next run retries
		}
	}
}

// tool runs a program, which ends with this process. An error contains the last line
// of its output.
func tool(dir, program string, args ...string) error {
	runtime.LockOSThread() // the program would end with this thread
	defer runtime.UnlockOSThread()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	out = bytes.TrimSpace(out)
	return fmt.Errorf("%s %s: %w: %s", program, args[len(args)-1], err, out[bytes.LastIndexByte(out, '\n')+1:])
}

// unpacked searches for a complete kernel below root.
func unpacked(root string) (Kernel, error) {
	deps, err := filepath.Glob(filepath.Join(root, "lib/modules/*/modules.dep"))
	if err != nil || len(deps) != 1 {
		return Kernel{}, fmt.Errorf("no modules in %s", root)
	}
	k := Kernel{Modules: filepath.Dir(deps[0])}
	k.Version = filepath.Base(k.Modules)
	for _, image := range []string{filepath.Join(root, "boot/vmlinuz-"+k.Version), filepath.Join(k.Modules, "vmlinuz")} {
		if _, err := os.Stat(image); err == nil {
			k.Image = image
			return k, nil
		}
	}
	return Kernel{}, fmt.Errorf("no kernel image in %s", root)
}

// Closure returns the files of the named modules and of all their dependencies,
// relative to Modules. Built-in and unknown modules are left out: the guest reports
// missing ones.
func (k Kernel) Closure(names ...string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(k.Modules, "modules.dep"))
	if err != nil {
		return nil, err
	}
	deps, path := map[string][]string{}, map[string]string{}
	for line := range strings.Lines(string(raw)) {
		file, needs, _ := strings.Cut(strings.TrimSpace(line), ":")
		deps[file] = strings.Fields(needs)
		path[strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".ko"), "-", "_")] = file
	}
	seen := map[string]bool{}
	var files []string
	var add func(file string)
	add = func(file string) {
		if file == "" || seen[file] {
			return
		}
		seen[file] = true
		for _, d := range deps[file] {
			add(d)
		}
		files = append(files, file)
	}
	for _, n := range names {
		add(path[strings.ReplaceAll(n, "-", "_")])
	}
	return files, nil
}
