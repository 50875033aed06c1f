// Package nodewatch holds no code of its own: here are the tests that keep the
// tree as docs/architecture.md draws it.
package nodewatch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/nodewatch/nodewatch/"

// mayImport is what the non-test files of each package may import from this module.
var mayImport = map[string][]string{
	"pkg/bond":           {},
	"pkg/rbd":            {"pkg/rbd/internal/naming"},
	"pkg/ceph":           {},
	"pkg/kmsg":           {},
	"pkg/host":           {},
	"pkg/report":         {},
	"pkg/report/changes": {"pkg/report", "pkg/statefile"},
	"pkg/statefile":      {},
	"internal/override":  {"pkg/statefile"},

	"pkg/rbd/hostfs": {},
	"pkg/rbd/krbd":   {"pkg/rbd", "pkg/rbd/hostfs", "pkg/rbd/internal/guest", "pkg/rbd/internal/naming"},
	// a domain may pass QEMU arguments of its own
	"pkg/rbd/libvirt":          {"pkg/rbd", "pkg/rbd/qemu", "pkg/rbd/internal/guest", "pkg/rbd/internal/naming"},
	"pkg/rbd/qemu":             {"pkg/rbd", "pkg/rbd/hostfs", "pkg/rbd/internal/guest", "pkg/rbd/internal/naming"},
	"pkg/rbd/internal/guest":   {"pkg/rbd", "pkg/rbd/internal/naming"},
	"pkg/rbd/internal/naming":  {},
	"pkg/rbd/internal/rbdtest": {"pkg/rbd", "pkg/rbd/internal/naming"}, // for tests

	"pkg/report/native/receiver": {"pkg/report", "pkg/report/native"},
	"pkg/report/reporttest":      {"pkg/report", "pkg/report/httpclient", "pkg/statefile"}, // for tests
	"internal/node":              values,
	"internal/buildinfo":         {},
	"internal/human":             {},
	"internal/facts":             append(values, "internal/node", "internal/human"),
	"internal/cause":             append(values, "internal/node", "internal/facts", "internal/human"),
	"internal/history":           {"internal/node", "internal/facts"},
	"internal/bounds":            {},
	"internal/rule":              {"internal/bounds", "internal/node", "internal/facts", "pkg/bond", "pkg/report"},
	"internal/rule/storage": append(values, "internal/node", "internal/facts", "internal/cause", "internal/human", "internal/rule",
		"pkg/report"),
	"internal/rule/network":  append(values, "internal/node", "internal/facts", "internal/human", "internal/rule", "pkg/report"),
	"internal/rule/host":     append(values, "internal/node", "internal/facts", "internal/human", "internal/rule", "pkg/report"),
	"internal/rule/guests":   append(values, "internal/node", "internal/facts", "internal/human", "internal/rule", "pkg/report"),
	"internal/rule/cluster":  append(values, "internal/node", "internal/facts", "internal/human", "internal/rule", "pkg/report"),
	"internal/nodetest":      append(values, "internal/node"),                                        // for tests
	"internal/rule/ruletest": {"internal/nodetest", "internal/facts", "internal/rule", "pkg/report"}, // for tests
	"internal/rule/self":     append(values, "internal/node", "internal/facts", "internal/human", "internal/rule", "pkg/report"),
	"internal/rule/all":      {"internal/rule", "internal/rule/*", "pkg/kmsg"},
	"internal/judge":         append(values, "internal/node", "internal/facts", "internal/history", "internal/rule", "pkg/report"),
	"internal/tape":          append(values, "internal/node"),
	"internal/tape/script":   append(values, "internal/node"),
	"internal/tape/expect":   {"pkg/report"},
	"internal/launcher":      {},
	"internal/watch":         {"internal/node", "internal/judge", "internal/rule/all", "internal/tape", "pkg/report"},
	"internal/metrics":       append(views, "internal/buildinfo"),
	"internal/page":          views,
	"internal/config": {"internal/bounds", "internal/strictyaml", "internal/rule", "internal/rule/all", "pkg/report",
		"pkg/report/*"},
	"internal/strictyaml":      {"internal/bounds"},
	"internal/status/uptime":   {"pkg/report"},
	"internal/status/presence": {"internal/status/uptime", "pkg/report", "pkg/report/native"},
	"internal/status/fleet":    {"internal/status/presence", "pkg/report", "pkg/report/native"},
	"internal/status/config":   {"internal/strictyaml", "pkg/report"},
	"internal/status/checks":   {"internal/status/config", "internal/status/store", "internal/status/uptime", "pkg/report"},
	"internal/status/incident": {"internal/human", "internal/status/uptime", "pkg/report"},
	"internal/status/store": {"internal/status/config", "internal/status/incident", "internal/status/uptime", "pkg/report",
		"pkg/report/native"},
	"internal/status/intake": {"internal/status/presence", "internal/status/ratelimit", "internal/status/store",
		"internal/status/uptime", "pkg/report", "pkg/report/native", "pkg/report/native/receiver"},
	"internal/status/feed": {"internal/status/page", "internal/status/incident", "pkg/report"},
	"internal/status/page": {"internal/human", "internal/status/config", "internal/status/incident", "internal/status/presence",
		"internal/status/uptime", "pkg/report"},
	"internal/status/admin": {"internal/human", "internal/status/*", "pkg/report", "pkg/report/native"},
	"internal/status/api": {"internal/status/checks", "internal/status/config", "internal/status/desk", "internal/status/fleet",
		"internal/status/incident", "internal/status/presence", "internal/status/ratelimit", "internal/status/store", "pkg/report",
		"pkg/report/native"},
	"internal/status/desk": {"internal/status/config", "internal/status/fleet", "internal/status/incident", "internal/status/record",
		"internal/status/store", "pkg/report", "pkg/report/native"},
	"internal/status/record": {"internal/status/checks", "internal/status/config", "internal/status/incident",
		"internal/status/presence", "internal/status/store", "internal/status/uptime", "pkg/report"},
	"internal/status/ratelimit": {},
	"deploy/status":             {},
	"cmd/nodewatch-status": {"deploy/status", "internal/buildinfo", "internal/human", "internal/status/*", "pkg/report",
		"pkg/report/*", "pkg/statefile"},
	"cmd/nodewatch-ceph": {"pkg/ceph", "internal/buildinfo"},
	"cmd/nodewatch":      {"*"},
	"test/cephlab":       {},
	"test/packaging":     {},
	"test/manpage":       {},
	"test/fanotify":      {},
	"test/lab":           {"test/lab/ethswitch", "test/lab/call"},
	"test/prometheus":    {},
	"test/postgres":      {},
	"test/lab/agent":     {"test/lab/call"},
	"test/lab/call":      {},
	"test/lab/ethswitch": {},
	"test/systemd":       {},
}

