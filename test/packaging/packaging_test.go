package packaging

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the module's directory.
const root = "../.."

// run runs a program in dir, which must succeed.
func run(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// build builds packages for this machine's architecture from a copy of the tree in an
// empty directory, into build/dist.
func build(t *testing.T, dir string, packages ...string) {
	t.Helper()
	run(t, root, nil, "bash", "-c",
		`git ls-files -co --exclude-standard -z | while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done | tar --null -T - -cf - | tar -C "$1" -xf -`, "bash", dir)
	run(t, dir, []string{"MAKEFLAGS="}, "make", "-s", "dist", "PACKAGES="+strings.Join(packages, " "), "ARCHES=amd64", "SBOM=no",
		"VERSION=v0.9.0-3-g1a2b3c4", "REVISION=1a2b3c4d5e6f", "DATE=2026-11-30T00:00:00Z", "SOURCE_DATE_EPOCH=1796000000")
}

// sums returns the SHA-256 sums of the files in a directory, by name.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	all := map[string]string{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = fmt.Sprintf("%x", sha256.Sum256(raw))
	}
	return all
}

// Two builds of the same tree in two directories have equal bytes, and the packages
// have the expected content. All packages are built in the same way, so that
// comparing one is enough; packaging/dist-test compares all.
func TestPackages(t *testing.T) {
	for _, program := range []string{"git", "make", "gzip", "dpkg-deb", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("not a git checkout, from which the tree is copied")
	}
	trees := []string{t.TempDir(), t.TempDir()}
	if !t.Run("builds", func(t *testing.T) {
		t.Run("all", func(t *testing.T) {
			t.Parallel()
			build(t, trees[0], "nodewatch", "nodewatch-ceph", "nodewatch-status")
			t.Run("lintian", func(t *testing.T) { lintian(t, filepath.Join(trees[0], "build/dist")) })
		})
		t.Run("one", func(t *testing.T) {
			t.Parallel()
			build(t, trees[1], "nodewatch")
		})
	}) {
		return
	}
	dist := filepath.Join(trees[0], "build/dist")
	first, second := sums(t, dist), sums(t, filepath.Join(trees[1], "build/dist"))
	const version = "0.9.0+git3.g1a2b3c4"
	for _, name := range []string{"nodewatch_" + version + "_amd64.deb", "nodewatch-" + version + "-1.x86_64.rpm"} {
		if first[name] == "" || first[name] != second[name] {
			t.Errorf("%s differs between two directories", name)
		}
	}
	for _, name := range []string{"nodewatch_" + version + "_amd64.deb", "nodewatch-" + version + "-1.x86_64.rpm",
		"nodewatch-" + version + ".linux-amd64.tar.gz", "nodewatch-status_" + version + "_amd64.deb",
		"nodewatch-status-" + version + "-1.x86_64.rpm", "sha256sums.txt"} {
		if first[name] == "" {
			t.Errorf("%s is not made", name)
		}
	}
	deb := filepath.Join(dist, "nodewatch_"+version+"_amd64.deb")
	if got := strings.TrimSpace(run(t, ".", nil, "dpkg-deb", "-f", deb,
		"Depends")); got != "init-system-helpers (>= 1.52), procps, systemd | systemd-standalone-sysusers" {
		t.Errorf("Depends: %s", got)
	}
	tree := unpacked(t, deb, map[string]string{
		"usr/bin/nodewatch":                 "/blob/1a2b3c4d5e6f/docs/rules.md", // the prefix of runbook links
		"usr/lib/sysusers.d/nodewatch.conf": "u nodewatch ", "usr/lib/systemd/system/nodewatch.socket": "",
		"usr/lib/systemd/system/nodewatch.service": "ExecStart=/usr/bin/nodewatch run $ARGS\n", "etc/default/nodewatch": "\nARGS=\"\"\n",
		"usr/share/man/man1/nodewatch.1.gz": "", "usr/share/man/man5/nodewatch.yml.5.gz": "",
		"usr/share/bash-completion/completions/nodewatch":    "complete",
		"usr/share/zsh/vendor-completions/_nodewatch":        "#compdef nodewatch\n",
		"usr/share/fish/vendor_completions.d/nodewatch.fish": "complete", "usr/share/nodewatch/grafana/nodewatch-node.json": "",
		"usr/share/nodewatch/prometheus/health.yml":      "/blob/1a2b3c4d5e6f/",
		"usr/share/doc/nodewatch/examples/nodewatch.yml": "site:", "usr/share/doc/nodewatch/copyright": "Apache",
		"usr/share/doc/nodewatch/third-party.txt": "\ngithub.com/vishvananda/netlink v",
	})
	if conf := run(t, ".", nil, filepath.Join(tree, "usr/bin/nodewatch"), "check-config",
		filepath.Join(tree, "usr/share/doc/nodewatch/examples/nodewatch.yml")); !strings.Contains(conf, "is valid") {
		t.Errorf("the example: %s", conf)
	}
	if got := run(t, ".", nil, filepath.Join(tree, "usr/bin/nodewatch"), "--version"); !strings.HasPrefix(got,
		"nodewatch, version "+version+" (revision: 1a2b3c4d5e6f)\n") {
		t.Errorf("--version: %s", got)
	}
	rpmHolds(t, filepath.Join(dist, "nodewatch-"+version+"-1.x86_64.rpm"), "/usr/bin/nodewatch",
		"/usr/lib/systemd/system/nodewatch.service",
		"/usr/lib/sysusers.d/nodewatch.conf", "/etc/default/nodewatch", "/usr/share/zsh/site-functions/_nodewatch")
	statusHolds(t, filepath.Join(dist, "nodewatch-status_"+version+"_amd64.deb"), version)
	rpmHolds(t, filepath.Join(dist, "nodewatch-status-"+version+"-1.x86_64.rpm"), "/usr/bin/nodewatch-status",
		"/usr/lib/systemd/system/nodewatch-status.service",
		"/usr/lib/sysusers.d/nodewatch-status.conf", "/usr/lib/sysctl.d/60-nodewatch-status.conf", "/etc/default/nodewatch-status",
		"/etc/nodewatch-status/nodewatch-status.yml")
}

