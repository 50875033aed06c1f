package rbd

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var guestUpdate = flag.Bool("update", false, "rewrite the golden files")

// guestPlanted represents a key, password or user in the fixtures.
const guestPlanted = "PLANTED"

// guestGolden compares got, as JSON, with testdata/guests/golden/NAME.json.
func guestGolden(t *testing.T, name string, got any) {
	t.Helper()
	b, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	file := filepath.Join("testdata", "guests", "golden", name+".json")
	if *guestUpdate {
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

// guestFile reads a fixture.
func guestFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "guests", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// guestFiles returns the fixtures that match a pattern.
func guestFiles(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "guests", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixture matches %s: %v", pattern, err)
	}
	for i, f := range files {
		files[i] = strings.TrimPrefix(f, filepath.Join("testdata", "guests")+"/")
	}
	return files
}

// qemuFixture reads a command line: as the kernel has it, or an argument a line.
func qemuFixture(t testing.TB, name string) []byte {
	b := guestFile(t, name)
	if strings.HasSuffix(name, ".args") {
		return []byte(strings.ReplaceAll(string(b), "\n", "\x00"))
	}
	return b
}
