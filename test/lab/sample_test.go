//go:build lab

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// sample writes the kernel's present state to a directory below LAB_SAMPLES, named by
// kernel, scenario and moment: the raw response to a dump of the links, the kernel's
// log, and the files of sysfs, procfs and debugfs that nodewatch reads. Without
// LAB_SAMPLES it does nothing.
func (l *Lab) sample(moment string) {
	l.t.Helper()
	root := os.Getenv("LAB_SAMPLES")
	if root == "" {
		return
	}
	dir := filepath.Join(root, l.Kernel.Version, strings.TrimPrefix(l.t.Name(), "Test"), moment)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	a, err := l.Guest.Exec(l.ctx, "agent", "sample")
	if err != nil || a.Code != 0 {
		l.t.Fatalf("sample: %v, exit code %d, %s", err, a.Code, a.Err)
	}
	archive := filepath.Join(l.dir, "sample.tar")
	if err := os.WriteFile(archive, a.Out, 0o600); err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.children.Output(l.ctx, "tar", "xf", archive, "-C", dir); err != nil {
		l.t.Fatal(err)
	}
	report, _, err := l.Guest.Get(l.ctx, address+"/api/v1/report")
	if err != nil {
		report = nil // nodewatch is stopped in one scenario
	}
	about := fmt.Sprintf("%s of %s, Linux %s, %s\n", moment, l.t.Name(), l.Kernel.Version, time.Now().UTC().Format(time.DateOnly))
	for name, body := range map[string][]byte{"report.json": report, "about": []byte(about)} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			l.t.Fatal(err)
		}
	}
}