// lintian checks that lintian finds no problem in the .deb packages of a directory.
func lintian(t *testing.T, dist string) {
	if _, err := exec.LookPath("lintian"); err != nil {
		t.Skip("lintian is not installed; make deps installs it")
	}
	packages, err := filepath.Glob(filepath.Join(dist, "*.deb"))
	if err != nil || len(packages) == 0 {
		t.Fatalf("%d packages, %v", len(packages), err)
	}
	run(t, ".", nil, append([]string{"lintian", "--allow-root", "--fail-on", "error,warning"}, packages...)...)
}

// unpacked unpacks a .deb and checks that its files contain the texts.
func unpacked(t *testing.T, deb string, holds map[string]string) (tree string) {
	t.Helper()
	tree = t.TempDir()
	run(t, ".", nil, "dpkg-deb", "-x", deb, tree)
	for name, want := range holds {
		raw, err := os.ReadFile(filepath.Join(tree, name))
		if err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("%s: %v; lacks %q", name, err, want)
		}
	}
	return tree
}

// statusHolds checks the package nodewatch-status: its configuration is valid, and its
// maintainer scripts name it and not nodewatch.
func statusHolds(t *testing.T, deb, version string) {
	t.Helper()
	const conf = "etc/nodewatch-status/nodewatch-status.yml"
	tree := unpacked(t, deb, map[string]string{
		conf: "groups: []", "usr/lib/systemd/system/nodewatch-status.service": "ExecStart=/usr/bin/nodewatch-status run $ARGS\n",
		"etc/default/nodewatch-status":              "\nARGS=\"\"\n",
		"usr/lib/sysusers.d/nodewatch-status.conf":  "u nodewatch-status ",
		"usr/lib/sysctl.d/60-nodewatch-status.conf": "\nnet.ipv4.ping_group_range = 0 2147483647\n",
		"usr/share/man/man1/nodewatch-status.1.gz":  "", "usr/share/man/man5/nodewatch-status.yml.5.gz": "",
		"usr/share/bash-completion/completions/nodewatch-status":    "complete -o default -F _nodewatch-status nodewatch-status\n",
		"usr/share/zsh/vendor-completions/_nodewatch-status":        "#compdef nodewatch-status\n",
		"usr/share/fish/vendor_completions.d/nodewatch-status.fish": "complete -c nodewatch-status ",
		"usr/share/nodewatch-status/prometheus/status.yml":          "/blob/1a2b3c4d5e6f/",
		"usr/share/doc/nodewatch-status/copyright":                  "Apache",
		"usr/share/doc/nodewatch-status/third-party.txt":            "\nmodernc.org/sqlite v",
	})
	program := filepath.Join(tree, "usr/bin/nodewatch-status")
	if got := run(t, ".", nil, program, "check-config", "--config.file", filepath.Join(tree, conf)); !strings.Contains(got, ": ok") {
		t.Errorf("the configuration: %s", got)
	}
	if got := run(t, ".", nil, program, "--version"); !strings.HasPrefix(got, "nodewatch-status, version "+version+" (") {
		t.Errorf("--version: %s", got)
	}
	scripts := t.TempDir()
	run(t, ".", nil, "dpkg-deb", "-e", deb, scripts)
	if got := run(t, scripts, nil, "sh", "-c",
		"cat conffiles; ! grep -nE '\\.socket|@|nodewatch([^-]|$)' postinst prerm postrm"); got != "/etc/default/nodewatch-status\n/"+conf+"\n" {
		t.Errorf("conffiles and scripts: %s", got)
	}
	if bash, err := exec.LookPath("bash"); err == nil {
		got := run(t, ".", []string{"PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH")}, bash, "-c",
			`. "$1"; COMP_WORDS=(nodewatch-status tok) COMP_CWORD=1; _nodewatch-status; echo "${COMPREPLY[@]}"`, "bash",
			filepath.Join(tree, "usr/share/bash-completion/completions/nodewatch-status"))
		if got != "token\n" {
			t.Errorf("bash completes tok to %q", got)
		}
	}
}