// values are the packages that hold the outside world as values.
var values = []string{"pkg/bond", "pkg/rbd", "pkg/ceph", "pkg/kmsg", "pkg/host", "internal/override"}

// views are what the packages that render a View may import.
var views = append(values, "internal/node", "internal/facts", "internal/history", "internal/human", "internal/judge", "internal/rule",
	"internal/rule/storage", "pkg/report")

// A ban is an import that only some packages may have, and why.
type ban struct {
	path    string
	allowed []string // packages, or prefixes of packages ending in "/", that may
	why     string
}

var bans = []ban{
	{"os/exec", []string{"internal/launcher", "cmd/", "test/"},
		"an exec that hangs freezes the whole program: internal/launcher starts programs, in a process of its own"},
	{"log/slog", []string{"internal/watch", "internal/status/checks", "cmd/"}, "what a package has to say is a value; logging may block"},
	{"log", nil, "slog, through the queue that never blocks"},
	{"net/http", []string{"cmd/nodewatch", "cmd/nodewatch-status", "test/", "pkg/report/", "internal/status/intake",
		"internal/status/admin", "internal/status/api"},
		"the views are pure; serving them is the command's, taking reports the intake's, and asking backends the reporters'"},
	{"database/sql", []string{"internal/status/store", "test/"}, "the database ends in the store: what is pure is given values"},
	{"github.com/ceph/go-ceph/rados", []string{"cmd/nodewatch-ceph"}, "cgo and librados live in a child that can be left behind"},
	{"github.com/ceph/go-ceph/rbd", []string{"cmd/nodewatch-ceph"}, "cgo and librados live in a child that can be left behind"},
	{"github.com/vishvananda/netlink", []string{"pkg/bond"}, "the wire ends in pkg/bond"},
	{"github.com/digitalocean/go-libvirt", []string{"pkg/rbd/libvirt"}, "libvirt ends in pkg/rbd/libvirt"},
	{"github.com/prometheus/client_golang/prometheus", []string{"internal/metrics", "internal/status/checks", "cmd/nodewatch",
		"cmd/nodewatch-status"}, "metrics are a view; a probe of the blackbox exporter answers in them"},
	{"os", []string{"pkg/", "internal/override", "internal/watch", "internal/launcher", "internal/status/store", "cmd/", "test/"},
		"nothing between the sources and the command touches the machine"},
	{"net", []string{"pkg/bond", "pkg/rbd/libvirt", "pkg/report/httpclient", "internal/launcher", "internal/status/checks", "cmd/",
		"test/"}, "nothing resolves or dials but the readers that must"},
	{"unsafe", []string{"pkg/kmsg", "pkg/bond", "internal/launcher"},
		"values, not memory; only the kernel log's hot path looks at bytes as text without a copy, capset(2) on every thread and SIOCETHTOOL take pointers"},
}

