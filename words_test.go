package nodewatch

import (
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A replacedWord is one that texts do not use, and what they say instead.
type replacedWord struct {
	pattern *regexp.Regexp
	instead string
}

var replacedWords = []replacedWord{
	{regexp.MustCompile(`\banew\b`), "again"},
	{regexp.MustCompile(`\b(for ever|forever)\b`), "indefinitely, permanently"},
	{regexp.MustCompile(`\b(goes|going|went|gone) on\b`), "continues"},
	{regexp.MustCompile(`\bmend(s|ed|ing)?\b`), "fix"},
	{regexp.MustCompile(`\bwhom\b`), "who"},
	{regexp.MustCompile(`\bof late\b`), "recently"},
	{regexp.MustCompile(`\bwish(es|ed)?\b`), "override, ask for"},
	{regexp.MustCompile(`\b(faring|fares?)\b`), "delivery status, state"},
	{regexp.MustCompile(`\bgoodbye\b`), "shutdown, last report"},
	{regexp.MustCompile(`\blumber room\b`), "utility package"},
	{regexp.MustCompile(`\b(stands|stood) (still|for|in|on|beside|before)\b`), "is stalled, represents, is in, uses"},
	{regexp.MustCompile(`\b(give|gives) \w+ sight\b`), "enable"},
	{regexp.MustCompile(`(?i)\b(nobody|somebody|anybody|everybody|whoever)\b`), "no one, other users, all users, or name the role"},
	{regexp.MustCompile(`\b(a|an|the) \w+ of (its|their) own\b`), "its own, a separate"},
	{regexp.MustCompile(`\b(tells|(is|are|was|were|be) told)\b`), "reports, is reported"},
	{regexp.MustCompile(`\bspeaks? (for|against)\b`), "evidence for, against"},
	{regexp.MustCompile(`\bany more\b`), "no longer"},
	{regexp.MustCompile(`\bfor good\b`), "permanently"},
	{regexp.MustCompile(`\bfor lack of\b`), "because it is exhausted, missing"},
	{regexp.MustCompile(`\bone another\b`), "each other"},
	{regexp.MustCompile(`(?i)\bwhat it is (about|of)\b`), "the subject, the affected object"},
	{regexp.MustCompile(`(?i)\blives? with it\b`), "is acknowledged"},
	{regexp.MustCompile(`\bleft behind\b`), "abandoned"},
	{regexp.MustCompile(`\b(goes|went) blind\b`), "becomes unavailable"},
	{regexp.MustCompile(`\bthe machine (leaves|updates)\b`), "is (not) updated automatically"},
	{regexp.MustCompile(`\bmust not forget\b`), "state"},
	{regexp.MustCompile(`\bof no interest\b`), "irrelevant"},
	{regexp.MustCompile(`\bat first sight\b`), "at once"},
	{regexp.MustCompile(`\bas \w+ (has|have) it\b`), "as in"},
	{regexp.MustCompile(`\bguests? (is|are) hit\b`), "is affected"},
	{regexp.MustCompile(`\bcustomers (do not )?feel\b`), "impact, effect on customers"},
	{regexp.MustCompile(`\bsleeps in the kernel\b`), "is in uninterruptible sleep"},
}

// stillUsed are the places where a replaced word stays, and why. A place is a file
// and a part of the line.
var stillUsed = map[string]string{
	"cmd/nodewatch/lists.go: wishes":    "the former name of the command, a hidden alias",
	"internal/node/codec.go: wishes":    "the former name of the source, in tapes",
	"internal/override/file.go: wishes": "the former name of the file",
	"docs/commands.md: `wishes`":        "the deprecated name of the command",
	"CHANGELOG.md: `wishes":             "what was renamed",

	"deploy/prometheus/alertmanager-example.yml: nobody": "a receiver without a notification, as Alertmanager's users call it",
	"pkg/rbd/qemu/vmm.go: regular users and nobody":      "a system account",
	"internal/status/admin/password.go: nobody returns":  "a function",
}

// replaced returns the replaced words of a text, each with what to write.
func replaced(text string) []string {
	var list []string
	for _, w := range replacedWords {
		if m := w.pattern.FindString(text); m != "" {
			list = append(list, strconv.Quote(m)+": write "+w.instead)
		}
	}
	return list
}

func isStillUsed(path, line string) bool {
	for place := range stillUsed {
		file, part, _ := strings.Cut(place, ": ")
		if file == path && strings.Contains(line, part) {
			return true
		}
	}
	return false
}

// TestDocsUseNoReplacedWord reads all documentation, alert rules, dashboards and schemas.
func TestDocsUseNoReplacedWord(t *testing.T) {
	files := 0
	check := func(path string) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files++
		for n, line := range strings.Split(string(raw), "\n") {
			for _, w := range replaced(line) {
				if !isStillUsed(path, line) {
					t.Errorf("%s:%d: %s", path, n+1, w)
				}
			}
		}
	}
	for _, root := range []string{"docs", "deploy"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			switch filepath.Ext(path) {
			case ".md", ".json", ".yml":
				check(filepath.ToSlash(path))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} {
		check(path)
	}
	if files < 30 {
		t.Errorf("only %d files were found", files)
	}
}

// TestStringsUseNoReplacedWord reads every string literal and doc comment outside tests.
func TestStringsUseNoReplacedWord(t *testing.T) {
	sources(t, func(path string, file *ast.File, set *token.FileSet) {
		if strings.HasPrefix(path, "test/") {
			return
		}
		report := func(at token.Pos, text string) {
			for _, w := range replaced(text) {
				if !isStillUsed(path, text) {
					t.Errorf("%s: %s", set.Position(at), w)
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				report(lit.Pos(), lit.Value)
			}
			return true
		})
		for _, group := range file.Comments {
			report(group.Pos(), strings.ReplaceAll(group.Text(), "\n", " "))
		}
	})
}