// rpmHolds checks the content of the .rpm, if rpm is installed.
func rpmHolds(t *testing.T, file string, names ...string) {
	t.Helper()
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Log("rpm is not installed: what the .rpm holds is not looked at; make deps installs it")
		return
	}
	files := strings.Fields(run(t, ".", nil, "rpm", "-qlp", file))
	for _, name := range names {
		if !slices.Contains(files, name) {
			t.Errorf("%s lacks %s", filepath.Base(file), name)
		}
	}
}

// The notes of a release are its section of the changelog; without a section there are no
// notes.
func TestReleaseNotes(t *testing.T) {
	notes := run(t, root, nil, "tools/release-notes", "v0.1.0")
	if !strings.HasPrefix(notes, "- [") || strings.Contains(notes, "\n## ") {
		t.Errorf("got\n%.300s", notes)
	}
	for _, missing := range []string{"v9.9.9", "v0.1", "Unreleased", ""} {
		if out, err := exec.Command(filepath.Join(root, "tools/release-notes"), missing).CombinedOutput(); err == nil ||
			!strings.Contains(string(out), "has no section") {
			t.Errorf("%q: %v\n%s", missing, err, out)
		}
	}
}

// Every action is pinned to a commit, and actionlint reports no problem.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d workflows, %v", len(files), err)
	}
	pinned := regexp.MustCompile(`^\s*(- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$`)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(raw), "\n") {
			if strings.Contains(line, "uses:") && !pinned.MatchString(line) {
				t.Errorf("%s:%d: not pinned by a commit: %s", file, i+1, line)
			}
		}
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		run(t, root, []string{"CGO_ENABLED=0"}, "go", "tool", "-modfile=tools/go.mod", "actionlint", "-shellcheck=", "-pyflakes=", path)
	}
}
