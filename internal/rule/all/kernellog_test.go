package all_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// Every class has exactly one use, in order, and every named rule exists.
func TestKernelUses(t *testing.T) {
	rules := map[string]bool{}
	for _, r := range all.Rules() {
		rules[r.ID] = true
	}
	var got []kmsg.Class
	for _, u := range all.KernelUses() {
		got = append(got, u.Class)
		if u.Why == "" {
			t.Errorf("%s: no word why", u.Class)
		}
		for _, id := range u.Rules {
			if !rules[id] {
				t.Errorf("%s: there is no rule %q", u.Class, id)
			}
		}
	}
	if diff := cmp.Diff(kmsg.Classes(), got); diff != "" {
		t.Errorf("uses are not those of all classes (-classes +uses):\n%s", diff)
	}
}

// A class lists rules if, and only if, a rule or the shared packages (facts, causes) name
// it. The listed rules are true: each rule whose own file names the class is listed, and
// each listed rule's package names the class. If only the shared packages name the class,
// any rule may be listed.
func TestKernelUsesAreTrue(t *testing.T) {
	const asked = ""                      // key of the shared packages facts and cause
	named := map[string]map[string]bool{} // directories by class
	byRule := map[string][]string{}       // rules whose file names the class
	home := map[string]string{}           // directory by rule
	for _, dir := range []string{"..", "../../facts", "../../cause"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "kernellog.go" {
				return err
			}
			in := asked
			if dir == ".." {
				in = filepath.Dir(path)
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			classes, ids := namedIn(file)
			for _, id := range ids {
				home[id] = in
			}
			for _, class := range classes {
				if named[class] == nil {
					named[class] = map[string]bool{}
				}
				named[class][in] = true
				byRule[class] = append(byRule[class], ids...)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	names := map[string]string{} // class constants, by text
	eachClass(t, func(name, text, _ string) { names[text] = name })
	for _, u := range all.KernelUses() {
		name := names[string(u.Class)]
		if (len(named[name]) > 0) != (len(u.Rules) > 0) {
			t.Errorf("%s: has rules %v, and kmsg.%s is named in the source of the rules: %v", u.Class, u.Rules, name, len(named[name]) > 0)
		}
		for _, id := range byRule[name] {
			if !slices.Contains(u.Rules, id) {
				t.Errorf("%s: the file of %s names kmsg.%s, and the rules are %v", u.Class, id, name, u.Rules)
			}
		}
		for _, id := range u.Rules {
			if !named[name][home[id]] && (len(named[name]) > 1 || !named[name][asked]) {
				t.Errorf("%s: nothing in the package of %s names kmsg.%s", u.Class, id, name)
			}
		}
	}
}

// namedIn returns the kmsg constants that a file names, and the rules that it defines.
func namedIn(file *ast.File) (classes, ids []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if pkg, is := n.X.(*ast.Ident); is && pkg.Name == "kmsg" {
				classes = append(classes, n.Sel.Name)
			}
		case *ast.KeyValueExpr:
			key, isName := n.Key.(*ast.Ident)
			if id, isText := n.Value.(*ast.BasicLit); isName && isText && key.Name == "ID" {
				ids = append(ids, strings.Trim(id.Value, `"`))
			}
		}
		return true
	})
	slices.Sort(classes)
	return slices.Compact(classes), ids
}

func TestDocsOfKernelLogAreFresh(t *testing.T) {
	const path = "../../../docs/kernel-log.md"
	got := kernelLog(t)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/kernel-log.md is not what the classes say; run \"make docs\" (-file +classes):\n%s", diff)
	}
}

const kernelLogHead = `# The kernel log

<!-- Generated from pkg/kmsg and internal/rule/all by "make docs". -->

nodewatch reads ` + "`/dev/kmsg`" +
	` and assigns a class to each line. Lines are counted by class, OSD, device, errno and detail; only the count, the times and one text of each are kept.
Every class is in ` + "`nodewatch_kmsg_events_total{class=\"...\"}`" + `, whether a rule uses it or not.

## Lines that nodewatch ignores

- **CephFS**: the lines of ` + "`ceph.ko`" + ` (` + "`ceph: ...`" +
	`: MDS sessions, caps, lost mounts). The sessions with OSDs and monitors, which CephFS shares with krbd, are counted.
- **iSCSI, NVMe-oF, Fibre Channel and DRBD**: their transports and sessions. An I/O error of the block layer on such a disk is counted, but raises no finding.
- **NFS and other network filesystems**; local disks, their controllers and RAID. Exceptions are block-layer errors and filesystems that turn read-only.
- **librbd**: it runs inside QEMU and writes nothing to the kernel log.
- **Lines whose facility is not the kernel's**: any process can write them; they are only counted, as foreign.

`

// kernelLog renders docs/kernel-log.md.
func kernelLog(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(kernelLogHead)
	meaning := meanings(t)
	b.WriteString("## Classes\n\nLines of a class without a rule are only counted and shown.\n\n| class | meaning | rules | use |\n| --- | --- | --- | --- |\n")
	use := map[string]string{}
	for _, u := range all.KernelUses() {
		var links []string
		for _, id := range u.Rules {
			links = append(links, fmt.Sprintf("[%s](rules.md#%s)", id, id))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", u.Class, escape(meaning[string(u.Class)]), strings.Join(links, ", "), escape(u.Why))
		use[string(u.Class)] = "counted"
		if len(u.Rules) > 0 {
			use[string(u.Class)] = "rule"
		}
	}
	b.WriteString("\n## Messages of net/ceph and rbd\n\nThe table lists the formats of Linux 6.12; known older and newer wordings have the same class. A lost or refused session has one line, which contains its reason; other lines only explain it.\n")
	formats, err := os.ReadFile("../../../pkg/kmsg/testdata/formats.tsv")
	if err != nil {
		t.Fatal(err)
	}
	file := ""
	for _, line := range strings.Split(strings.TrimSpace(string(formats)), "\n") {
		f := strings.Split(line, "\t")
		if len(f) < 5 {
			continue
		}
		if f[0] != file {
			file = f[0]
			fmt.Fprintf(&b, "\n### %s\n\n| format | class | detail | session | use |\n| --- | --- | --- | --- | --- |\n", file)
		}
		class, detail, session := f[3], f[4], ""
		if detail == "%pU" || class == "closed" {
			detail = ""
		}
		if reason := kmsg.SessionReason(kmsg.Class(class), detail); reason != "" {
			session = "lost: " + string(reason)
			if reason.Refused() {
				session = "refused: " + string(reason)
			}
		}
		used := use[class]
		if used == "" { // a comment that describes the next line
			used = "joined to the next line"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", escape(f[2]), class, detail, session, used)
	}
	b.WriteString("\n## Messages of NIC drivers\n\n`pkg/kmsg/nicdrivers.go` has the messages of trouble by driver, `pkg/bond/drivers.go` the drop counters by driver, each with the kernel source it comes from. A driver whose drop counters are unknown is named on the page.\n")
	return b.String()
}

func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// meanings returns the comments of the classes, by class text.
func meanings(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	eachClass(t, func(_, text, comment string) { all[text] = comment })
	return all
}

// eachClass calls do for each class of kmsg with its constant, text and comment.
func eachClass(t *testing.T, do func(name, text, comment string)) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../pkg/kmsg/class.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		do(spec.Names[0].Name, text, strings.TrimSpace(spec.Comment.Text()))
		return true
	})
}