// A listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Doc        string
	Imports    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath+"/" != module {
			all = append(all, p)
		}
	}
}

// allows reports whether the list names the package, or a path ending in "*" that it is below.
func allows(may []string, pkg string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		prefix, all := strings.CutSuffix(m, "*")
		return m == pkg || all && strings.HasPrefix(pkg, prefix)
	})
}

func TestPackages(t *testing.T) {
	all := list(t)
	t.Run("import only what they may", func(t *testing.T) { wantAllowedImports(t, all) })
	t.Run("have a comment", func(t *testing.T) {
		for _, p := range all {
			if p.Doc == "" {
				t.Errorf("%s has no package comment", p.ImportPath)
			}
		}
	})
	t.Run("have a purpose", func(t *testing.T) {
		for _, p := range all {
			switch name := filepath.Base(p.Dir); name {
			case "util", "utils", "common", "helpers", "types", "manager", "misc":
				t.Errorf("%s: the name %q does not state its content", p.ImportPath, name)
			}
		}
	})
}

func wantAllowedImports(t *testing.T, all []listed) {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range all {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		may, known := mayImport[pkg]
		if !known && strings.HasPrefix(pkg, "pkg/report/") {
			may, known = []string{"pkg/report", "pkg/report/httpclient", "pkg/statefile", "pkg/report/componentsync",
				"pkg/report/changes"}, true
		}
		if !known {
			t.Errorf("%s is not in docs/architecture.md: add it there and here, with what it may import", pkg)
			continue
		}
		seen[pkg] = true
		for _, imp := range p.Imports {
			if own, ours := strings.CutPrefix(imp, module); ours && !allows(may, own) {
				t.Errorf("%s must not import %s: it may import %v", pkg, own, may)
			}
			for _, b := range bans {
				if imp == b.path && !slices.ContainsFunc(b.allowed, func(a string) bool {
					return pkg == a || strings.HasSuffix(a, "/") &&
						strings.HasPrefix(pkg, a)
				}) {
					t.Errorf("%s must not import %s: %s", pkg, imp, b.why)
				}
			}
		}
	}
	for pkg := range mayImport {
		if !seen[pkg] {
			t.Errorf("the package %s does not exist", pkg)
		}
	}
}

// sources calls f for every Go file of ours that is not a test.
func sources(t *testing.T, f func(path string, file *ast.File, set *token.FileSet)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(path), file, set)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// mayRun reports whether the file's package may start goroutines and read the clock.
func mayRun(path string) bool {
	for _, status := range []string{"intake", "checks", "store", "notify"} {
		if strings.HasPrefix(path, "internal/status/"+status+"/") {
			return true
		}
	}
	return strings.HasPrefix(path, "internal/watch/") || strings.HasPrefix(path, "internal/launcher/") || strings.HasPrefix(path, "cmd/") ||
		strings.HasPrefix(path, "test/")
}

// clocks are the calls that read the clock, or start a goroutine without a go statement, and why
// only the packages that may run things may make them.
var clocks = map[string]string{
	"time.Now":          "the only clock is in internal/watch; a time is an argument",
	"time.Since":        "the only clock is in internal/watch; a time is an argument",
	"time.Until":        "the only clock is in internal/watch; a time is an argument",
	"time.Sleep":        "nothing sleeps but what internal/watch has started",
	"time.After":        "nothing waits but what internal/watch has started: a context ends a wait",
	"time.Tick":         "nothing waits but what internal/watch has started",
	"time.AfterFunc":    "it starts a goroutine that nobody waits for",
	"context.AfterFunc": "it starts a goroutine that nobody waits for",
}

// exempt are the files that make one of these calls nevertheless: they close a socket whose read
// knows nothing of contexts, and take the call back once the read has returned.
var exempt = map[string]string{
	"pkg/bond/follow.go":         "context.AfterFunc",
	"pkg/rbd/libvirt/libvirt.go": "context.AfterFunc",
}

