package manpage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	changelog := filepath.Join(t.TempDir(), "CHANGELOG.md")
	if err := os.WriteFile(changelog, []byte("## Unreleased\n\n## 0.2.0 / 2026-12-24\n\n## 0.1.0 / 2026-11-30\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := New("a.b", 5, "does it", changelog)
	if err != nil {
		t.Fatal(err)
	}
	p.Section("files")
	p.Text(".hidden\n\nand \\more")
	p.Item("--flag", "FILE", "What\nit is.")
	p.SeeAlso("c-d(1)", "e(5)")
	for _, want := range []string{
		".TH A.B 5 2026-12-24 \"nodewatch 0.2.0\"\n", "a.b \\- does it\n.SH FILES\n\\&.hidden\n.PP\nand \\emore\n",
		".TP\n\\fB\\-\\-flag\\fR \\fIFILE\\fR\nWhat it is.\n", ".BR c\\-d (1),\n.BR e (5)\n",
	} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("got\n%s\nwhich lacks\n%s", p, want)
		}
	}
	if _, err := New("a", 1, "b", os.DevNull); err == nil {
		t.Error("a changelog without a release gives no version, and no error")
	}
}
