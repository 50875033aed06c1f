package lab

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A rule that does not exist is always clear: scenarios must name only rules of
// docs/rules.md.
func TestScenariosNameRules(t *testing.T) {
	rules, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	asks := regexp.MustCompile(`\.(?:clear|raised|goesOn|finding|find|never)\(("[^)]*)\)`)
	id := regexp.MustCompile(`"([a-z0-9]+(?:-[a-z0-9]+)+)"`)
	n := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range asks.FindAllStringSubmatch(string(source), -1) {
			for _, m := range id.FindAllStringSubmatch(call[1], -1) {
				if n++; !strings.Contains(string(rules), "\n## "+m[1]+"\n") {
					t.Errorf("%s: %s is not a rule", file, m[1])
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d rules are named: this test does not find them", n)
	}
}
