// Package rbdtest has the fixtures that the tests of several packages below pkg/rbd
// share. Only tests import it.
package rbdtest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Update reports whether to write the golden files.
var Update = flag.Bool("update", false, "rewrite the golden files")

// Planted represents a key, password or user in the fixtures.
const Planted = "PLANTED"

// Golden compares got, as JSON, with testdata/golden/NAME.json.
func Golden(t *testing.T, name string, got any) {
	t.Helper()
	b, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	file := filepath.Join("testdata", "golden", name+".json")
	if *Update {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(b)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// File reads a fixture.
func File(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Files returns the fixtures that match a pattern.
func Files(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixture matches %s: %v", pattern, err)
	}
	for i, f := range files {
		files[i] = strings.TrimPrefix(f, "testdata/")
	}
	return files
}
