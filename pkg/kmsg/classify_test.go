package kmsg

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// samples are the kernel logs of real incidents, by file name.
func samples(t testing.TB) map[string]string {
	t.Helper()
	logs := make(map[string]string)
	err := filepath.WalkDir("testdata/samples", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		log, err := os.ReadFile(path)
		logs[strings.TrimPrefix(path, "testdata/samples/")] = string(log)
		return err
	})
	if err != nil || len(logs) != 28 {
		t.Fatalf("got %d samples, want 28: %v", len(logs), err)
	}
	return logs
}

// texts returns the texts of all records of log.
func texts(t testing.TB, log string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(log) {
		if line[0] == ' ' {
			continue
		}
		r, err := parseRecord([]byte(line))
		if err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		all = append(all, r.Text)
	}
	return all
}

func TestClassifyAgreesWithReferenceOnSamples(t *testing.T) {
	digits := regexp.MustCompile(`[0-9a-f]+`)
	seen := make(map[string]int) // by shape: the same line with other numbers adds little
	for name, log := range samples(t) {
		for _, text := range texts(t, log) {
			shape := digits.ReplaceAllString(text, "0")
			if seen[shape]++; seen[shape] > 3 {
				continue
			}
			if diff := cmp.Diff(reference(text), lineOf(text)); diff != "" {
				t.Errorf("%s: %q: -reference +classify\n%s", name, text, diff)
			}
		}
	}
	t.Logf("%d shapes of lines", len(seen))
}

func TestNoCephLineOfSamplesIsLetGo(t *testing.T) {
	n := 0
	for name, log := range samples(t) {
		for _, text := range texts(t, log) {
			if !strings.HasPrefix(text, "libceph") && !strings.HasPrefix(text, "rbd:") {
				continue
			}
			n++
			if l := lineOf(text); l.Class == Other {
				t.Errorf("%s: %q is of no class", name, text)
			}
		}
	}
	if n != 3120 {
		t.Errorf("got %d lines of libceph and rbd, want 3,120 as grep -c has it", n)
	}
}