func TestTimeAndGoroutinesLiveInWatchAndCmd(t *testing.T) {
	files, used := 0, map[string]bool{}
	sources(t, func(path string, file *ast.File, set *token.FileSet) {
		files++
		ast.Inspect(file, func(n ast.Node) bool {
			at := func() token.Position { return set.Position(n.Pos()) }
			switch n := n.(type) {
			case *ast.GoStmt:
				if !mayRun(path) {
					t.Errorf("%s: a go statement: goroutines live in internal/watch, internal/launcher, the outer packages of internal/status, and cmd", at())
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && !mayRun(path) {
					if why, banned := clocks[x.Name+"."+n.Sel.Name]; banned && exempt[path] != x.Name+"."+n.Sel.Name {
						t.Errorf("%s: %s.%s: %s", at(), x.Name, n.Sel.Name, why)
					}
					used[path+" "+x.Name+"."+n.Sel.Name] = true
				}
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: an init function: what is set up is set up in cmd", at())
				}
			}
			return true
		})
	})
	for path, call := range exempt {
		if !used[path+" "+call] {
			t.Errorf("%s no longer calls %s: take it off the list", path, call)
		}
	}
	if files < 50 {
		t.Errorf("only %d files were looked at: is the walk broken?", files)
	}
}

func TestLicence(t *testing.T) {
	raw, err := os.ReadFile("LICENSE")
	if err != nil || !strings.Contains(string(raw), "Apache License") {
		t.Errorf("LICENSE is not the Apache License: %v", err)
	}
}

// Each line of the changelog is "- [KIND] PACKAGE, PACKAGE: What changed.", once.
func TestChangelog(t *testing.T) {
	raw, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	_, released, found := strings.Cut(string(raw), "\n## Unreleased\n")
	if !found {
		t.Fatal("CHANGELOG.md has no section \"## Unreleased\"")
	}
	entry := regexp.MustCompile(`^- \[(CHANGE|FEATURE|ENHANCEMENT|BUGFIX)\] [a-z][a-z0-9/, -]*: .*[.)]$`)
	seen := map[string]int{}
	entries := 0
	for i, line := range strings.Split(released, "\n") {
		n := strings.Count(string(raw[:len(raw)-len(released)]), "\n") + i + 1
		switch {
		case line == "" || strings.HasPrefix(line, "## "):
			continue
		case !entry.MatchString(line):
			t.Errorf("CHANGELOG.md:%d: %q is not \"- [CHANGE|FEATURE|ENHANCEMENT|BUGFIX] package: What changed.\"", n, line)
		case seen[line] > 0:
			t.Errorf("CHANGELOG.md:%d: line %d says the same", n, seen[line])
		}
		seen[line] = n
		entries++
	}
	if entries == 0 {
		t.Error("CHANGELOG.md has no entry")
	}
}

// Each decision has a number of its own, and says since when it holds.
func TestDecisions(t *testing.T) {
	files, err := filepath.Glob("docs/adr/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	form := regexp.MustCompile(`^# (\d+)\. [A-Z/].*\n\nStatus: (accepted|superseded), \d{4}-\d{2}-\d{2}[.;]`)
	for i, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := form.FindStringSubmatch(string(raw))
		if m == nil {
			t.Errorf("%s does not begin with %q", file, "# NUMBER. Title, and Status: accepted, DATE.")
			continue
		}
		if n, _ := strconv.Atoi(m[1]); n != i+1 || !strings.HasPrefix(filepath.Base(file), fmt.Sprintf("%04d-", n)) {
			t.Errorf("%s is number %s, want %d", file, m[1], i+1)
		}
	}
}

// The Makefile names tests to run and to skip: a name that finds none checks nothing.
func TestTheMakefileNamesTestsThatExist(t *testing.T) {
	raw, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	value := func(variable string) string {
		m := regexp.MustCompile(`(?m)^` + variable + `\s*:= (.*)$`).FindSubmatch(raw)
		if m == nil {
			t.Fatalf("the Makefile no longer sets %s", variable)
		}
		return strings.ReplaceAll(string(m[1]), "$$", "$")
	}
	for variable, dirs := range map[string][]string{
		"GENERATED":    append(strings.Fields(value("DOCPACKAGES")), "./internal/page"),
		"UNRACEDTESTS": {"./cmd/nodewatch", "./internal/launcher"},
		"PACKAGETESTS": {"./test/packaging"},
	} {
		var all []string
		for _, dir := range dirs {
			here := testsIn(t, dir)
			if !slices.ContainsFunc(here, regexp.MustCompile(value(variable)).MatchString) {
				t.Errorf("%s finds no test in %s", variable, dir)
			}
			all = append(all, here...)
		}
		for _, name := range strings.Split(value(variable), "|") {
			if !slices.ContainsFunc(all, regexp.MustCompile(name).MatchString) {
				t.Errorf("%s names %s, which finds no test", variable, name)
			}
		}
	}
}

// testsIn returns the names of the tests in a directory.
func testsIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(raw, -1) {
			names = append(names, string(test[1]))
		}
	}
	return names
}
