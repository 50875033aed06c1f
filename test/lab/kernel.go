//go:build lab

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A Kernel is an unpacked kernel package.
type Kernel struct {
	Image   string // bzImage
	Modules string // lib/modules/VERSION
	Version string
}

// FindKernel returns the kernel of the named Debian package, unpacked below the
// directory; it is fetched if it is not there, and never installed. Without a
// name it is the kernel that this release installs.
func FindKernel(dir, name string) (Kernel, error) {
	if name == "" {
		var err error
		if name, err = defaultKernel(); err != nil {
			return Kernel{}, err
		}
	}
	root := filepath.Join(dir, name)
	if k, err := unpacked(root); err == nil {
		return k, nil
	}
	if err := fetchKernel(root, name); err != nil {
		return Kernel{}, err
	}
	return unpacked(root)
}

// defaultKernel is what linux-image-amd64 depends on.
func defaultKernel() (string, error) {
	out, err := exec.Command("apt-cache", "depends", "linux-image-amd64").Output()
	if err != nil {
		return "", fmt.Errorf("apt-cache depends linux-image-amd64: %w", err)
	}
	m := regexp.MustCompile(`Depends: (linux-image-\S+)`).FindSubmatch(out)
	if m == nil {
		return "", errors.New("apt-cache knows no kernel for linux-image-amd64")
	}
	return string(m[1]), nil
}

// fetchKernel downloads and unpacks the package beside its place, and moves it
// there when it is whole.
func fetchKernel(root, name string) error {
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(root), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := tool(tmp, "apt-get", "-q", "download", name); err != nil {
		if err := tool(tmp, "apt-get", "-q", "update"); err != nil {
			return err
		}
		if err := tool(tmp, "apt-get", "-q", "download", name); err != nil {
			return err
		}
	}
	steps := `dpkg-deb -x *.deb root && rm -f *.deb && cd root
[ -d lib/modules ] || { mkdir -p lib && mv usr/lib/modules lib/; }
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

func tool(dir, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", program, args, err, bytes.TrimSpace(out))
	}
	return nil
}

// unpacked looks for a whole kernel below root.
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

// Closure are the files of the named modules and of all that they need, relative
// to Modules. What is built in or unknown is left out: the guest says so if it
// matters.
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
